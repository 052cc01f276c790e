"""From an event of a topic to the item that the stream's clients get, in the words of REST."""

from typing import Any, Literal

from libs.contracts.commands import CommandAnswered
from libs.contracts.event import Event
from libs.contracts.market import FeedStatusChanged, LiquidationObserved, MarkPriceObserved
from libs.contracts.signals import IndicatorComputed
from libs.contracts.trading import (
    ExecutorReported,
    LiveTradeChanged,
    OrderChanged,
    PaperTradeChanged,
    PositionChanged,
    RiskStateChanged,
)
from services.gateway.stream_items import (
    CommandTold,
    Executor,
    Features,
    Feed,
    ForcedOrder,
    LiveTradeNow,
    OrderNow,
    PaperFill,
    Position,
    Price,
    Risk,
)

_WINDOWS: tuple[Literal["5m", "30m", "4h"], ...] = ("5m", "30m", "4h")


def _same(kind: type[Any], event: Event, **other: Any) -> dict[str, Any]:
    """The fields of the item: `other` as it is, everything else has the same name in the event."""
    return {name: getattr(event, name) for name in kind.__struct_fields__ if name not in other} | other


def price(event: MarkPriceObserved) -> Price:
    """A mark price."""
    return Price(**_same(Price, event))


def forced_order(event: LiquidationObserved) -> ForcedOrder:
    """A liquidation, with whose it was and what it was worth."""
    whose = "long" if event.side == "SELL" else "short"
    return ForcedOrder(**_same(ForcedOrder, event, liquidated=whose, notional=event.quantity * event.average_price))


def features(event: IndicatorComputed) -> Features:
    """An evaluation, with the figures of its windows side by side."""
    windows = {window.window: window for window in event.windows}
    figures = {
        f"{figure}_{name}": getattr(windows.get(name), figure, None)
        for figure in ("cvd", "vwap", "coverage")
        for name in _WINDOWS
    }
    return Features(**_same(Features, event, **figures))


def paper_fill(event: PaperTradeChanged) -> PaperFill:
    """A fill on paper."""
    named = {
        "trade_id": event.position_id,
        "state": "closed" if event.state == "closed" else "open",
        "reason": event.exit_reason,
        "fill_price": event.price,
        "fill_quantity": event.quantity,
        "net": event.pnl_quote,
        "net_r": float(event.pnl_r),
    }
    return PaperFill(**_same(PaperFill, event, **named))


def live_trade(event: LiveTradeChanged) -> LiveTradeNow:
    """A trade; the event has one reason, which of a closed trade is that of its exit."""
    closed = event.state == "closed"
    named = {
        "reason": None if closed else event.reason,
        "exit_reason": event.reason if closed else None,
        "initial_risk": event.risk_quote,
        "entry_time_ms": event.entered_at_ms,
    }
    return LiveTradeNow(**_same(LiveTradeNow, event, **named))


def order(event: OrderChanged) -> OrderNow:
    """A step of an order."""
    return OrderNow(**_same(OrderNow, event, executed=event.filled_quantity, changed_at_ms=event.event_time_ms))


def position(event: PositionChanged) -> Position:
    """A position."""
    return Position(**_same(Position, event, unrealised=event.unrealised_pnl))


def executor(event: ExecutorReported) -> Executor:
    """A heartbeat, with what is held in the words of live trades."""
    held = tuple(map(live_trade, event.held))
    return Executor(**_same(Executor, event, held=held, reconciled_at_ms=event.reconciled_at_ms or None))


def risk(event: RiskStateChanged) -> Risk:
    """The guard's verdict."""
    return Risk(**_same(Risk, event))


def feed(event: FeedStatusChanged) -> Feed:
    """A report; a time that is not known is None."""
    named = {
        "live": event.is_live,
        "since_ms": _known(event.since_ms),
        "reported_ms": event.event_time_ms,
        "last_event_ms": _known(event.last_event_time_ms),
    }
    return Feed(**_same(Feed, event, **named))


def command(event: CommandAnswered) -> CommandTold:
    """The answer to a command."""
    return CommandTold(**_same(CommandTold, event, state="accepted" if event.accepted else "refused"))


def _known(time_ms: int) -> int | None:
    return None if time_ms < 0 else time_ms
