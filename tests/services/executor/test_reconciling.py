"""When books and venue are compared: all of it before the first message, and how often while something goes on asking for it."""

from decimal import Decimal
from functools import partial
from itertools import accumulate, takewhile
from pathlib import Path

import pytest

from libs.contracts.trading import AlertRaised
from libs.exchanges.trading import NewConditional
from libs.kit.durations import DAY_MS
from services.executor.reconciling import SOONEST_SECONDS, next_rest
from services.executor.statements import MOST_AT_START, SETTLED_MS
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import Executing, Floor, floor, until
from tests.services.processes import eventually

WEIGHT, LIMIT = 100, 2400
"""Of a thorough comparison (three lists, balances, terms), and what the venue allows in a minute (reference facts, 3.1)."""


def test_a_burst_of_wishes_leaves_most_of_the_request_budget() -> None:
    rests = [SOONEST_SECONDS]
    while sum(rests) < 60:
        rests.append(next_rest(rests[-1], True, 10.0))
    looks = len(list(takewhile(lambda at: at < 60, accumulate(rests))))
    assert looks * WEIGHT < LIMIT / 2
    assert max(rests) == 10.0


def test_after_a_quiet_while_the_next_wish_is_heard_at_once() -> None:
    assert next_rest(10.0, False, 10.0) == SOONEST_SECONDS


@pytest.mark.parametrize("days_behind", [0, 20])
async def test_the_statement_is_read_before_the_first_message(tmp_path: Path, days_behind: int) -> None:
    async with floor(tmp_path) as at:
        behind_ms = at.account.clock.now_ms() - days_behind * DAY_MS
        if days_behind:
            at.database.statement_span = (behind_ms - DAY_MS, behind_ms)
        fault = await at.venue.fault("unavailable", paths=["/fapi/v1/income"], executed="no")
        one = await at.executor()
        await until(lambda: one.executor.compared.is_set(), lambda: "not compared")
        await eventually(partial(_was_refused, at, fault), 20, lambda: "the statement was not asked for")
        assert not one.executor.ready.is_set()
        assert at.database.statement_span[1] == (behind_ms if days_behind else 0)
        await at.venue.end(fault)
        await until(one.executor.ready.is_set, lambda: "the statement was not read")
        begun_ms = at.account.clock.now_ms()
        read_ms = at.database.statement_span[1]
        assert read_ms >= (behind_ms + MOST_AT_START * DAY_MS if days_behind else begun_ms - 2 * SETTLED_MS)
        # The rest of a long absence keeps no signal waiting, and is read all the same.
        await until(lambda: at.database.statement_span[1] >= begun_ms - 2 * SETTLED_MS, lambda: "not all is read")


async def _was_refused(at: Floor, fault: int) -> bool:
    return len(await at.venue.ledger(fault)) >= 3


HOUR = 3600.0
"""Between two comparisons that nothing asks for: what is found meanwhile was found for another reason."""


@pytest.mark.parametrize("kind", ["limit", "conditional"])
async def test_an_order_of_others_in_a_symbol_without_trades_is_told_by_the_user_stream(
    tmp_path: Path, kind: str
) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor(reconcile_seconds=HOUR)
        await one.ready()
        await _order_by_hand(at, kind)
        await until(lambda: _is_told(one), lambda: f"{kind}: {one.executor.permission.reasons()}", 60)
        assert any("by-hand" in reason for reason in one.executor.permission.reasons())


@pytest.mark.parametrize("kind", ["limit", "conditional"])
async def test_what_a_silent_stream_did_not_tell_is_found_once_it_is_open_again(tmp_path: Path, kind: str) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor(reconcile_seconds=HOUR)
        await one.ready()
        silence = await at.venue.fault("silent", streams=["ORDER_TRADE_UPDATE", "ALGO_UPDATE", "ACCOUNT_UPDATE"])
        await _order_by_hand(at, kind)
        await eventually(partial(_was_withheld, at, silence), 60, lambda: "the venue has told of it")
        assert not _is_told(one)
        await at.venue.end(silence)
        await at.venue.fault("disconnect", path="/private", for_ms=1_000)
        await until(lambda: _is_told(one), lambda: f"{kind}: {one.executor.permission.reasons()}", 60)


@pytest.mark.parametrize("kind", ["limit", "conditional"])
async def test_what_an_open_stream_never_tells_is_found_by_looking(tmp_path: Path, kind: str) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor(reconcile_seconds=1.0, conditionals_seconds=2.0 if kind == "conditional" else HOUR)
        await one.ready()
        silence = await at.venue.fault("silent", streams=["ORDER_TRADE_UPDATE", "ALGO_UPDATE", "ACCOUNT_UPDATE"])
        await _order_by_hand(at, kind)
        await eventually(partial(_was_withheld, at, silence), 60, lambda: "the venue has told of it")
        await until(lambda: _is_told(one), lambda: f"{kind}: {one.executor.permission.reasons()}", 60)


async def _order_by_hand(at: Floor, kind: str) -> None:
    away = Decimal(await at.person.price(-2000))
    if kind == "limit":
        order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
        await at.person.ok("POST", "/fapi/v1/order", **order, price=str(away), newClientOrderId="by-hand-1")
    else:
        stop = NewConditional(SYMBOL, "SELL", "STOP_MARKET", "by-hand-1", away, Decimal("0.010"))
        await at.account.trading.place_conditional(stop)


def _is_told(one: Executing) -> bool:
    """Whether people have heard of it, and nothing is entered."""
    one.check()
    told = any("by-hand-1" in alert.detail for alert in one.heard.of(AlertRaised))
    return told and not one.executor.permission.permits("ETHUSDT").entries


async def _was_withheld(at: Floor, fault: int) -> bool:
    return bool(await at.venue.ledger(fault))
