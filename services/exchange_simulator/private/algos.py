"""/fapi/v1/algoOrder and its kin: the conditional orders, in an id space and in lists of their own."""

from typing import get_args

from services.exchange_simulator.private.calls import Call, SignedEndpoint
from services.exchange_simulator.private.orders import span_of
from services.exchange_simulator.private.shapes import Body, algo_answer, algo_found
from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.rest.venue import with_or_without_symbol
from services.exchange_simulator.trading.commands import CancelAlgo, PlaceAlgo
from services.exchange_simulator.trading.orders import (
    ZERO,
    AlgoOrder,
    AlgoRequest,
    AlgoType,
    PositionSide,
    SelfTrade,
    Side,
    TimeInForce,
    WorkingType,
)

_UNKNOWN = VenueError(-2013, "Order does not exist.")
_GONE = VenueError(-2011, "Unknown order sent.")


def algo_request(call: Call) -> AlgoRequest:
    """The conditional order that the parameters describe. Raises `VenueError`."""
    asked = call.parameters
    asked.choice("algoType", ("CONDITIONAL",), None)
    symbol = call.symbol()
    side = asked.choice("side", get_args(Side), None, VenueError(-1117, "Invalid side."))
    kind: AlgoType = asked.choice("type", get_args(AlgoType), None, VenueError(-1116, "Invalid orderType."))
    side_refusal = VenueError(-4060, "Invalid position side.")
    position_side: PositionSide = asked.choice("positionSide", get_args(PositionSide), "BOTH", side_refusal)
    closing, trailing = asked.boolean("closePosition"), kind == "TRAILING_STOP_MARKET"
    asked.choice("priceMatch", ("NONE",), "NONE")
    force = asked.choice("timeInForce", get_args(TimeInForce), "GTC", VenueError(-1115, "Invalid timeInForce."))
    if call.account.hedged:
        asked.refuse("reduceOnly")
    return AlgoRequest(
        symbol,
        side,
        position_side,
        kind,
        quantity=(asked.decimal("quantity") or ZERO) if closing else asked.mandatory_decimal("quantity"),
        trigger_price=ZERO if trailing else asked.mandatory_decimal("triggerPrice"),
        price=asked.mandatory_decimal("price") if kind in ("STOP", "TAKE_PROFIT") else ZERO,
        time_in_force=force,
        working_type=asked.choice("workingType", get_args(WorkingType), "CONTRACT_PRICE"),
        close_position=closing,
        price_protect=asked.boolean("priceProtect"),
        reduce_only=asked.boolean("reduceOnly"),
        client_id=asked.client_id("clientAlgoId"),
        self_trade=asked.choice("selfTradePreventionMode", get_args(SelfTrade), "NONE"),
        activate_price=(asked.decimal("activatePrice") or ZERO) if trailing else ZERO,
        callback_rate=asked.mandatory_decimal("callbackRate") if trailing else ZERO,
        good_till_ms=asked.mandatory_integer("goodTillDate") // 1000 * 1000 if force == "GTD" else 0,
    )


def find_algo(call: Call, gone: VenueError) -> AlgoOrder:
    """The algo order of algoId or clientAlgoId, the id first; of several with one client id the newest."""
    number, name = call.parameters.integer("algoId"), call.parameters.text("clientAlgoId")
    if number is None and name is None:
        raise VenueError(-1102, "Param 'clientAlgoId' or 'algoId' must be sent, but both were empty/null!")
    algos = call.account.book.algos
    if number is not None:
        found = algos.get(number)
    else:
        found = next((one for one in reversed(algos.values()) if one.request.client_id == name), None)
    if found is None:
        raise gone
    return found


def new_algo(call: Call) -> Body:
    """POST /fapi/v1/algoOrder."""
    call.parameters.choice("newOrderRespType", ("ACK", "RESULT"), "ACK")
    request = algo_request(call)
    algo = call.house.do(PlaceAlgo(at=call.at, account=call.account.name, request=request))
    assert isinstance(algo, AlgoOrder), "what placing gives"
    return algo_answer(algo, call.rules(request.symbol))


def get_algo(call: Call) -> Body:
    """GET /fapi/v1/algoOrder."""
    algo = find_algo(call, _UNKNOWN)
    return algo_found(algo, call.rules(algo.request.symbol))


def cancel_algo(call: Call) -> Body:
    """DELETE /fapi/v1/algoOrder. The code in this answer is text."""
    algo = find_algo(call, _GONE)
    call.house.do(CancelAlgo(at=call.at, account=call.account.name, algo_id=algo.algo_id))
    return {"algoId": algo.algo_id, "clientAlgoId": algo.request.client_id, "code": "200", "msg": "success"}


def open_algos(call: Call) -> list[Body]:
    """GET /fapi/v1/openAlgoOrders."""
    number = call.parameters.integer("algoId")
    found = call.account.book.open_algos(call.optional_symbol())
    return [algo_found(one, call.rules(one.request.symbol)) for one in found if number in (None, one.algo_id)]


def all_algos(call: Call) -> list[Body]:
    """GET /fapi/v1/allAlgoOrders."""
    symbol, first = call.symbol(), call.parameters.integer("algoId")
    limit = call.parameters.limit(500, 1000)
    start, end = span_of(call)
    of_symbol = [one for one in call.account.book.algos.values() if one.request.symbol == symbol]
    if first is not None:
        found = [one for one in of_symbol if one.algo_id >= first][:limit]
    else:
        found = [one for one in of_symbol if start <= one.created_ms <= end]
        found = found[:limit] if call.parameters.text("startTime") else found[-limit:]
    return [algo_found(one, call.rules(symbol)) for one in found]


def cancel_all_algos(call: Call) -> Body:
    """DELETE /fapi/v1/algoOpenOrders."""
    for algo in call.account.book.open_algos(call.symbol()):
        call.house.do(CancelAlgo(at=call.at, account=call.account.name, algo_id=algo.algo_id))
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


ENDPOINTS = (
    SignedEndpoint("POST", "/fapi/v1/algoOrder", new_algo, 0, 1),
    SignedEndpoint("GET", "/fapi/v1/algoOrder", get_algo),
    SignedEndpoint("DELETE", "/fapi/v1/algoOrder", cancel_algo),
    SignedEndpoint("GET", "/fapi/v1/openAlgoOrders", open_algos, with_or_without_symbol(1, 40)),
    SignedEndpoint("GET", "/fapi/v1/allAlgoOrders", all_algos, 5),
    SignedEndpoint("DELETE", "/fapi/v1/algoOpenOrders", cancel_all_algos),
)
