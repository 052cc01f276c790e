"""Rows and events of a move: complete, with deterministic ids, and the same however the time was cut."""

from dataclasses import replace
from decimal import Decimal

import msgspec

from libs.store.paper import PaperRows, PaperTrade
from libs.trading.outcome import Outcome
from services.paper_trader.core import Move, PaperCore
from services.paper_trader.rows import add_rows, events, trade_id
from tests.services.paper_trader.logs import BEGIN_MS
from tests.services.paper_trader.test_core import TERMS, written


def moves(*ends: int) -> list[Move]:
    """What the core does when so many evaluations of each partition are given at a time."""
    core, found = PaperCore.new(TERMS, [0, 1], BEGIN_MS), []
    for number, log in enumerate(written()):
        core.take_timeline(number, log.timeline)
        core.take_signals(number, log.signals)
    for share in (*ends, 100):
        for number, log in enumerate(written()):
            core.take_evaluations(number, log.evaluations[: len(log.evaluations) * share // 100])
        if (move := core.advance()) is not None:
            found.append(move)
    return found


def rows_of(found: list[Move]) -> PaperRows:
    rows = PaperRows()
    for move in found:
        add_rows(rows, move, TERMS)
    return rows


def outcomes(found: list[Move]) -> list[Outcome]:
    return [outcome for move in found for account in move.accounts for outcome in account.outcomes]


def test_rows_and_events_do_not_depend_on_the_cuts() -> None:
    once, often = moves(), moves(*range(5, 100, 3))
    assert len(often) > 10
    first, second = rows_of(once), rows_of(often)
    ended = {name: trade for name, trade in first.trades.items() if trade.state in ("closed", "not_taken")}
    assert len(ended) > 20
    assert {name: second.trades[name] for name in ended} == ended
    assert second.accounts == first.accounts
    told = [event for move in often for event in events(move)]
    assert sorted(told, key=lambda event: event.event_id) == sorted(events(once[0]), key=lambda event: event.event_id)


def test_a_closed_trade_says_everything() -> None:
    found = moves()
    outcome = next(each for each in outcomes(found) if len(each.exits) == 2)
    trade = rows_of(found).trades[trade_id(outcome.signal_id)]
    empty = {name for name in PaperTrade.__dataclass_fields__ if getattr(trade, name) is None}
    assert empty == {"stop_now", "price", "unrealised"}  # of positions that are open
    assert trade.net == trade.gross - trade.fees - trade.slippage - trade.funding  # type: ignore[operator]
    assert [step["state"] for step in trade.history] == ["signalled", "opened", "reduced", "closed"]
    assert [step["time_ms"] for step in trade.history] == [
        outcome.signal_time_ms,
        outcome.entry.time_ms,
        *(fill.time_ms for fill in outcome.exits),
    ]
    assert trade.order_time is not None
    assert trade.signal_time is not None
    assert (trade.order_time - trade.signal_time).total_seconds() == 0.25


def test_events_follow_the_life_of_a_position() -> None:
    found = moves()
    outcome = next(each for each in outcomes(found) if len(each.exits) == 2)
    told = [event for event in events(found[0]) if event.signal_id == outcome.signal_id]
    assert [(event.state, event.exit_reason) for event in told] == [
        ("opened", None),
        ("reduced", "take_profit_1"),
        ("closed", outcome.exit_reason),
    ]
    assert told[0].pnl_quote == -outcome.entry.fee
    assert told[2].pnl_quote == outcome.net
    assert abs(float(told[2].pnl_r) - outcome.net_r) < 1e-7
    assert len({event.event_id for event in events(found[0])}) == len(events(found[0]))


def test_a_trade_that_is_still_open_has_its_bracket_and_what_it_would_make() -> None:
    held = [trade for trade in rows_of(moves(40)[:1]).trades.values() if trade.state == "open"]
    assert held
    for trade in held:
        assert None not in (trade.stop_now, trade.price, trade.unrealised, trade.quantity_left, trade.hold_until)
        assert msgspec.json.decode(msgspec.json.encode(trade.fills))[0]["reason"] == "entry"
        assert Decimal(trade.fills[0]["price"]) == trade.entry_price


def test_a_signal_that_was_not_taken_says_why() -> None:
    refused = [trade for trade in rows_of(moves()).trades.values() if trade.state == "not_taken"]
    assert {trade.reason for trade in refused} >= {"symbol_locked", "max_positions"}
    assert all(trade.signal_price is not None for trade in refused)
    assert replace(refused[0], reason=None).history[0]["reason"] == refused[0].reason
