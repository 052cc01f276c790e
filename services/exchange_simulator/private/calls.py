"""A signed call: who asks, what they ask, and the way from the request to its answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from services.exchange_simulator.faults.answers import CAME_LATE
from services.exchange_simulator.private.house import House
from services.exchange_simulator.private.keys import ApiKey
from services.exchange_simulator.private.meddling import Meddling
from services.exchange_simulator.private.order_limits import OrderLimits
from services.exchange_simulator.private.parameters import TradeParameters
from services.exchange_simulator.private.signing import Sent, check_signature, check_time, find_key, read_request
from services.exchange_simulator.rest.errors import VenueError, error_reply, reply
from services.exchange_simulator.rest.limits import RequestLimits
from services.exchange_simulator.symbols import SymbolRules
from services.exchange_simulator.trading.account import Account

Method = Literal["GET", "POST", "PUT", "DELETE"]
_REJECTED_KEY = VenueError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


@dataclass(frozen=True, slots=True)
class Call:
    """What an endpoint gets. `account` is what it may show, for a read a moment ago perhaps; commands name it."""

    house: House
    account: Account
    key: ApiKey
    parameters: TradeParameters
    at: int

    def symbol(self) -> str:
        """The mandatory symbol; raises -1102 or -1121."""
        return self.parameters.symbol(self.house.prices.symbols)

    def optional_symbol(self) -> str | None:
        return self.parameters.optional_symbol(self.house.prices.symbols)

    def rules(self, symbol: str) -> SymbolRules:
        return self.house.prices.rules[symbol]


Answer = Callable[[Call], object]
Weight = int | Callable[[TradeParameters], int]


@dataclass(frozen=True, slots=True)
class SignedEndpoint:
    """One method of one path: what it costs in weight and in orders, and the function that answers."""

    method: Method
    path: str
    answer: Answer
    weight: Weight = 1
    orders: Weight = 0


@dataclass(slots=True)
class Counter:
    """Where signed requests come in."""

    house: House
    limits: RequestLimits
    meddling: Meddling
    orders: OrderLimits = field(init=False)

    def __post_init__(self) -> None:
        self.orders = OrderLimits(self.house.clock)

    def route(self, endpoint: SignedEndpoint) -> web.RouteDef:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._handle(request, endpoint)

        return web.route(endpoint.method, endpoint.path, handle)

    async def _handle(self, request: web.Request, endpoint: SignedEndpoint) -> web.Response:
        address = request.remote or "unknown"
        facts: dict[str, Any] = {"method": request.method, "path": request.path}
        name, headers = "", {}
        at = self.house.now_ms()
        try:
            sent = await read_request(request)
            parameters = TradeParameters(sent.values)
            facts["parameters"] = dict(sent.values)
            self.limits.charge(address, _cost(endpoint.weight, parameters), "weight")
            name, key = self._admit(request, sent)
            orders = _cost(endpoint.orders, parameters)
            if orders:
                self.orders.count(name, orders)
            account = self.house.exchange.accounts[name]
            if request.method == "GET":
                self.house.advance()
                account = self.meddling.seen(request, sent.values, account)
            else:
                self.meddling.intercept(request, sent.values, account)
            call = Call(self.house, account, key, parameters, self.house.now_ms())
            response = reply(endpoint.answer(call))
        except VenueError as error:
            facts["code"] = error.code
            response = error_reply(error)
        if endpoint.orders and name:
            headers = self.orders.headers(name)
        response.headers.update(headers)
        response.headers["X-MBX-USED-WEIGHT-1M"] = str(self.limits.used_weight(address))
        facts["status"] = response.status
        if request.method != "GET" and isinstance(response.body, bytes):
            facts["answer"] = response.body.decode()
        self.house.ledger.add(at, "request", name, facts)
        return response

    def _admit(self, request: web.Request, sent: Sent) -> tuple[str, ApiKey]:
        """The account's name and the key. Raises what a wrong key, signature or time is told."""
        name, key = find_key(request, self.house.ring)
        check_signature(sent, key)
        late = request.get(CAME_LATE, False)
        check_time(sent.values, self.house.now_ms() + self.meddling.desk.skew_ms, -5028 if late else -1021)
        trades = request.method != "GET" and request.path.startswith("/fapi")
        if not (key.rights.futures if trades else key.rights.reading):
            raise _REJECTED_KEY
        return name, key


def _cost(weight: Weight, parameters: TradeParameters) -> int:
    return weight(parameters) if callable(weight) else weight
