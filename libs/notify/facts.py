"""What rules see of an event: one fact with a kind, named values, and words that a person reads when a rule says none.

Values are text, numbers or true and false, by the names that `KINDS` lists; a rule or template can use no others. `state`: of
what is told again and again (heartbeats, health): only another state than before is news. None: each event is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from libs.contracts.event import Event
from libs.contracts.market import FeedStatusChanged, TradeGapChanged
from libs.contracts.signals import SignalScored
from libs.contracts.trading import (
    AlertRaised,
    LiveTradeChanged,
    OrderChanged,
    PaperTradeChanged,
    PositionChanged,
    RiskStateChanged,
)
from libs.notify import Severity

Value = str | float | bool
KINDS: Mapping[str, tuple[str, ...]] = {
    "signal": (
        "strategy",
        "version",
        "symbol",
        "direction",
        "state",
        "reason",
        "score",
        "threshold",
        "price",
        "sentence",
    ),
    "order": ("account", "symbol", "leg", "side", "status", "quantity", "price", "reason"),
    "trade": ("account", "strategy", "symbol", "direction", "state", "reason", "pnl", "pnl_r", "slippage_bps"),
    "paper": ("strategy", "symbol", "direction", "state", "reason", "price", "quantity", "pnl", "pnl_r"),
    "position": ("account", "symbol", "side", "protected", "quantity", "unrealised_pnl"),
    "risk": ("account", "level", "paused", "entries_allowed", "daily_pnl_r", "reason"),
    "feed": ("feed", "symbol", "state", "detail"),
    "gap": ("symbol", "outcome", "missing", "cause"),
    "alert": ("source", "severity", "title", "detail"),
}
"""The values of each kind. All have `severity`, `kind` and `event` (its id) besides."""
COMMON = ("severity", "kind", "event")


@dataclass(frozen=True, slots=True)
class Picture:
    """Which hours to draw: of `symbol`, up to `until_ms`; `levels`: prices by name."""

    symbol: str
    until_ms: int
    levels: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """`subject`: what it is about, for change; `facts`: short ones for people; `time_ms`: of the event. `calm`: a state that is
    no news when it is the first that is ever seen of the subject."""

    event_id: str
    kind: str
    subject: str
    severity: Severity
    time_ms: int
    title: str
    text: str
    values: Mapping[str, Value]
    facts: Mapping[str, str] = field(default_factory=dict)
    state: str | None = None
    calm: bool = False
    picture: Picture | None = None


def fact_of(event: Event) -> Fact | None:
    """What rules see of an event; None for one that is none of theirs."""
    read = _READ.get(type(event))
    return None if read is None else read(event)


def shown(number: Decimal | float | None, digits: int = 2) -> str:
    """A number for people: thousands apart, no more decimals than it has."""
    if number is None:
        return "-"
    if isinstance(number, Decimal):
        return f"{number.normalize():,f}"
    return f"{number:,.{digits}f}"


def _signed(number: Decimal | float | None, unit: str = "") -> str:
    if number is None:
        return "-"
    return f"{number:+,.2f}{unit}"


def _number(number: Decimal | None) -> float:
    return 0.0 if number is None else float(number)


def _signal(event: SignalScored) -> Fact:
    levels = {"target 2": event.take_profit_2, "target 1": event.take_profit_1, "stop": event.stop_loss}
    known = {name: level for name, level in levels.items() if level is not None}
    verdict = f"{event.direction} {event.score:.0f}" if event.state == "emitted" else f"not taken: {event.reason}"
    strongest = sorted(event.contributions, key=lambda one: -abs(one.contribution))[:4]
    return Fact(
        event_id=event.event_id,
        kind="signal",
        subject=f"signal:{event.strategy}:{event.symbol}",
        severity="info",
        time_ms=event.event_time_ms,
        title=f"{event.symbol} {verdict} · {event.strategy}",
        text=event.sentence,
        values={
            "strategy": event.strategy,
            "version": float(event.version),
            "symbol": event.symbol,
            "direction": event.direction,
            "state": event.state,
            "reason": event.reason or "",
            "score": event.score,
            "threshold": event.threshold,
            "price": float(event.price),
            "sentence": event.sentence,
        },
        facts={
            "price": shown(event.price),
            **{name: shown(level) for name, level in known.items()},
            **{one.factor.replace("_", " "): f"{one.contribution:+.2f}" for one in strongest if one.contribution},
        },
        picture=Picture(event.symbol, event.event_time_ms, {"price": event.price, **known}),
    )


def _order(event: OrderChanged) -> Fact:
    grave = event.status in ("rejected", "expired", "unknown")
    size = "the whole position" if event.quantity is None else shown(event.quantity)
    price = event.price if event.price is not None else event.trigger_price
    return Fact(
        event_id=event.event_id,
        kind="order",
        subject=f"order:{event.account}:{event.symbol}",
        severity="warning" if grave else "info",
        time_ms=event.event_time_ms,
        title=f"{event.symbol} {event.leg.replace('_', ' ')} {event.status.replace('_', ' ')}",
        text=f"{event.side} {size}{f' at {shown(price)}' if price is not None else ''}, account {event.account}",
        values={
            "account": event.account,
            "symbol": event.symbol,
            "leg": event.leg,
            "side": event.side,
            "status": event.status,
            "quantity": _number(event.quantity),
            "price": _number(price),
            "reason": event.reason or "",
        },
        facts={"reason": event.reason} if event.reason else {},
    )


def _trade(event: LiveTradeChanged) -> Fact:
    facts = {"entry": event.entry_price, "exit": event.exit_price, "stop": event.stop, "left": event.quantity_left}
    result = "" if event.state not in ("closed", "closing") else f" {_signed(event.pnl_quote)} USD"
    return Fact(
        event_id=event.event_id,
        kind="trade",
        subject=f"trade:{event.account}:{event.symbol}",
        severity="info",
        time_ms=event.event_time_ms,
        title=f"{event.symbol} {event.direction} {event.state.replace('_', ' ')}{result}",
        text=f"account {event.account}, {event.strategy or 'by hand'}{f': {event.reason}' if event.reason else ''}",
        values={
            "account": event.account,
            "strategy": event.strategy,
            "symbol": event.symbol,
            "direction": event.direction,
            "state": event.state,
            "reason": event.reason or "",
            "pnl": float(event.pnl_quote),
            "pnl_r": _number(event.pnl_r),
            "slippage_bps": _number(event.slippage_bps),
        },
        facts={
            **{name: shown(value) for name, value in facts.items() if value},
            **({"result": _signed(event.pnl_r, " R")} if event.pnl_r is not None else {}),
        },
        # What a fill or a moved stop changes is told as such elsewhere: here it is what became of the trade.
        state=f"{event.trade_id}:{event.state}",
    )


def _paper(event: PaperTradeChanged) -> Fact:
    result = "" if event.state == "opened" else f" {_signed(event.pnl_r, ' R')}"
    return Fact(
        event_id=event.event_id,
        kind="paper",
        subject=f"paper:{event.strategy}:{event.symbol}",
        severity="info",
        time_ms=event.event_time_ms,
        title=f"paper: {event.symbol} {event.direction} {event.state}{result}",
        text=f"{event.strategy}{f': {event.exit_reason}' if event.exit_reason else ''}",
        values={
            "strategy": event.strategy,
            "symbol": event.symbol,
            "direction": event.direction,
            "state": event.state,
            "reason": event.exit_reason or "",
            "price": float(event.price),
            "quantity": float(event.quantity),
            "pnl": float(event.pnl_quote),
            "pnl_r": float(event.pnl_r),
        },
        facts={
            "price": shown(event.price),
            "quantity": shown(event.quantity),
            "result": _signed(event.pnl_quote, " USD"),
        },
    )


def _position(event: PositionChanged) -> Fact:
    side = "long" if event.quantity > 0 else "short" if event.quantity < 0 else "flat"
    bare = side != "flat" and not event.protected
    return Fact(
        event_id=event.event_id,
        kind="position",
        subject=f"position:{event.account}:{event.symbol}",
        severity="warning" if bare else "info",
        time_ms=event.event_time_ms,
        title=f"{event.symbol} is {side}{' without a stop' if bare else ''}",
        text=f"account {event.account}, {shown(abs(event.quantity))} at {shown(event.entry_price)}",
        values={
            "account": event.account,
            "symbol": event.symbol,
            "side": side,
            "protected": event.protected,
            "quantity": float(event.quantity),
            "unrealised_pnl": float(event.unrealised_pnl),
        },
        state=f"{side}:{event.protected}",
    )


def _risk(event: RiskStateChanged) -> Fact:
    severity: Severity = "info"
    if event.level != "normal":
        severity = "critical" if event.level == "circuit_break" else "warning"
    reason = "; ".join(event.reasons)
    paused = ", paused by a person" if event.paused else ""
    return Fact(
        event_id=event.event_id,
        kind="risk",
        subject=f"risk:{event.account}",
        severity=severity,
        time_ms=event.event_time_ms,
        title=f"risk of {event.account}: {event.level.replace('_', ' ')}{paused}",
        text=reason or ("entries are allowed" if event.entries_allowed else "entries are not allowed"),
        values={
            "account": event.account,
            "level": event.level,
            "paused": event.paused,
            "entries_allowed": event.entries_allowed,
            "daily_pnl_r": float(event.daily_pnl_r),
            "reason": reason,
        },
        facts={"today": _signed(event.daily_pnl_r, " R")},
        state=f"{event.level}:{event.paused}:{event.break_number}",
        calm=event.level == "normal" and not event.paused,
    )


def _feed(event: FeedStatusChanged) -> Fact:
    return Fact(
        event_id=event.event_id,
        kind="feed",
        subject=f"feed:{event.feed}:{event.symbol}",
        severity="info" if event.state in ("live", "starting", "halted") else "warning",
        time_ms=event.event_time_ms,
        title=f"{event.feed} of {event.symbol}: {event.state}",
        text=event.detail,
        values={"feed": event.feed, "symbol": event.symbol, "state": event.state, "detail": event.detail},
        state=event.state,
        calm=event.state in ("starting", "live"),
    )


def _gap(event: TradeGapChanged) -> Fact:
    missing = event.last_missing_id - event.first_missing_id + 1
    return Fact(
        event_id=event.event_id,
        kind="gap",
        subject=f"gap:{event.symbol}",
        severity="warning" if event.outcome == "lost" else "info",
        time_ms=event.event_time_ms,
        title=f"{event.symbol}: {missing:,} trades {event.outcome.replace('_', ' ')}",
        text=f"{event.cause}; aggregate ids {event.first_missing_id} to {event.last_missing_id}",
        values={"symbol": event.symbol, "outcome": event.outcome, "missing": float(missing), "cause": event.cause},
    )


def _alert(event: AlertRaised) -> Fact:
    return Fact(
        event_id=event.event_id,
        kind="alert",
        subject=f"alert:{event.source}",
        severity=event.severity,
        time_ms=event.event_time_ms,
        title=event.title,
        text=event.detail,
        values={"source": event.source, "severity": event.severity, "title": event.title, "detail": event.detail},
        facts={"from": event.source, **({"runbook": event.runbook} if event.runbook else {})},
    )


_READ: Mapping[type[Event], Callable[[Any], Fact]] = {
    SignalScored: _signal,
    OrderChanged: _order,
    LiveTradeChanged: _trade,
    PaperTradeChanged: _paper,
    PositionChanged: _position,
    RiskStateChanged: _risk,
    FeedStatusChanged: _feed,
    TradeGapChanged: _gap,
    AlertRaised: _alert,
}
