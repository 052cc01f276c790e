"""How orders, algo orders and trades look in answers: the venue's keys and types, in one place."""

from decimal import Decimal

from services.exchange_simulator.symbols import SymbolRules
from services.exchange_simulator.trading.events import fixed, plain
from services.exchange_simulator.trading.orders import ZERO, AlgoOrder, Fill, Order

Body = dict[str, object]


def order_answer(order: Order, rules: SymbolRules, *, at_first: bool = False) -> Body:
    """What who sends, changes or cancels an order is told; neither an average price nor what its fills cost.

    `at_first`: as it was before the market met it, whatever happened to it at once (newOrderRespType=ACK).
    """
    request, quantity = order.request, rules.quantity_decimals
    executed = fixed(ZERO if at_first else order.executed, quantity)
    return {
        "orderId": order.order_id,
        "symbol": request.symbol,
        "status": "NEW" if at_first else order.status,
        "clientOrderId": request.client_id,
        "price": fixed(request.price, rules.price_decimals),
        "origQty": fixed(request.quantity, quantity),
        "executedQty": executed,
        "cumQty": executed,
        "timeInForce": request.time_in_force,
        "type": request.kind,
        "origType": order.original_type,
        "reduceOnly": request.reduce_only,
        "closePosition": order.close_position,
        "side": request.side,
        "positionSide": request.position_side,
        "stopPrice": fixed(order.stop_price, rules.price_decimals),
        "workingType": order.working_type,
        "priceProtect": order.price_protect,
        "priceMatch": "NONE",
        "selfTradePreventionMode": request.self_trade,
        "goodTillDate": request.good_till_ms,
        "updateTime": order.created_ms if at_first else order.updated_ms,
    }


def order_found(order: Order, rules: SymbolRules) -> Body:
    """What a query tells: everything, the average price too."""
    body = order_answer(order, rules)
    del body["cumQty"]
    return body | {
        "avgPrice": f"{order.average:.5f}",
        "cumQuote": plain(order.quote.quantize(Decimal("1E-5"))),
        "time": order.created_ms,
    }


def algo_answer(algo: AlgoOrder, rules: SymbolRules) -> Body:
    """What who sends a conditional order is told."""
    request, price = algo.request, rules.price_decimals
    trailing = request.kind == "TRAILING_STOP_MARKET"
    return {
        "algoId": algo.algo_id,
        "clientAlgoId": request.client_id,
        "algoType": "CONDITIONAL",
        "orderType": request.kind,
        "symbol": request.symbol,
        "side": request.side,
        "positionSide": request.position_side,
        "timeInForce": request.time_in_force,
        "quantity": fixed(request.quantity, rules.quantity_decimals),
        "algoStatus": algo.status,
        "triggerPrice": fixed(request.trigger_price, price),
        "price": fixed(request.price, price),
        "icebergQuantity": None,
        "selfTradePreventionMode": request.self_trade,
        "workingType": request.working_type,
        "priceMatch": "NONE",
        "closePosition": request.close_position,
        "priceProtect": request.price_protect,
        "reduceOnly": request.reduce_only,
        "activatePrice": fixed(request.activate_price, price) if trailing else "",
        "callbackRate": plain(request.callback_rate) if trailing else "",
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.triggered_ms,
        "goodTillDate": request.good_till_ms,
    }


def algo_found(algo: AlgoOrder, rules: SymbolRules) -> Body:
    """What a query tells: of the order that it became too."""
    body = algo_answer(algo, rules) | {"actualOrderId": "", "actualPrice": "0.00000"}
    order = algo.order
    if order is not None:
        body |= {
            "actualOrderId": str(order.order_id),
            "actualPrice": f"{order.average:.5f}",
            "actualType": order.request.kind,
            "actualQty": fixed(order.executed, rules.quantity_decimals),
        }
    return body


def trade(fill: Fill, rules: SymbolRules) -> Body:
    """A row of userTrades."""
    request = fill.order.request
    return {
        "symbol": request.symbol,
        "id": fill.trade_id,
        "orderId": fill.order.order_id,
        "side": request.side,
        "price": fixed(fill.price, rules.price_decimals),
        "qty": fixed(fill.quantity, rules.quantity_decimals),
        "realizedPnl": fixed(fill.realised, 8),
        "quoteQty": fixed(fill.price * fill.quantity, rules.price_decimals + rules.quantity_decimals),
        "commission": fixed(fill.commission, 8),
        "commissionAsset": fill.commission_asset,
        "time": fill.time_ms,
        "positionSide": request.position_side,
        "buyer": request.side == "BUY",
        "maker": fill.is_maker,
    }
