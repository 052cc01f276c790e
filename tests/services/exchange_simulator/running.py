"""A simulator inside the test's own event loop, on a free port, with real sockets; and the ways to talk to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from services.exchange_simulator.app import Simulation, build_application, listen, open_simulation, run_pump
from services.exchange_simulator.faults.script import read_script
from services.exchange_simulator.hub import Hub
from services.exchange_simulator.private.keys import AccountPlan, ApiKey
from services.exchange_simulator.settings import MarketSettings, ServerSettings

RECORDINGS = Path(__file__).parents[2] / "golden" / "recordings"
SLICE = RECORDINGS / "um_btcusdt_trades_20240808T2354.raw.gz"
BEFORE_MIDNIGHT = RECORDINGS / "um_btcusdt_trades_mark_20230404T2359.raw.gz"
AFTER_MIDNIGHT = RECORDINGS / "um_btcusdt_trades_mark_20230405T0000.raw.gz"
START_MS = 1_763_712_030_000


@dataclass(frozen=True)
class Running:
    """A running simulator and one HTTP client."""

    url: str
    simulation: Simulation
    http: aiohttp.ClientSession

    async def get(self, path: str, **parameters: object) -> Any:
        """The JSON of a GET that must succeed."""
        async with self.http.get(self.url + path, params={k: str(v) for k, v in parameters.items()}) as answer:
            body = await answer.json()
            assert answer.status == 200, body
            return body

    async def refused(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a GET."""
        async with self.http.get(self.url + path) as answer:
            return answer.status, await answer.json()

    async def until(self, enough: Callable[[dict[str, Any]], bool], seconds: float = 30.0) -> dict[str, Any]:
        """The first /sim/status that satisfies `enough`."""
        async with asyncio.timeout(seconds):
            while True:
                status: dict[str, Any] = await self.get("/sim/status")
                if enough(status):
                    return status
                await asyncio.sleep(0.01)

    async def fault(self, kind: str, **fields: Any) -> int:
        """Ask for a fault; its number."""
        async with self.http.post(f"{self.url}/sim/faults", json={"kind": kind, **fields}) as answer:
            body = await answer.json()
            assert answer.status == 201, body
            return int(body[0]["number"])

    async def over(self, number: int, seconds: float = 30.0) -> None:
        """Wait until a fault with an end of its own says that it has ended.

        Not until the venue's time has passed that end: the desk turns a fault at its next tick.
        """
        async with asyncio.timeout(seconds):
            while True:
                if (await self.get("/sim/faults"))[number - 1]["state"] == "ended":
                    return
                await asyncio.sleep(0.01)

    async def end(self, number: int) -> dict[str, Any]:
        """End a fault; what it was."""
        async with self.http.delete(f"{self.url}/sim/faults/{number}") as answer:
            ended: dict[str, Any] = await answer.json()
            return ended

    async def ledger(self, number: int, kind: str | None = None) -> list[dict[str, Any]]:
        """The ledger's entries of one fault, without its beginning and end unless they are asked for."""
        found = [one for one in await self.get("/sim/faults/ledger") if one["fault"] == number]
        return [one for one in found if (one["kind"] == kind if kind else one["kind"] not in ("begin", "end"))]

    @property
    def api_key(self) -> ApiKey:
        """The first key of the first account."""
        assert self.simulation.private is not None
        return self.simulation.private.house.ring.plans[0].keys[0]

    def socket(self, path: str) -> Any:
        """A WebSocket connection to a path."""
        return self.http.ws_connect(self.url + path)


def account_that_pays_in_bnb(folder: Path) -> Path:
    """The simulator's file of accounts with one that pays its fees in BNB."""
    plan = AccountPlan(
        name="main",
        balances={"USDT": Decimal(10_000), "BNB": Decimal(5)},
        pays_in_bnb=True,
        keys=(ApiKey(key="k" * 64, secret="s" * 64),),
    )
    found = folder / "accounts.json"
    found.write_text(f"[{plan.model_dump_json()}]")
    found.chmod(0o600)
    return found


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Running]:
    """Start a simulator with the given market settings; everything is closed at the end."""
    server_names = (
        "weight_limit",
        "history_hours",
        "buffer_megabytes",
        "connection_hours",
        "readers",
        "faults",
        "host",
        "accounts",
    )
    server = ServerSettings(port=0, **{name: settings.pop(name) for name in server_names if name in settings})
    settings.setdefault("start_time", None if settings.get("recording") else START_MS)
    simulation = open_simulation(MarketSettings(state_dir=folder, **settings))
    simulation.script = read_script(server.faults) if server.faults else ()
    async with serving(simulation, server) as venue:
        yield venue


@asynccontextmanager
async def serving(simulation: Simulation, server: ServerSettings) -> AsyncIterator[Running]:
    """The same of a simulation that was put together by the caller."""
    hub = Hub(simulation.market, simulation.desk)
    hub.warm_up(simulation.market)
    runner, port = await listen(build_application(simulation, hub, server), server)
    pump = asyncio.create_task(run_pump(simulation, hub, server.readers))
    try:
        async with aiohttp.ClientSession() as http:
            yield Running(f"http://127.0.0.1:{port}", simulation, http)
        if pump.done():
            pump.result()
    finally:
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump
        for session in hub.sessions():
            session.abort()
        await runner.cleanup()


async def receive(socket: Any, enough: Callable[[list[Any]], bool], seconds: float = 20.0) -> list[Any]:
    """JSON messages until `enough` says so."""
    messages: list[Any] = []
    async with asyncio.timeout(seconds):
        while not enough(messages):
            messages.append(json.loads((await socket.receive()).data))
    return messages


async def ask(socket: Any, message: dict[str, Any], seconds: float = 10.0) -> Any:
    """Send one control message and return the first answer that is no market event."""
    await socket.send_json(message)
    async with asyncio.timeout(seconds):
        while True:
            body = json.loads((await socket.receive()).data)
            if isinstance(body, dict) and ("result" in body or "code" in body):
                return body
