"""What an account is told on its user stream, with the venue's keys and types."""

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from services.exchange_simulator.symbols import SymbolRules
from services.exchange_simulator.trading.account import Account, Position
from services.exchange_simulator.trading.orders import ZERO, AlgoOrder, Fill, Order

Payload = dict[str, object]


class Told(NamedTuple):
    """An event for one account; `time_ms` is when the venue knew it."""

    account: Account
    time_ms: int
    payload: Payload


def plain(value: Decimal) -> str:
    """Without an exponent and without zeros that say nothing."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def fixed(value: Decimal, decimals: int) -> str:
    return f"{value:.{decimals}f}"


def order_update(order: Order, rules: SymbolRules, execution: str, fill: Fill | None, time_ms: int) -> Payload:
    """ORDER_TRADE_UPDATE. `execution`: NEW, TRADE, CANCELED, EXPIRED, AMENDMENT, CALCULATED (a fill of a forced order)."""
    request = order.request
    quantity = rules.quantity_decimals
    body: Payload = {
        "s": request.symbol,
        "c": request.client_id,
        "S": request.side,
        "o": request.kind,
        "f": request.time_in_force,
        "q": fixed(request.quantity, quantity),
        "p": plain(request.price),
        "ap": plain(order.average.quantize(Decimal("1E-8"))),
        "sp": plain(order.stop_price),
        "x": execution,
        "X": order.status,
        "i": order.order_id,
        "l": fixed(fill.quantity if fill else ZERO, quantity),
        "z": fixed(order.executed, quantity),
        "L": plain(fill.price if fill else ZERO),
        "T": time_ms,
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.is_maker if fill else False,
        "R": request.reduce_only,
        "wt": order.working_type,
        "ot": order.original_type,
        "ps": request.position_side,
        "cp": order.close_position,
        "rp": plain(fill.realised if fill else ZERO),
        "pP": order.price_protect,
        "si": 0,
        "ss": 0,
        "V": request.self_trade,
        "pm": "NONE",
        "gtd": request.good_till_ms,
        "er": str(order.expiry),
    }
    if fill is not None:
        body |= {"n": plain(fill.commission), "N": fill.commission_asset}
    if execution == "AMENDMENT":
        body["M"] = str(order.amendments)
    return {"e": "ORDER_TRADE_UPDATE", "T": time_ms, "E": time_ms + 3, "o": body}


def trade_lite(fill: Fill, rules: SymbolRules) -> Payload:
    """TRADE_LITE: the fill alone, sooner than the whole."""
    request = fill.order.request
    return {
        "e": "TRADE_LITE",
        "E": fill.time_ms + 1,
        "T": fill.time_ms,
        "s": request.symbol,
        "q": fixed(request.quantity, rules.quantity_decimals),
        "p": plain(request.price),
        "m": fill.is_maker,
        "c": request.client_id,
        "S": request.side,
        "L": plain(fill.price),
        "l": fixed(fill.quantity, rules.quantity_decimals),
        "t": fill.trade_id,
        "i": fill.order.order_id,
    }


def account_update(
    account: Account, reason: str, assets: Iterable[str], positions: Iterable[tuple[Position, Decimal]], time_ms: int
) -> Payload:
    """ACCOUNT_UPDATE of what has changed; positions with their marks. The change without profits and fees (`bc`) is none here."""
    balances = [
        {"a": asset, "wb": fixed(account.wallet(asset), 8), "cw": fixed(account.wallet(asset), 8), "bc": "0"}
        for asset in assets
    ]
    body: Payload = {"m": reason, "B": balances}
    held = [_position(account, position, mark) for position, mark in positions]
    if held:
        body["P"] = held
    return {"e": "ACCOUNT_UPDATE", "T": time_ms, "E": time_ms + 5, "a": body}


def _position(account: Account, position: Position, mark: Decimal) -> Payload:
    isolated = account.of(position.symbol).margin_type == "ISOLATED"
    return {
        "s": position.symbol,
        "pa": plain(position.amount),
        "ep": plain(position.entry.quantize(Decimal("1E-8"))),
        "bep": plain(position.break_even.quantize(Decimal("1E-8"))),
        "cr": plain(position.realised),
        "up": fixed(position.unrealised(mark), 8),
        "mt": "isolated" if isolated else "cross",
        "iw": "0",
        "ps": position.side,
    }


def leverage_update(symbol: str, leverage: int, time_ms: int) -> Payload:
    """ACCOUNT_CONFIG_UPDATE of a symbol's leverage."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": time_ms + 2, "T": time_ms, "ac": {"s": symbol, "l": leverage}}


def assets_mode_update(multi_assets: bool, time_ms: int) -> Payload:
    """ACCOUNT_CONFIG_UPDATE of the multi-assets mode."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": time_ms + 2, "T": time_ms, "ai": {"j": multi_assets}}


def margin_call(account: Account, positions: Iterable[tuple[Position, Decimal, Decimal]], time_ms: int) -> Payload:
    """MARGIN_CALL; positions with their marks and maintenance margins."""
    told = [
        {
            "s": position.symbol,
            "ps": position.side,
            "pa": plain(position.amount),
            "mt": account.of(position.symbol).margin_type,
            "iw": "0",
            "mp": plain(mark),
            "up": fixed(position.unrealised(mark), 8),
            "mm": fixed(maintenance, 8),
        }
        for position, mark, maintenance in positions
    ]
    return {"e": "MARGIN_CALL", "E": time_ms + 2, "cw": fixed(account.wallet(), 8), "p": told}


def algo_update(algo: AlgoOrder, rules: SymbolRules, time_ms: int) -> Payload:
    """ALGO_UPDATE. The actual order's id is a string, "" before the trigger; TRIGGERING tells nothing of the order."""
    request, order = algo.request, algo.order
    body: Payload = {
        "caid": request.client_id,
        "aid": algo.algo_id,
        "at": "CONDITIONAL",
        "o": request.kind,
        "s": request.symbol,
        "S": request.side,
        "ps": request.position_side,
        "f": request.time_in_force,
        "q": fixed(request.quantity, rules.quantity_decimals),
        "X": algo.status,
        "ai": "" if order is None else str(order.order_id),
        "tp": plain(request.trigger_price),
        "p": plain(request.price),
        "V": request.self_trade,
        "wt": request.working_type,
        "pm": "NONE",
        "cp": request.close_position,
        "pP": request.price_protect,
        "R": request.reduce_only,
        "tt": algo.triggered_ms,
        "gtd": request.good_till_ms,
    }
    if algo.status not in ("NEW", "TRIGGERING"):
        average = plain(order.average) if order is not None else "0"
        body |= {"ap": average, "aq": plain(order.executed) if order else "0", "act": request.order_type}
    if algo.reason:
        body["rm"] = algo.reason
    return {"e": "ALGO_UPDATE", "T": time_ms, "E": time_ms + 7, "o": body}
