"""/fapi/v1/order and its kin: new, changed, queried, cancelled, one by one and in batches."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import get_args

from libs.kit.durations import DAY_MS
from services.exchange_simulator.private.calls import Call, SignedEndpoint
from services.exchange_simulator.private.parameters import TradeParameters
from services.exchange_simulator.private.shapes import Body, order_answer, order_found
from services.exchange_simulator.rest.errors import VenueError, invalid_value, missing
from services.exchange_simulator.rest.venue import with_or_without_symbol
from services.exchange_simulator.trading.commands import AmendOrder, CancelAll, CancelOrder, CountDown, PlaceOrder
from services.exchange_simulator.trading.entry import Moment, check_order
from services.exchange_simulator.trading.orders import (
    ZERO,
    AlgoType,
    Order,
    OrderRequest,
    OrderType,
    PositionSide,
    SelfTrade,
    Side,
    TimeInForce,
)

MOST_IN_BATCH = 5
# A cancelled or expired order without a fill is forgotten after this time, any other one later.
_EMPTY_KEPT_MS, _KEPT_MS = 3 * DAY_MS, 90 * DAY_MS
_LONGEST_SPAN_MS = 7 * DAY_MS
_UNKNOWN = VenueError(-2013, "Order does not exist.")
_GONE = VenueError(-2011, "Unknown order sent.")


# --- reading ----------------------------------------------------------------------------------------------------------


def order_request(call: Call) -> OrderRequest:
    """The order that the parameters describe. Raises `VenueError`; -4120 for the types that are algo orders."""
    asked = call.parameters
    symbol = call.symbol()
    side = asked.choice("side", get_args(Side), None, VenueError(-1117, "Invalid side."))
    if (asked.text("type") or "").upper() in get_args(AlgoType):
        message = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
        raise VenueError(-4120, message)
    kind: OrderType = asked.choice("type", get_args(OrderType), None, VenueError(-1116, "Invalid orderType."))
    side_refusal = VenueError(-4060, "Invalid position side.")
    position_side: PositionSide = asked.choice("positionSide", get_args(PositionSide), "BOTH", side_refusal)
    quantity = asked.mandatory_decimal("quantity")
    price, good_till = ZERO, 0
    force: TimeInForce = "GTC"
    if kind == "MARKET":
        asked.refuse("timeInForce", "price")
    else:
        force = asked.choice("timeInForce", get_args(TimeInForce), None, VenueError(-1115, "Invalid timeInForce."))
        asked.choice("priceMatch", ("NONE",), "NONE")
        price = asked.mandatory_decimal("price")
    if force == "GTD":
        good_till = asked.mandatory_integer("goodTillDate") // 1000 * 1000
    if call.account.hedged:
        asked.refuse("reduceOnly")
    return OrderRequest(
        symbol,
        side,
        position_side,
        kind,
        quantity,
        price,
        force,
        asked.boolean("reduceOnly"),
        asked.client_id("newClientOrderId"),
        asked.choice("selfTradePreventionMode", get_args(SelfTrade), "EXPIRE_MAKER"),
        good_till,
    )


def find_order(call: Call, gone: VenueError) -> Order:
    """The order of orderId or origClientOrderId; of several with one client id the newest. Raises -1102, or `gone`."""
    asked, symbol = call.parameters, call.symbol()
    number, name = asked.integer("orderId"), asked.text("origClientOrderId")
    if number is None and name is None:
        both = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        raise VenueError(-1102, both)
    if number is not None:
        found = call.account.book.orders.get(number)
    else:
        alike = (one for one in reversed(call.account.book.orders.values()) if one.request.client_id == name)
        found = next((one for one in alike if one.request.symbol == symbol), None)
    if found is None or found.request.symbol != symbol or is_forgotten(found, call.at):
        raise gone
    return found


def is_forgotten(order: Order, now_ms: int) -> bool:
    """Whether the venue does not tell of it any more."""
    if order.is_open:
        return False
    empty = not order.executed and order.status in ("CANCELED", "EXPIRED")
    return now_ms - order.updated_ms > (_EMPTY_KEPT_MS if empty else _KEPT_MS)


def span_of(call: Call) -> tuple[int, int]:
    """startTime and endTime, seven days at most, by default the last seven. Raises -4166 for more."""
    start, end = call.parameters.span()
    if start is not None and end is not None and end - start > _LONGEST_SPAN_MS:
        raise VenueError(-4166, "Search window is restricted to recent 7 days only.")
    if start is None:
        return (call.at if end is None else end) - _LONGEST_SPAN_MS, call.at if end is None else end
    return start, start + _LONGEST_SPAN_MS if end is None else end


# --- one order --------------------------------------------------------------------------------------------------------


def new_order(call: Call) -> Body:
    """POST /fapi/v1/order."""
    response = call.parameters.choice("newOrderRespType", ("ACK", "RESULT"), "ACK")
    request = order_request(call)
    order = call.house.do(PlaceOrder(at=call.at, account=call.account.name, request=request))
    assert isinstance(order, Order), "what placing gives"
    return order_answer(order, call.rules(request.symbol), at_first=response == "ACK")


def check_only(call: Call) -> Body:
    """POST /fapi/v1/order/test: everything is checked, nothing is done."""
    request, exchange = order_request(call), call.house.exchange
    moment: Moment = exchange.moment(request.symbol, call.at)
    check_order(exchange.clearing, call.account, request, moment)
    return order_answer(Order(0, request, call.at, call.at, request.kind), call.rules(request.symbol))


def get_order(call: Call) -> Body:
    """GET /fapi/v1/order."""
    order = find_order(call, _UNKNOWN)
    return order_found(order, call.rules(order.request.symbol))


def get_open_order(call: Call) -> Body:
    """GET /fapi/v1/openOrder."""
    order = find_order(call, _UNKNOWN)
    if not order.is_open:
        raise _UNKNOWN
    return order_found(order, call.rules(order.request.symbol))


def cancel_order(call: Call) -> Body:
    """DELETE /fapi/v1/order."""
    order = find_order(call, _GONE)
    call.house.do(CancelOrder(at=call.at, account=call.account.name, order_id=order.order_id))
    return order_answer(order, call.rules(order.request.symbol))


def amend_order(call: Call) -> Body:
    """PUT /fapi/v1/order."""
    order = find_order(call, _UNKNOWN)
    asked = call.parameters
    side = asked.choice("side", get_args(Side), None, VenueError(-1117, "Invalid side."))
    if side != order.request.side:
        raise invalid_value("side")
    asked.choice("priceMatch", ("NONE",), "NONE")
    quantity, price = asked.mandatory_decimal("quantity"), asked.mandatory_decimal("price")
    wanted: dict[str, Decimal] = {"quantity": quantity, "price": price}
    call.house.do(AmendOrder(at=call.at, account=call.account.name, order_id=order.order_id, **wanted))
    return order_answer(order, call.rules(order.request.symbol))


# --- many orders ------------------------------------------------------------------------------------------------------


def open_orders(call: Call) -> list[Body]:
    """GET /fapi/v1/openOrders; conditional orders are not among them."""
    found = call.account.book.open_orders(call.optional_symbol())
    return [order_found(one, call.rules(one.request.symbol)) for one in found]


def all_orders(call: Call) -> list[Body]:
    """GET /fapi/v1/allOrders: from an id on, or of a span of time; without either the newest."""
    symbol, first = call.optional_symbol(), call.parameters.integer("orderId")
    limit = call.parameters.limit(500, 1000)
    start, end = span_of(call)
    of_symbol = [one for one in call.account.book.orders.values() if symbol in (None, one.request.symbol)]
    known = [one for one in of_symbol if not is_forgotten(one, call.at)]
    if first is not None:
        found = [one for one in known if one.order_id >= first][:limit]
    else:
        found = [one for one in known if start <= one.created_ms <= end]
        found = found[:limit] if call.parameters.text("startTime") else found[-limit:]
    return [order_found(one, call.rules(one.request.symbol)) for one in found]


def cancel_all_orders(call: Call) -> Body:
    """DELETE /fapi/v1/allOpenOrders."""
    call.house.do(CancelAll(at=call.at, account=call.account.name, symbol=call.symbol()))
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def count_down(call: Call) -> Body:
    """POST /fapi/v1/countdownCancelAll."""
    symbol, after_ms = call.symbol(), call.parameters.mandatory_integer("countdownTime")
    call.house.do(CountDown(at=call.at, account=call.account.name, symbol=symbol, after_ms=after_ms))
    return {"symbol": symbol, "countdownTime": str(after_ms)}


def _each(call: Call, rows: list[Mapping[str, object]], act: Callable[[Call], Body]) -> list[Body]:
    """One call a row; one that is refused does not touch the others."""
    if not 1 <= len(rows) <= MOST_IN_BATCH:
        raise VenueError(-4082, "Invalid number of batch place orders.")
    answers: list[Body] = []
    for row in rows:
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in row.items()}
        try:
            answers.append(act(replace(call, parameters=TradeParameters(texts))))
        except VenueError as error:
            answers.append({"code": error.code, "msg": error.message})
    return answers


def _rows(parameters: TradeParameters, name: str) -> list[object]:
    """A parameter that is a JSON list. Raises -1102 or -1130."""
    text = parameters.text(name)
    if text is None:
        raise missing(name)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid_value(name) from None
    if not isinstance(found, list):
        raise invalid_value(name)
    return found


def _batch(call: Call) -> list[Mapping[str, object]]:
    rows = _rows(call.parameters, "batchOrders")
    if not all(isinstance(row, dict) for row in rows):
        raise invalid_value("batchOrders")
    return [row for row in rows if isinstance(row, dict)]


def new_batch(call: Call) -> list[Body]:
    """POST /fapi/v1/batchOrders."""
    return _each(call, _batch(call), new_order)


def amend_batch(call: Call) -> list[Body]:
    """PUT /fapi/v1/batchOrders."""
    return _each(call, _batch(call), amend_order)


def cancel_batch(call: Call) -> list[Body]:
    """DELETE /fapi/v1/batchOrders by orderIdList or origClientOrderIdList."""
    symbol = call.symbol()
    name, each = ("orderIdList", "orderId") if call.parameters.text("orderIdList") else ("origClientOrderIdList", "")
    numbers = _rows(call.parameters, name)
    return _each(call, [{"symbol": symbol, each or "origClientOrderId": one} for one in numbers], cancel_order)


def _counted(parameters: TradeParameters) -> int:
    """A batch counts as many orders as it has; one that cannot be read counts as one."""
    try:
        return max(1, min(MOST_IN_BATCH, len(_rows(parameters, "batchOrders"))))
    except VenueError:
        return 1


ENDPOINTS = (
    SignedEndpoint("POST", "/fapi/v1/order", new_order, 0, 1),
    SignedEndpoint("POST", "/fapi/v1/order/test", check_only, 0),
    SignedEndpoint("PUT", "/fapi/v1/order", amend_order, 1, 1),
    SignedEndpoint("GET", "/fapi/v1/order", get_order),
    SignedEndpoint("DELETE", "/fapi/v1/order", cancel_order),
    SignedEndpoint("GET", "/fapi/v1/openOrder", get_open_order),
    SignedEndpoint("GET", "/fapi/v1/openOrders", open_orders, with_or_without_symbol(1, 40)),
    SignedEndpoint("GET", "/fapi/v1/allOrders", all_orders, 5),
    SignedEndpoint("DELETE", "/fapi/v1/allOpenOrders", cancel_all_orders),
    SignedEndpoint("POST", "/fapi/v1/countdownCancelAll", count_down, 10),
    SignedEndpoint("POST", "/fapi/v1/batchOrders", new_batch, 5, _counted),
    SignedEndpoint("PUT", "/fapi/v1/batchOrders", amend_batch, 5, _counted),
    SignedEndpoint("DELETE", "/fapi/v1/batchOrders", cancel_batch, 1),
)
