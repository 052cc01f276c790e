"""What a move of the accounts is in PostgreSQL and on the topic: pure, and the same for the same move."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from libs.contracts.identity import digest
from libs.contracts.signals import Direction, SignalScored
from libs.contracts.trading import PaperTradeChanged
from libs.store.instants import instant, known_instant
from libs.store.paper import EquityPoint, PaperAccount, PaperRows, PaperTrade
from libs.trading.open_positions import OpenPosition
from libs.trading.outcome import Fill, NotTaken, Outcome, profit_of_fills
from libs.trading.portfolio import PortfolioRules
from services.paper_trader.accounts import AccountMove, PaperTerms
from services.paper_trader.core import Move

_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_R_DIGITS = Decimal("0.00000001")


def trade_id(signal_id: str) -> str:
    """A signal is traded once on paper, by its own strategy's account."""
    return digest("paper_trade", signal_id)


def add_rows(rows: PaperRows, move: Move, terms: PaperTerms) -> None:
    """The rows of a move, over those of earlier ones."""
    until = instant(move.until_ms)
    for account in move.accounts:
        for trade in _trades(account, until):
            rows.trades[trade.trade_id] = replace(
                trade,
                order_time=None
                if trade.signal_time is None
                else trade.signal_time + dt.timedelta(milliseconds=terms.costs.latency_ms),
            )
        rows.accounts[account.strategy] = _account(account, until, terms.rules)
        curve = account.equity
        rows.equity += [
            EquityPoint(account.strategy, instant(int(time_ms)), float(equity), int(count), float(exposure))
            for time_ms, equity, count, exposure in zip(
                curve.time_ms, curve.equity, curve.open_positions, curve.exposure, strict=True
            )
        ]


def events(move: Move) -> list[PaperTradeChanged]:
    """What changed, in order of time; a repetition of the move gives the same events."""
    found = []
    for account in move.accounts:
        told = {position.signal_id: len(position.fills) for position in account.before}
        both: list[Outcome | OpenPosition] = [*account.outcomes, *account.positions]
        for each in both:
            fills = (each.entry, *each.exits) if isinstance(each, Outcome) else each.fills
            for number in range(told.get(each.signal_id, 0), len(fills)):
                found.append(_event(each, fills, number))
    return sorted(found, key=lambda event: (event.event_time_ms, event.position_id))


def realised(fills: Sequence[Fill], direction: Direction) -> Decimal:
    """What exits made against the entry's price, less all fees (quote units); without funding."""
    return profit_of_fills(direction, fills, Decimal(0)).net


def signal_slippage(entry: Fill, signal_price: Decimal, direction: Direction) -> Decimal:
    """What the entry gave away against the signal's price (quote units; below 0: it was better)."""
    return (1 if direction == "long" else -1) * (entry.price - signal_price) * entry.quantity


def _event(each: Outcome | OpenPosition, fills: Sequence[Fill], number: int) -> PaperTradeChanged:
    fill, closed = fills[number], isinstance(each, Outcome) and number == len(fills) - 1
    result = each.net if isinstance(each, Outcome) and closed else realised(fills[: number + 1], each.direction)
    return PaperTradeChanged(
        event_id=digest("paper_trade", each.signal_id, number),
        event_time_ms=fill.time_ms,
        position_id=trade_id(each.signal_id),
        signal_id=each.signal_id,
        strategy=each.strategy,
        symbol=each.symbol,
        direction=each.direction,
        state="closed" if closed else "reduced" if number else "opened",
        exit_reason=fill.reason if number else None,
        price=fill.price,
        quantity=fill.quantity,
        pnl_quote=result,
        pnl_r=(result / each.risk).quantize(_R_DIGITS, ROUND_HALF_EVEN),
    )


def _trades(account: AccountMove, until: dt.datetime) -> Iterator[PaperTrade]:
    before = {position.signal_id: position for position in account.before}
    for outcome in account.outcomes:
        known = before.get(outcome.signal_id) or account.signals[outcome.signal_id]
        yield replace(_closed(outcome), hold_until=known_instant(known.hold_until_ms))
    yield from (_held(position, until) for position in account.positions)
    for refusal in account.not_taken:
        signal = account.signals.get(refusal.signal_id)
        ordered = before.get(refusal.signal_id)
        yield _not_taken(refusal, signal, ordered)


