"""An exchange in a process of its own, whose prices stand until they are told to fall: for those who must be left alone with it.

`python -m tests.chaos.processes.falling_exchange FOLDER PORT`; SIGUSR1 is the fall.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from infra.local.ports import free_port
from libs.kit.clock import SystemClock
from services.exchange_simulator.app import Simulation
from services.exchange_simulator.clock import Anchor, AnchoredTime
from services.exchange_simulator.settings import ServerSettings
from services.exchange_simulator.state import open_state
from tests.chaos.money.market import SYMBOLS, Stage
from tests.chaos.processes.market import TellingMarket, steady
from tests.services.exchange_simulator.running import serving
from tests.services.processes import eventually

LASTS_MS, TRADE_EVERY_MS = 3_600_000, 200
FALL_PERCENT = 3


class FallingMarket(TellingMarket):
    """Somebody trades five times a second, at one price before the fall and at another one after it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, {symbol: steady(stage, symbol, TRADE_EVERY_MS) for symbol in stage.symbols})

    def fall(self, now_ms: int) -> None:
        for symbol, trades in self._trades.items():
            tick = self.rules[symbol].tick
            fallen = int(trades.prices[0]) * (100 - FALL_PERCENT) // 100 // tick * tick
            trades.prices[trades.event_ms > now_ms] = fallen


async def _serve(folder: Path, port: int) -> None:
    now_ms = SystemClock().now_ms()
    end_ms = now_ms + LASTS_MS
    market = FallingMarket(Stage(1, now_ms, end_ms, funding_ms=end_ms))
    state, anchor = open_state(folder, {"falls": True}), Anchor(now_ms, now_ms)
    state.anchor = anchor
    clock = AnchoredTime(1.0, anchor)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: market.fall(clock.now_ms()))
    async with serving(Simulation(market, clock, state), ServerSettings(port=port)):
        await asyncio.Event().wait()


@dataclass(frozen=True)
class Exchange:
    """That process, from outside."""

    url: str
    folder: Path
    process: "subprocess.Popen[bytes]"
    http: aiohttp.ClientSession

    async def get(self, path: str, **parameters: str) -> Any:
        """The JSON of a question that must be answered."""
        async with self.http.get(self.url + path, params=parameters) as answer:
            body = await answer.json()
            assert answer.status == 200, body
            return body

    async def truth(self) -> Any:
        """The account as it really is."""
        return await self.get("/sim/trading/accounts/main")

    async def price(self, symbol: str) -> Decimal:
        [trade] = await self.get("/fapi/v1/aggTrades", symbol=symbol, limit="1")
        return Decimal(trade["p"])

    def key(self) -> dict[str, str]:
        """What a key file has."""
        found = json.loads((self.folder / "accounts.json").read_text())[0]["keys"][0]
        return {"key": found["key"], "secret": found["secret"]}

    async def fall(self) -> int:
        """All prices, at once; the venue's time of the first trade at a lower price."""
        before = await self.price(SYMBOLS[0])
        self.process.send_signal(signal.SIGUSR1)

        async def fallen() -> bool:
            return await self.price(SYMBOLS[0]) < before

        await eventually(fallen, 30, lambda: "the prices stand")
        trades = await self.get("/fapi/v1/aggTrades", symbol=SYMBOLS[0], limit="1000")
        return min(int(one["T"]) for one in trades if Decimal(one["p"]) < before)


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.chaos.processes.falling_exchange", str(folder), str(port)]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


@asynccontextmanager
async def falling_exchange(folder: Path) -> AsyncIterator[Exchange]:
    """The process, up until the end."""
    port = free_port()
    process = _start(folder, port)
    try:
        async with aiohttp.ClientSession() as http:
            exchange = Exchange(f"http://127.0.0.1:{port}", folder, process, http)

            async def up() -> bool:
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    return bool(await exchange.get("/fapi/v1/time"))
                except aiohttp.ClientError:
                    return False

            await eventually(up, 120, lambda: (folder / "log").read_text())
            yield exchange
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
