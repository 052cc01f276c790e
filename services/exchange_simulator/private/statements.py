"""What has happened to an account: its trades, and the statement of its income."""

from libs.kit.durations import DAY_MS
from services.exchange_simulator.private.calls import Call, SignedEndpoint
from services.exchange_simulator.private.orders import span_of
from services.exchange_simulator.private.shapes import Body, order_found, trade
from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.rest.venue import with_or_without_symbol
from services.exchange_simulator.trading.events import fixed
from services.exchange_simulator.trading.orders import ADL, LIQUIDATED

_KEPT_MS = 92 * DAY_MS


def user_trades(call: Call) -> list[Body]:
    """GET /fapi/v1/userTrades: from an id on, or of a span of time; without either the newest."""
    symbol, asked = call.symbol(), call.parameters
    order, first, limit = asked.integer("orderId"), asked.integer("fromId"), asked.limit(500, 1000)
    if first is not None and (asked.text("startTime") or asked.text("endTime")):
        raise VenueError(-1128, "Combination of optional parameters invalid.")
    start, end = span_of(call)
    found = [one for one in call.account.book.fills if one.order.request.symbol == symbol]
    found = [one for one in found if order in (None, one.order.order_id) and one.time_ms >= call.at - _KEPT_MS]
    if first is not None:
        found = [one for one in found if one.trade_id >= first][:limit]
    else:
        found = [one for one in found if start <= one.time_ms <= end]
        found = found[:limit] if asked.text("startTime") else found[-limit:]
    return [trade(one, call.rules(symbol)) for one in found]


def income(call: Call) -> list[Body]:
    """GET /fapi/v1/income: ascending, seven days by default, three months at most."""
    asked, symbol = call.parameters, call.optional_symbol()
    kind, limit, page = asked.text("incomeType"), asked.limit(100, 1000), asked.integer("page") or 1
    start, end = asked.span()
    first = max(call.at - _KEPT_MS, call.at - 7 * DAY_MS if start is None else start)
    last = call.at if end is None else end
    found = [
        one
        for one in call.account.income
        if symbol in (None, one.symbol) and kind in (None, one.kind) and first <= one.time_ms <= last
    ]
    pages = found[(page - 1) * limit : page * limit] if start is not None or page > 1 else found[-limit:]
    return [
        {
            "symbol": one.symbol,
            "incomeType": one.kind,
            "income": fixed(one.amount, 8),
            "asset": one.asset,
            "info": one.kind if one.trade_id is None else str(one.trade_id),
            "time": one.time_ms,
            "tranId": one.transaction,
            "tradeId": "" if one.trade_id is None else str(one.trade_id),
        }
        for one in pages
    ]


def forced_orders(call: Call) -> list[Body]:
    """GET /fapi/v1/forceOrders: liquidations and ADL of the account."""
    asked, symbol = call.parameters, call.optional_symbol()
    kind, limit = asked.text("autoCloseType"), asked.limit(50, 100)
    start, end = span_of(call)
    begins = (ADL, LIQUIDATED) if kind is None else ADL if kind == "ADL" else LIQUIDATED
    found = [
        one
        for one in call.account.book.orders.values()
        if one.is_forced
        and symbol in (None, one.request.symbol)
        and one.request.client_id.startswith(begins)
        and start <= one.created_ms <= end
    ]
    return [order_found(one, call.rules(one.request.symbol)) for one in found[-limit:]]


ENDPOINTS = (
    SignedEndpoint("GET", "/fapi/v1/userTrades", user_trades, 5),
    SignedEndpoint("GET", "/fapi/v1/income", income, 30),
    SignedEndpoint("GET", "/fapi/v1/forceOrders", forced_orders, with_or_without_symbol(20, 50)),
)
