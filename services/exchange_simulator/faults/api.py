"""/sim/faults: ask for faults, see them, end them, and read what they affected. No exchange has this."""

import json
from collections.abc import Callable, Sequence

from aiohttp import web
from pydantic import ValidationError

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.faults.desk import FaultDesk
from services.exchange_simulator.faults.plan import FAULTS, AnyFault, explain
from services.exchange_simulator.rest.errors import VenueError, reply
from services.exchange_simulator.rest.parameters import Parameters

_MOST_ENTRIES = 10_000
_MOST_FAULTS = 1_000


class FaultApi:
    """The routes on one desk. A fault that neither market nor accounts can show is refused (`check` raises `ValueError`): it
    would affect nothing, silently."""

    def __init__(self, desk: FaultDesk, clock: VenueTime, check: Callable[[AnyFault], None]) -> None:
        self._desk = desk
        self._clock = clock
        self._check_one = check

    def routes(self) -> list[web.RouteDef]:
        """Everything under /sim/faults."""
        return [
            web.get("/sim/faults", self._list),
            web.post("/sim/faults", self._add),
            web.delete("/sim/faults", self._remove_all),
            web.get("/sim/faults/ledger", self._ledger),
            web.delete("/sim/faults/{number:[0-9]{1,18}}", self._remove),
        ]

    async def _list(self, _: web.Request) -> web.Response:
        return reply([armed.described() for armed in self._desk.faults()])

    async def _add(self, request: web.Request) -> web.Response:
        try:
            content = json.loads(await request.read())
            faults = FAULTS.validate_python(content if isinstance(content, list) else [content])
            self._check(faults)
            now_ms = self._clock.now_ms()
            armed = [self._desk.add(fault, now_ms) for fault in faults]
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            return _refused("the body is no JSON", str(error))
        except ValidationError as error:
            return _refused("no such fault", explain(error))
        except ValueError as error:
            return _refused("the fault cannot be", str(error))
        # Whoever asked may rely on it: a market fault of now, which begins a millisecond later, has begun too.
        self._desk.tick(now_ms + 1)
        return reply([one.described() for one in armed], 201)

    def _check(self, faults: Sequence[AnyFault]) -> None:
        if len(self._desk.faults()) + len(faults) > _MOST_FAULTS:
            raise ValueError(f"more than {_MOST_FAULTS} faults: remove the state folder, or ask for fewer")
        for fault in faults:
            self._check_one(fault)

    async def _remove(self, request: web.Request) -> web.Response:
        armed = self._desk.remove(int(request.match_info["number"]), self._clock.now_ms())
        if armed is None:
            return reply({"error": "there is no fault of that number", "todo": "GET /sim/faults lists them"}, 404)
        return reply(armed.described())

    async def _remove_all(self, _: web.Request) -> web.Response:
        running = [armed.number for armed in self._desk.faults() if armed.state != "ended"]
        return reply([armed.described() for n in running if (armed := self._desk.remove(n, self._clock.now_ms()))])

    async def _ledger(self, request: web.Request) -> web.Response:
        try:
            asked = Parameters(request.query)
            after, limit = asked.integer("after") or 0, asked.integer("limit") or _MOST_ENTRIES
        except VenueError:
            return _refused("after and limit are whole numbers", request.query_string)
        return reply(self._desk.ledger.after(after, min(limit, _MOST_ENTRIES)))


def _refused(what: str, detail: str) -> web.Response:
    return reply({"error": what, "detail": detail, "todo": "docs/simulator.md lists the faults and their fields"}, 400)