def _closed(outcome: Outcome) -> PaperTrade:
    fills = (outcome.entry, *outcome.exits)
    left = sum((fill.quantity for fill in outcome.exits), Decimal(0))
    return PaperTrade(
        trade_id=trade_id(outcome.signal_id),
        signal_id=outcome.signal_id,
        strategy=outcome.strategy,
        symbol=outcome.symbol,
        state="closed",
        market_time=instant(outcome.exit_time_ms),
        version=outcome.version,
        direction=outcome.direction,
        reason=outcome.exit_reason,
        score=outcome.score,
        signal_time=instant(outcome.signal_time_ms),
        signal_price=outcome.signal_price,
        entry_time=instant(outcome.entry.time_ms),
        exit_time=instant(outcome.exit_time_ms),
        entry_price=outcome.entry.price,
        exit_price=sum((fill.price * fill.quantity for fill in outcome.exits), Decimal(0)) / left,
        quantity=outcome.entry.quantity,
        quantity_left=Decimal(0),
        stop_loss=outcome.stop_loss,
        take_profit_1=outcome.take_profit_1,
        take_profit_2=outcome.take_profit_2,
        risk=outcome.risk,
        gross=outcome.gross,
        fees=outcome.fees,
        slippage=outcome.slippage,
        signal_slippage=signal_slippage(outcome.entry, outcome.signal_price, outcome.direction),
        funding=outcome.funding,
        net=outcome.net,
        net_r=outcome.net_r,
        adverse_r=outcome.adverse_r,
        favourable_r=outcome.favourable_r,
        fills=[_fill(fill) for fill in fills],
        history=_history(outcome.signal_time_ms, fills, closed=True),
    )


def _held(position: OpenPosition, until: dt.datetime) -> PaperTrade:
    fills = position.fills
    entry = fills[0] if fills else None
    return PaperTrade(
        trade_id=trade_id(position.signal_id),
        signal_id=position.signal_id,
        strategy=position.strategy,
        symbol=position.symbol,
        state=position.state,
        market_time=until,
        version=position.version,
        direction=position.direction,
        score=position.score,
        signal_time=instant(position.signal_time_ms),
        signal_price=position.signal_price,
        hold_until=instant(position.hold_until_ms),
        entry_time=known_instant(None if entry is None else entry.time_ms),
        entry_price=None if entry is None else entry.price,
        quantity=position.quantity,
        quantity_left=position.left,
        stop_loss=position.stop_loss,
        stop_now=position.stop,
        take_profit_1=position.take_profit_1,
        take_profit_2=position.take_profit_2,
        risk=None if entry is None else position.risk,
        fees=sum((fill.fee for fill in fills), Decimal(0)),
        slippage=sum((fill.slippage for fill in fills), Decimal(0)),
        signal_slippage=None if entry is None else signal_slippage(entry, position.signal_price, position.direction),
        funding=position.funding,
        net=position.realised - position.funding,
        net_r=None if entry is None else float((position.realised - position.funding) / position.risk),
        price=position.price,
        unrealised=position.unrealised,
        fills=[_fill(fill) for fill in fills],
        history=_history(position.signal_time_ms, fills, closed=False),
    )


def _not_taken(refusal: NotTaken, signal: SignalScored | None, ordered: OpenPosition | None) -> PaperTrade:
    known: Any = signal or ordered
    time_ms = None if signal is None else signal.event_time_ms
    if ordered is not None:
        time_ms = ordered.signal_time_ms
    return PaperTrade(
        trade_id=trade_id(refusal.signal_id),
        signal_id=refusal.signal_id,
        strategy=refusal.strategy,
        symbol=refusal.symbol,
        state="not_taken",
        market_time=instant(refusal.time_ms),
        version=known.version if known is not None else None,
        direction=known.direction if known is not None else None,
        reason=refusal.reason,
        score=known.score if known is not None else None,
        signal_time=known_instant(time_ms),
        signal_price=ordered.signal_price if ordered is not None else signal.price if signal is not None else None,
        history=[{"state": "not_taken", "time_ms": refusal.time_ms, "reason": refusal.reason}],
    )


def _fill(fill: Fill) -> dict[str, Any]:
    """Decimals as text, so that none is rounded on its way."""
    return {
        "reason": fill.reason,
        "time_ms": fill.time_ms,
        **{name: str(getattr(fill, name)) for name in ("price", "quantity", "fee", "slippage")},
    }


def _history(signal_ms: int, fills: Sequence[Fill], *, closed: bool) -> list[dict[str, Any]]:
    """Every state with its market time (ms), from the signal on."""
    steps: list[dict[str, Any]] = [{"state": "signalled", "time_ms": signal_ms}]
    for number, fill in enumerate(fills):
        last = closed and number == len(fills) - 1
        state = "closed" if last else "reduced" if number else "opened"
        steps.append({"state": state, "time_ms": fill.time_ms, "reason": fill.reason})
    return steps


def _account(account: AccountMove, until: dt.datetime, rules: PortfolioRules) -> PaperAccount:
    risk = account.risk
    return PaperAccount(
        strategy=account.strategy,
        starting_balance=rules.starting_balance,
        risk_per_trade=rules.risk_per_trade,
        balance=risk.balance,
        unrealised=sum((position.unrealised for position in account.positions), Decimal(0)),
        open_positions=sum(position.state == "open" for position in account.positions),
        day=dt.date.fromordinal(_EPOCH_DAY + risk.day),
        day_realised=risk.realised,
        day_over=risk.day_over,
        level=risk.level,
        break_until=instant(risk.break_until_ms) if risk.level == "circuit_break" else None,
        market_time=until,
    )
