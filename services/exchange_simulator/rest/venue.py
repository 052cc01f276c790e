"""What every endpoint needs: the market, its clock, the limits and the settings that change answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.faults.desk import Armed, FaultDesk
from services.exchange_simulator.faults.plan import HistoryExpired
from services.exchange_simulator.market import MarketSource
from services.exchange_simulator.rest.errors import VenueError, error_reply, reply
from services.exchange_simulator.rest.limits import Pool, RequestLimits
from services.exchange_simulator.rest.parameters import Parameters

AGG_TRADES = "/fapi/v1/aggTrades"


@dataclass(frozen=True, slots=True)
class Venue:
    """Shared by all endpoints; `longest_history_ms` is how far back aggTrades reach while no fault shortens it."""

    source: MarketSource
    clock: VenueTime
    limits: RequestLimits
    longest_history_ms: int
    desk: FaultDesk

    @property
    def history_ms(self) -> int:
        """How far back aggTrades reach now."""
        return min([self.longest_history_ms, *(keep_ms for _, keep_ms in self._expiries())])

    def refuse_expired(self, symbol: str, asked: dict[str, int | None]) -> None:
        """Aggregate trades were refused for their age: write down which fault made them too old."""
        for armed, keep_ms in self._expiries():
            if keep_ms <= self.history_ms:
                armed.affected += 1
                facts = {"path": AGG_TRADES, "symbol": symbol, "count": 1}
                detail = {name: value for name, value in asked.items() if value is not None}
                self.desk.ledger.add(self.clock.now_ms(), armed.number, "history_expired", **facts, detail=detail)
                return

    def _expiries(self) -> list[tuple[Armed, int]]:
        return [
            (armed, armed.fault.keep_ms)
            for armed in self.desk.rest_faults
            if isinstance(armed.fault, HistoryExpired)
            and (armed.fault.most is None or armed.affected < armed.fault.most)
        ]


Answer = Callable[[Venue, Parameters], Awaitable[object]]
Weight = int | Callable[[Parameters], int]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One GET endpoint: its path, what it costs, and the function that answers."""

    path: str
    answer: Answer
    weight: Weight = 1
    pool: Pool = "weight"

    def handler(self, venue: Venue) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The aiohttp handler: count, answer, and put the used weight into the headers."""

        async def handle(request: web.Request) -> web.Response:
            parameters = Parameters(request.query)
            address = request.remote or "unknown"
            try:
                weight = self.weight(parameters) if callable(self.weight) else self.weight
                venue.limits.charge(address, weight, self.pool)
                response = reply(await self.answer(venue, parameters))
            except VenueError as error:
                response = error_reply(error)
            response.headers["X-MBX-USED-WEIGHT-1M"] = str(venue.limits.used_weight(address))
            return response

        return handle


def with_or_without_symbol(one: int, every: int) -> Callable[[Parameters], int]:
    """A weight that depends on whether a symbol was named."""
    return lambda parameters: one if parameters.text("symbol") else every
