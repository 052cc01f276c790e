"""A signal's life at the simulated venue: entered, protected, left; each step in the books and told."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.trading import AlertRaised, ExecutorReported, LiveTradeChanged, OrderChanged
from libs.exchanges.trading import FeeRates
from libs.trading.execution.document import Trade
from services.executor.terms import USUAL_FEES
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import CONFIG, Floor, floor, risk, until

TINY = Decimal("1.00001")


async def is_clean(at: Floor) -> None:
    """Flat, and nothing of anybody rests."""
    truth = await at.person.truth()
    assert not [one for one in truth["positions"] if Decimal(one["amount"])], truth["positions"]
    assert await at.account.trading.open_conditionals() == []
    assert await at.account.trading.open_orders() == []


async def profit_is_the_venues(at: Floor, trade: Trade) -> None:
    """The fills of the books are the fills of the account, and so is what they made."""
    fills = await at.account.trading.executions(trade.symbol)
    assert {one.trade_id for one in trade.fills} == {one.trade_id for one in fills}
    assert sum(one.realised for one in trade.fills) == sum(one.realised for one in fills)
    assert sum(one.fee for one in trade.fills) == sum(one.fee for one in fills)


async def test_a_signal_is_entered_and_protected_stop_first(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        by_leg = {order.leg: order for order in trade.orders}
        assert trade.state == "open"
        assert set(by_leg) == {"entry", "stop", "take_profit_1", "take_profit_2"}
        assert by_leg["stop"].quantity is None
        targets = [by_leg[leg].quantity or Decimal(0) for leg in ("take_profit_1", "take_profit_2")]
        assert sum(targets) == by_leg["entry"].executed
        [stop] = await at.account.trading.open_conditionals()
        assert (stop.client_id, stop.close_position) == (by_leg["stop"].client_id, True)
        placed = [entry["client_id"] for entry in await at.person.entries("request") if "client_id" in entry]
        assert placed.count(by_leg["entry"].client_id) <= 1
        times = trade.times
        assert times.signal_ms <= times.readable_ms <= times.decided_ms <= times.sent_ms <= times.protected_ms
        assert trade.initial_risk is not None
        assert abs(trade.initial_risk - CONFIG.risk_per_trade) < 2
        assert [event.state for event in one.heard.of(LiveTradeChanged)] == ["entering", "open"]
        assert {event.leg for event in one.heard.of(OrderChanged)} == set(by_leg)
        [held] = one.heard.of(ExecutorReported)[-1].held
        assert (held.trade_id, held.stop) == ("signal-1", by_leg["stop"].trigger)


async def test_targets_close_it_and_both_stops_go(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        price = Decimal(await at.person.price())
        await one.signal(at.signal(take_profit_1=price, take_profit_2=price * TINY))
        trade = await one.trade("signal-1", lambda found: found.is_final, 60)
        assert trade.state == "closed"
        await is_clean(at)
        await profit_is_the_venues(at, trade)
        assert one.executor.trades() == {}


async def test_a_signal_that_may_not_be_entered_ends_with_its_reason(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        now_ms, price = at.account.clock.now_ms(), at.price()
        cases: dict[str, dict[str, Any]] = {
            "expired": {"event_time_ms": now_ms - 60_000},
            "not_enabled": {"strategy": "somebody_else"},
            "price_gap": {"price": price * Decimal("1.5")},
            "stop_passed": {"stop_loss": price * Decimal("1.01")},
            "not_supported": {"stop_loss": None},
            "below_minimum": {"stop_loss": price * Decimal("0.0001")},
        }
        for number, (reason, changes) in enumerate(cases.items()):
            await one.signal(at.signal(number, **changes))
            trade = await one.trade(f"signal-{number}", lambda found: True)
            assert (trade.state, trade.reason, trade.orders) == ("refused", reason, ())
        one.guard = risk("warning", entries=False)
        await one.trade_refused(at.signal(20), "risk_blocked")
        one.guard = risk(locks={SYMBOL: 2**50})
        await one.trade_refused(at.signal(21), "locked")
        assert (await at.person.truth())["positions"] == []


async def test_one_position_a_symbol_and_the_same_signal_once(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        signal = at.signal()
        await one.signal(signal)
        await one.signal(signal)
        await one.signal(at.signal(2))
        assert (await one.trade("signal-2", lambda found: True)).reason == "position_open"
        trade = await one.trade("signal-1", lambda found: found.times.protected_ms > 0)
        assert len([order for order in trade.orders if order.leg == "entry"]) == 1
        assert len(await at.account.trading.executions(SYMBOL)) == len(trade.fills)


@pytest.mark.parametrize(("reason", "by"), [("liquidation", "liquidation"), ("adl", "adl")])
async def test_what_the_venue_closes_is_booked_as_that(tmp_path: Path, reason: str, by: str) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        await at.venue.fault("forced_close", symbol=SYMBOL, reason=reason)
        trade = await one.trade("signal-1", lambda found: found.is_final)
        assert (trade.state, trade.exit_reason) == ("closed", by)
        assert {fill.by for fill in trade.fills} == {"executor", by}
        await is_clean(at)
        await profit_is_the_venues(at, trade)
        assert [alert.severity for alert in one.heard.of(AlertRaised) if by[:4] in alert.title.lower()] or by == "adl"


async def test_the_hold_limit_closes_it(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal(hold_until_ms=at.account.clock.now_ms() + 1_500))
        trade = await one.trade("signal-1", lambda found: found.is_final)
        assert (trade.state, trade.exit_reason) == ("closed", "hold_expired")
        await is_clean(at)
        await profit_is_the_venues(at, trade)


async def test_a_symbol_rests_after_a_trade_over_a_restart_too(tmp_path: Path) -> None:
    async with floor(tmp_path, CONFIG.model_copy(update={"cooldown_seconds": 300})) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal(hold_until_ms=at.account.clock.now_ms() + 500))
        await one.trade("signal-1", lambda found: found.is_final)
        await one.signal(at.signal(2))
        assert (await one.trade("signal-2", lambda found: True)).reason == "cooldown"
        await one.drop()
        at.database.expires = float("-inf")
        second = await at.executor()
        await second.ready()
        told = {event.trade_id: event.state for event in second.heard.of(LiveTradeChanged)}
        assert told == {"signal-1": "closed", "signal-2": "refused"}
        await second.signal(at.signal(3))
        assert (await second.trade("signal-3", lambda found: True)).reason == "cooldown"


@pytest.mark.parametrize("hold_ms", [60_000, 9_000])
async def test_funding_is_booked_also_on_what_is_over_by_then(tmp_path: Path, hold_ms: int) -> None:
    settled_ms = 1_763_740_800_000
    async with floor(tmp_path, start_time=settled_ms - 8_000) as at:
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal(hold_until_ms=at.account.clock.now_ms() + hold_ms))
        trade = await one.trade("signal-1", lambda found: found.funding != 0, 40)
        paid = [line.amount for line in await at.account.trading.income(settled_ms - 60_000, settled_ms + 60_000)]
        assert trade.funding_ids
        assert -trade.funding in paid


async def test_funding_that_the_stream_did_not_tell_is_read_as_soon_as_the_account_is_heard_again(
    tmp_path: Path,
) -> None:
    settled_ms = 1_763_740_800_000
    async with floor(tmp_path, start_time=settled_ms - 9_000) as at:
        await at.venue.fault("disconnect", path="/private", at_ms=settled_ms - 1_000, for_ms=3_000)
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.funding != 0, 30)
        assert trade.funding_ids


async def test_funding_whose_line_could_not_be_read_is_asked_for_again_soon(tmp_path: Path) -> None:
    settled_ms = 1_763_740_800_000
    async with floor(tmp_path, start_time=settled_ms - 9_000) as at:
        cut = {"paths": ["/fapi/v1/income"], "at_ms": settled_ms - 1_000, "for_ms": 4_000}
        await at.venue.fault("connection_reset", **cut)
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.funding != 0, 50)
        assert trade.funding_ids


async def test_fees_are_the_accounts_own(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        terms = one.executor.terms
        await until(lambda: SYMBOL in terms.fees, lambda: "not read", 60)
        assert terms.fees_of(SYMBOL) == FeeRates(taker=Decimal("0.0005"), maker=Decimal("0.0002"))
        terms.fees[SYMBOL] = FeeRates(taker=Decimal("0.0003"), maker=Decimal(0))
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: True)
        assert trade.rules is not None
        assert (trade.rules.taker_fee, trade.rules.maker_fee) == (Decimal("0.0003"), Decimal(0))


async def test_fees_that_nobody_tells_are_the_usual_ones_and_keep_nothing_out(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        silent = {"text": "unavailable", "executed": "no", "paths": ["/fapi/v1/commissionRate"]}
        await at.venue.fault("unavailable", **silent)
        one = await at.executor()
        await one.ready()
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.protected_ms > 0)
        assert trade.rules is not None
        assert (trade.rules.taker_fee, trade.rules.maker_fee) == (USUAL_FEES.taker, USUAL_FEES.maker)
        assert one.executor.terms.fees == {}
