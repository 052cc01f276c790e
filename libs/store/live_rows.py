"""A live trade as rows: the document that the executor goes on from, and columns that people ask for, from the same facts."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from libs.store.instants import LATEST_INSTANT_MS, instant
from libs.trading.execution.books import LiveEvent, Obeyed
from libs.trading.execution.document import Fill, OurOrder, Trade
from libs.trading.execution.sums import profit_of_trade, r_multiple, slippage_bps, unvalued_fees

Row = dict[str, object]
_encoder = msgspec.json.Encoder(decimal_format="string", order="deterministic")


def packed(value: object) -> str:
    """JSON for a jsonb column: decimals as text. PostgreSQL knows no zero character: it is left out."""
    encoded = _encoder.encode(value).decode()
    return encoded if r"\u0000" not in encoded else _encoder.encode(_without_zeros(value)).decode()


def _without_zeros(value: object) -> object:
    def clean(found: Any) -> object:
        if isinstance(found, str):
            return plain(found)
        if isinstance(found, Mapping):
            return {plain(str(name)): clean(each) for name, each in found.items()}
        return [clean(each) for each in found] if isinstance(found, Sequence) else found

    return clean(msgspec.json.decode(_encoder.encode(value)))


def plain(text: str) -> str:
    """A text that a column takes."""
    return text.replace("\0", "")


def moment(time_ms: int) -> dt.datetime | None:
    """The instant; None for 0, which is "not yet", and for what no calendar has."""
    return instant(time_ms) if 0 < time_ms <= LATEST_INSTANT_MS else None


def trade_row(trade: Trade) -> Row:
    """Its row of `live_trades`."""
    bracket, times = trade.bracket, trade.times
    return {
        "account": trade.account,
        "trade_id": trade.trade_id,
        "signal_id": trade.trade_id if trade.origin == "signal" else None,
        "strategy": trade.strategy,
        "version": trade.version,
        "symbol": trade.symbol,
        "direction": trade.direction,
        "origin": trade.origin,
        "state": trade.state,
        "reason": _known(trade.reason),
        "exit_reason": _known(trade.exit_reason),
        "signal_time": moment(times.signal_ms),
        "readable_time": moment(times.readable_ms),
        "decided_time": moment(times.decided_ms),
        "sent_time": moment(times.sent_ms),
        "answered_time": moment(times.answered_ms),
        "entry_time": moment(times.first_fill_ms),
        "stop_sent_time": moment(times.stop_sent_ms),
        "protected_time": moment(times.protected_ms),
        "targets_time": moment(times.targets_ms),
        "exit_time": _exit_time(trade),
        "hold_until": None if bracket is None else moment(bracket.hold_until_ms),
        "signal_price": trade.signal_price,
        "stop": None if bracket is None else bracket.stop,
        "take_profit_1": None if bracket is None else bracket.take_profit_1,
        "take_profit_2": None if bracket is None else bracket.take_profit_2,
        "quantity": trade.quantity,
        "risk": trade.risk,
        "initial_risk": trade.initial_risk,
        "document": msgspec.Raw(packed(trade).encode()),
        **figures(trade),
    }


def _exit_time(trade: Trade) -> dt.datetime | None:
    """When it was over; a trade that is over was so at its last change, whatever else is not known of it."""
    if trade.times.flat_ms or not trade.is_final:
        return moment(trade.times.flat_ms)
    return moment(trade.history[-1].time_ms) if trade.history else None


def figures(trade: Trade) -> Row:
    """What its fills and its funding add up to: the columns that `perpstream pnl recalculate` makes anew."""
    profit = profit_of_trade(trade)
    return {
        "entry_price": profit.entry_average,
        "exit_price": profit.exit_average,
        "quantity_left": profit.left,
        "gross": profit.gross,
        "fees": profit.fees,
        "funding": profit.funding,
        "pnl_quote": profit.net,
        "pnl_r": r_multiple(trade, profit.net),
        "fees_unvalued": len(unvalued_fees(trade)),
        "slippage_bps": slippage_bps(trade, profit.entry_average),
    }


def order_row(trade: Trade, order: OurOrder) -> Row:
    """A row of `live_orders`."""
    return {
        "account": trade.account,
        "client_order_id": order.client_id,
        "trade_id": trade.trade_id,
        "symbol": trade.symbol,
        "leg": order.leg,
        "generation": order.generation,
        "side": order.side,
        "status": order.status,
        "quantity": order.quantity,
        "price": order.price,
        "trigger_price": order.trigger,
        "executed": order.executed,
        "reduce_only": order.reduce_only,
        "venue_id": order.venue_id,
        "order_id": order.order_id,
        "reason": _known(order.reason),
        "intended_at": moment(order.intended_ms),
        "valid_until": moment(order.valid_until_ms),
        "changed_at": moment(order.updated_ms),
    }


def fill_row(trade: Trade, fill: Fill) -> Row:
    """A row of `live_fills`."""
    return {
        "account": trade.account,
        "symbol": trade.symbol,
        "venue_trade_id": fill.trade_id,
        "trade_id": trade.trade_id,
        "order_id": fill.order_id,
        "client_order_id": plain(fill.client_id),
        "filled_by": fill.by,
        "leg": fill.leg,
        "side": fill.side,
        "price": fill.price,
        "quantity": fill.quantity,
        "fee": fill.fee,
        "fee_asset": fill.fee_asset,
        "fee_quote": fill.fee_quote,
        "realised": fill.realised,
        "is_maker": fill.is_maker,
        "fill_time": instant(fill.time_ms),
    }


def event_row(account: str, event: LiveEvent) -> Row:
    """A row of `live_events`."""
    return {
        "account": account,
        "event_id": event.event_id,
        "trade_id": event.trade_id,
        "kind": event.kind,
        "event_time": instant(event.time_ms),
        "detail": msgspec.Raw(packed(event.detail).encode()),
    }


def command_row(account: str, obeyed: Obeyed) -> Row:
    """A row of `live_commands`."""
    return {
        "account": account,
        "nonce": plain(obeyed.nonce),
        "command_id": plain(obeyed.command_id),
        "issuer": plain(obeyed.issuer),
        "command": plain(obeyed.command),
        "arguments": packed(obeyed.arguments),
        "reason": plain(obeyed.reason),
        "accepted": obeyed.accepted,
        "result": plain(obeyed.result),
        "obeyed_at": instant(obeyed.time_ms),
        "expires_at": instant(min(obeyed.expires_ms, LATEST_INSTANT_MS)),
    }


def _known(text: str | None) -> str | None:
    return None if text is None else plain(text)
