"""An account at Binance USD-M by REST: orders, conditional orders, positions, statements. Source: reference facts, 6 and 13."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from libs.exchanges.binance import account_answers as answers
from libs.exchanges.binance.rest import SPOT_POOL, WEIGHT_POOL
from libs.exchanges.binance.signing import BEFORE_MS, SignedHttpClient
from libs.exchanges.binance.verdicts import judged, verdict_of
from libs.exchanges.budget import Pool
from libs.exchanges.decimals import plain_number
from libs.exchanges.errors import MalformedAnswer, VenueError
from libs.exchanges.http import ATTEMPTS, Method, Question
from libs.exchanges.limiter import Turn
from libs.exchanges.trading import (
    AccountTerms,
    AlgoState,
    Balance,
    Execution,
    FeeRates,
    Holdings,
    IncomeEntry,
    KeyRights,
    MarginType,
    NewConditional,
    NewOrder,
    NotSent,
    OrderRefused,
    OrderState,
    OutcomeUnknown,
    Position,
    SymbolTerms,
)

ORDERS_10S = Pool("orders_10s", 300, 10_000, reserve=0.2)
ORDERS_1M = Pool("orders_1m", 1200, 60_000, reserve=0.2)
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
MOST_ROWS = 1000
DEAR_WEIGHT = 30
"""Whoever asks for so much asks again later anyway. Several attempts at once, while the venue cuts connections, would use up in
seconds what has to last for a minute, the guard's share included."""
Answer = TypeVar("Answer")
Parameters = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class BinanceTrading:
    """The port's `TradingVenue`. `spot`: the host that knows the key's rights. Orders wait for nobody: one that the limiter would
    hold back for longer than its turn's patience is `RateLimited`, and was not sent."""

    http: SignedHttpClient
    spot: SignedHttpClient
    turn: Turn = field(default_factory=lambda: Turn(patience_seconds=1.0))
    timeout_seconds: float = 5.0

    async def place(self, order: NewOrder, before_ms: int | None = None) -> OrderState:
        given = _of_both(order) | {"type": "MARKET", "newClientOrderId": order.client_id, "newOrderRespType": "RESULT"}
        given["quantity"] = plain_number(order.quantity)
        if order.price is not None:
            given |= {"type": "LIMIT", "price": plain_number(order.price), "timeInForce": order.time_in_force}
        return await self._change("POST", ORDER, given | _before(before_ms), answers.order)

    async def place_conditional(self, order: NewConditional, before_ms: int | None = None) -> AlgoState:
        given = _of_both(order) | {"algoType": "CONDITIONAL", "type": order.kind, "clientAlgoId": order.client_id}
        given |= {"workingType": order.working_type, "priceProtect": _flag(order.price_protect)}
        if order.quantity is None:
            given["closePosition"] = "true"
        numbers = {
            "quantity": order.quantity,
            "triggerPrice": order.trigger_price,
            "activatePrice": order.activation_price,
            "callbackRate": order.callback_percent,
        }
        given |= {name: plain_number(number) for name, number in numbers.items() if number is not None}
        return await self._change("POST", ALGO, given | _before(before_ms), answers.algo)

    async def cancel(self, symbol: str, client_id: str) -> OrderState:
        given: Parameters = {"symbol": symbol, "origClientOrderId": client_id}
        return await self._change("DELETE", ORDER, given, answers.order)

    async def cancel_conditional(self, client_id: str) -> None:
        await self._change("DELETE", ALGO, {"clientAlgoId": client_id}, _nothing)

    async def order(self, symbol: str, client_id: str) -> OrderState | None:
        return await self._found(ORDER, {"symbol": symbol, "origClientOrderId": client_id}, answers.order)

    async def order_by_number(self, symbol: str, order_id: int) -> OrderState | None:
        return await self._found(ORDER, {"symbol": symbol, "orderId": order_id}, answers.order)

    async def conditional(self, client_id: str) -> AlgoState | None:
        return await self._found(ALGO, {"clientAlgoId": client_id}, answers.algo)

    async def open_orders(self, symbol: str | None = None) -> list[OrderState]:
        body = await self._ask("/fapi/v1/openOrders", 1 if symbol else 40, **_symbol(symbol))
        return answers.orders(body)

    async def open_conditionals(self, symbol: str | None = None) -> list[AlgoState]:
        body = await self._ask("/fapi/v1/openAlgoOrders", 1 if symbol else 40, **_symbol(symbol))
        return answers.algos(body)

    async def positions(self, symbol: str | None = None) -> list[Position]:
        return answers.positions(await self._ask("/fapi/v3/positionRisk", 5, **_symbol(symbol)))

    async def balances(self) -> list[Balance]:
        return answers.balances(await self._ask("/fapi/v3/balance", 5))

    async def holdings(self) -> Holdings:
        return answers.holdings(await self._ask("/fapi/v3/account", 5))

    async def executions(
        self, symbol: str, *, from_id: int | None = None, since_ms: int | None = None
    ) -> list[Execution]:
        """From a trade's id on, else since a time (at most 7 days ago), else the newest; at most 1,000, oldest first."""
        given: Parameters = {"symbol": symbol, "limit": MOST_ROWS}
        if from_id is not None:
            given["fromId"] = from_id
        elif since_ms is not None:
            given["startTime"] = since_ms
        return answers.executions(await self._ask("/fapi/v1/userTrades", 5, **given))

    async def income(self, since_ms: int, until_ms: int) -> list[IncomeEntry]:
        """All lines of [since_ms, until_ms], page by page. Lines of one instant are told apart by kind, transaction and asset."""
        found: dict[tuple[str, int, str, str], IncomeEntry] = {}
        while True:
            given: Parameters = {"startTime": since_ms, "endTime": until_ms, "limit": MOST_ROWS}
            page = answers.income(await self._ask("/fapi/v1/income", 30, **given))
            fresh = {(one.kind, one.transaction_id, one.asset, one.symbol): one for one in page}
            if len(page) < MOST_ROWS or not fresh.keys() - found.keys():
                return sorted((found | fresh).values(), key=lambda one: (one.time_ms, one.transaction_id, one.kind))
            found |= fresh
            since_ms = page[-1].time_ms

    async def symbol_terms(self, symbol: str) -> SymbolTerms:
        return answers.symbol_terms(await self._ask("/fapi/v1/symbolConfig", 5, symbol=symbol), symbol)

    async def fee_rates(self, symbol: str) -> FeeRates:
        return answers.fee_rates(await self._ask("/fapi/v1/commissionRate", 20, symbol=symbol))

    async def account_terms(self) -> AccountTerms:
        return answers.account_terms(await self._ask("/fapi/v1/accountConfig", 5))

    async def key_rights(self) -> KeyRights:
        question = Question("/sapi/v1/account/apiRestrictions", {}, 1, SPOT_POOL, self.turn)
        return answers.key_rights(await self.spot.get(question, self.timeout_seconds))

    async def set_leverage(self, symbol: str, leverage: int) -> None:
        await self._set("/fapi/v1/leverage", {"symbol": symbol, "leverage": leverage})

    async def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        await self._set("/fapi/v1/marginType", {"symbol": symbol, "marginType": margin_type})

    async def _set(self, path: str, given: Parameters) -> None:
        """It may have been so already."""
        try:
            await self._change("POST", path, given, _nothing)
        except OrderRefused as error:
            if error.verdict != "done":
                raise

    async def _ask(self, path: str, weight: int, **given: str | int) -> bytes:
        attempts = 1 if weight >= DEAR_WEIGHT else ATTEMPTS
        question = Question(path, given, weight, WEIGHT_POOL, self.turn, attempts=attempts)
        return await self.http.get(question, self.timeout_seconds)

    async def _found(self, path: str, given: Parameters, read: Callable[[bytes], Answer]) -> Answer | None:
        """None where the venue knows no such order; right after an unknown outcome that may be too early."""
        try:
            return read(await self._ask(path, 1, **given))
        except VenueError as error:
            if verdict_of(error) == "gone":
                return None
            raise

    async def _change(self, method: Method, path: str, given: Parameters, read: Callable[[bytes], Answer]) -> Answer:
        """Asked once, however it ends. An answer that cannot be read was an answer: what it was is unknown."""
        orders = method == "POST" and path in (ORDER, ALGO)
        pools = (ORDERS_10S, ORDERS_1M) if orders else ()
        question = Question(
            path, given, int(not orders), WEIGHT_POOL, self.turn, method=method, attempts=1, order_pools=pools
        )
        try:
            return read(await self.http.get(question, self.timeout_seconds))
        except MalformedAnswer as error:
            raise OutcomeUnknown(error) from None
        except NotSent:
            raise
        except VenueError as error:
            raise judged(error) from None


def _of_both(order: NewOrder | NewConditional) -> Parameters:
    given: Parameters = {"symbol": order.symbol, "side": order.side, "positionSide": order.position_side}
    return given | {"reduceOnly": "true"} if order.reduce_only else given


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _symbol(symbol: str | None) -> Parameters:
    return {"symbol": symbol} if symbol else {}


def _before(before_ms: int | None) -> Parameters:
    return {} if before_ms is None else {BEFORE_MS: before_ms}


def _nothing(_body: bytes) -> None:
    """The answer says no more than its status."""
