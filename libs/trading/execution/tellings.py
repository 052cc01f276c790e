"""What others are told of a trade: events from the document before and after, each with an id that is made of what it says."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from libs.contracts.identity import digest
from libs.contracts.trading import AlertRaised, LiveTradeChanged, OrderChanged, PositionChanged
from libs.trading.execution.document import ZERO, Fill, OurOrder, Trade
from libs.trading.execution.sums import holding_of, last_trade_ms, profit_of_trade, r_multiple, slippage_bps

RUNBOOK = "docs/trading.md"
SOURCE = "executor"
_STOPS = frozenset(("stop", "bridge"))
_FORCED = {"liquidation": "Liquidated", "adl": "Reduced by auto-deleveraging", "settlement": "Settled by the venue"}


@dataclass(frozen=True, slots=True)
class Told:
    """Events, each kind in the order in which things became so."""

    trades: tuple[LiveTradeChanged, ...] = ()
    orders: tuple[OrderChanged, ...] = ()
    positions: tuple[PositionChanged, ...] = ()
    alerts: tuple[AlertRaised, ...] = ()


def told(before: Trade | None, after: Trade) -> Told:
    """What has become different; `before` None: everything, as when a start tells again what it has found in the books."""
    trade, position = trade_event(after), position_event(after)
    known = {} if before is None else {order.client_id: order for order in before.orders}
    orders = (order_event(after, order) for order in after.orders if known.get(order.client_id) != order)
    old_orders = set() if before is None else {order_event(before, order).event_id for order in before.orders}
    is_new = before is None or trade_event(before).event_id != trade.event_id
    moved = after.state != "refused" and (before is None or position_event(before).event_id != position.event_id)
    return Told(
        trades=(trade,) if is_new else (),
        orders=tuple(event for event in orders if event.event_id not in old_orders),
        positions=(position,) if moved else (),
        alerts=tuple(_alerts(before, after)),
    )


def trade_event(trade: Trade) -> LiveTradeChanged:
    """The trade as it is now."""
    holding, profit = holding_of(trade), profit_of_trade(trade)
    bracket = trade.bracket
    stop = None if bracket is None else bracket.stop
    net = profit.net
    return LiveTradeChanged(
        event_id=digest(
            "live_trade", trade.account, trade.trade_id, trade.state, holding.entered, holding.exited, stop, net
        ),
        event_time_ms=changed_ms(trade),
        account=trade.account,
        trade_id=trade.trade_id,
        strategy=trade.strategy,
        symbol=trade.symbol,
        direction=trade.direction,
        state=trade.state,
        reason=trade.exit_reason or trade.reason,
        quantity=holding.entered or trade.quantity,
        quantity_left=holding.left if trade.state != "closed" else ZERO,
        entry_price=profit.entry_average,
        exit_price=profit.exit_average,
        stop=stop,
        take_profit_1=None if bracket is None else bracket.take_profit_1,
        take_profit_2=None if bracket is None else bracket.take_profit_2,
        risk_quote=trade.initial_risk,
        pnl_quote=net,
        pnl_r=r_multiple(trade, net),
        slippage_bps=slippage_bps(trade, profit.entry_average),
        entered_at_ms=trade.times.first_fill_ms or None,
        hold_until_ms=None if bracket is None else bracket.hold_until_ms,
    )


def order_event(trade: Trade, order: OurOrder) -> OrderChanged:
    """One of its orders as it is now."""
    number = order.order_id if order.order_id is not None else order.venue_id
    return OrderChanged(
        event_id=digest(
            "live_order", trade.account, order.client_id, order.status, order.executed, number, order.attempts
        ),
        event_time_ms=order.updated_ms,
        account=trade.account,
        client_order_id=order.client_id,
        trade_id=trade.trade_id,
        leg=order.leg,
        symbol=trade.symbol,
        side=order.side,
        status=order.status,
        quantity=order.quantity,
        price=order.price,
        trigger_price=order.trigger,
        filled_quantity=order.executed,
        reduce_only=order.reduce_only,
        venue_order_id=None if number is None else str(number),
        reason=order.reason,
    )


def position_event(trade: Trade) -> PositionChanged:
    """What it holds now, by the books. Marks and what is unrealised by them are the venue's to say: none, and 0, here."""
    held = signed_quantity(trade)
    average = profit_of_trade(trade).entry_average
    protected = is_protected(trade)
    return PositionChanged(
        event_id=digest("live_position", trade.account, trade.trade_id, held, average, protected),
        event_time_ms=changed_ms(trade),
        account=trade.account,
        symbol=trade.symbol,
        quantity=held,
        entry_price=average if held else None,
        mark_price=None,
        unrealised_pnl=ZERO,
        protected=protected,
        signal_id=trade.trade_id if trade.origin == "signal" else None,
    )


def signed_quantity(trade: Trade) -> Decimal:
    """What is held, base units, below 0 for a short."""
    left = ZERO if trade.is_final else holding_of(trade).left
    return left if trade.direction == "long" else -left


def is_protected(trade: Trade) -> bool:
    """Whether nothing is held, or a stop of ours stands for all of it."""
    left = ZERO if trade.is_final else holding_of(trade).left
    standing = (one for one in trade.orders if one.leg in _STOPS and one.status == "new" and not one.triggered_ms)
    return not left or any(one.quantity is None or one.quantity >= left for one in standing)


def changed_ms(trade: Trade) -> int:
    """When something of it last became different, as far as the document says; the same for the same document."""
    orders = (max(order.updated_ms, order.intended_ms) for order in trade.orders)
    states = (change.time_ms for change in trade.history)
    return max([*orders, *states, last_trade_ms(trade), trade.times.decided_ms])


def _alerts(before: Trade | None, after: Trade) -> list[AlertRaised]:
    wishes = () if before is None else before.closes
    fills = set() if before is None else {fill.trade_id for fill in before.fills}
    alerts = [
        _alert(after, wish.since_ms, "critical", "A stop could not be placed", "the position is closed at market")
        for wish in after.closes
        if wish.reason == "stop_failed" and wish not in wishes
    ]
    alerts += [_forced(after, fill) for fill in after.fills if fill.by in _FORCED and fill.trade_id not in fills]
    if after.exit_reason == "unexplained" and (before is None or before.exit_reason != "unexplained"):
        detail = "the position is gone, and the fills of the account do not say how"
        alerts.append(_alert(after, after.times.flat_ms, "critical", "A position is gone", detail))
    return alerts


def _forced(trade: Trade, fill: Fill) -> AlertRaised:
    return _alert(trade, fill.time_ms, "critical", _FORCED[fill.by], f"{fill.quantity} at {fill.price}")


def _alert(trade: Trade, at_ms: int, severity: Literal["warning", "critical"], title: str, detail: str) -> AlertRaised:
    return AlertRaised(
        event_id=digest("alert", SOURCE, trade.account, trade.trade_id, title, at_ms),
        event_time_ms=at_ms,
        severity=severity,
        source=SOURCE,
        title=f"{title}: {trade.symbol}",
        detail=f"{trade.account}, trade {trade.trade_id}: {detail}",
        runbook=RUNBOOK,
    )
