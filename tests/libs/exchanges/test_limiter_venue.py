"""What the venue says to one process holds for all of the machine: its count, 429 and 418, also for those that start again."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from libs.exchanges.binance.rest import AGG_TRADES_WEIGHT, WEIGHT_POOL
from libs.exchanges.budget import Priority
from libs.exchanges.errors import RateLimited
from libs.exchanges.limiter import open_limiter
from libs.exchanges.venue import Venue, open_venue
from libs.kit.settings import VenueSettings
from tests.services.exchange_simulator.running import Running, running

pytestmark = pytest.mark.integration


def _settings(simulator: Running, folder: Path) -> VenueSettings:
    return VenueSettings(
        binance_rest_url=simulator.url,
        binance_websocket_url=simulator.url.replace("http", "ws"),
        binance_spot_rest_url=simulator.url,
        coinbase_rest_url=simulator.url,
        requests_dir=folder / "requests",
    )


@asynccontextmanager
async def _venues(folder: Path) -> AsyncIterator[tuple[Running, Venue]]:
    """A simulator, and the venue as one process sees it."""
    async with (
        running(folder / "simulator", symbols=("BTCUSDT",), seed=5) as simulator,
        open_venue(_settings(simulator, folder)) as venue,
    ):
        yield simulator, venue


class Process:
    """Another process of the same machine."""

    def __init__(self, simulator: Running, folder: Path) -> None:
        settings = _settings(simulator, folder).model_dump(mode="json")
        environment = {f"PERPSTREAM_{name}".upper(): str(value) for name, value in settings.items()}
        words = [sys.executable, "-m", "tests.libs.exchanges.asking_venue"]
        self._process = subprocess.Popen(words, env=os.environ | environment, stdout=subprocess.PIPE, text=True)

    async def line(self) -> str:
        """The next line that it says; empty at its end."""
        assert self._process.stdout is not None
        return await asyncio.to_thread(self._process.stdout.readline)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.communicate()


@pytest.mark.parametrize(
    ("fault", "fields"), [("banned", {"for_ms": 9_000}), ("rate_limited", {"for_ms": 9_000, "retry_after_s": 9})]
)
async def test_after_one_refusal_nobody_asks_until_its_end(tmp_path: Path, fault: str, fields: dict[str, int]) -> None:
    async with _venues(tmp_path) as (simulator, venue):
        number = await simulator.fault(fault, **fields)
        with pytest.raises(RateLimited) as refused:
            await venue.market_data.server_time()
        assert refused.value.banned == (fault == "banned")

        for _ in range(2):  # the second is the first, started again
            process = Process(simulator, tmp_path)
            assert await process.line() == "began\n"
            assert "the venue lets nobody ask" in await asyncio.wait_for(process.line(), 30)
            process.kill()
        last = Process(simulator, tmp_path)
        while not (told := await asyncio.wait_for(last.line(), 30)).strip().isdigit():
            assert "began" in told or "the venue lets nobody ask" in told
        told_ms = int(told)
        last.kill()
        assert told_ms >= refused.value.until_ms
        refusals = await simulator.ledger(number)
        assert [entry["path"] for entry in refusals] == ["/fapi/v1/time"], (
            "one question was refused, and no other asked"
        )


async def test_several_clients_that_ask_as_fast_as_they_may_are_never_refused(tmp_path: Path) -> None:
    """The simulator's minutes begin when it does, ours are anywhere: no window of its own sees more than its limit."""
    async with running(tmp_path / "simulator", symbols=("BTCUSDT",), seed=5, weight_limit=400, speed=60) as simulator:
        settings = _settings(simulator, tmp_path).model_copy(update={"venue_speed": 60.0})
        async with open_venue(settings) as first, open_venue(settings) as second, open_venue(settings) as third:
            await first.market_data.instruments(["BTCUSDT"])
            began, questions = time.monotonic(), 20
            turns = (Priority.POSITIONS, Priority.GAPS, Priority.WARM_UP)

            async def ask(venue: Venue, priority: Priority) -> None:
                for _ in range(questions):
                    await venue.market_data.at(priority).newest_agg_trades("BTCUSDT")

            await asyncio.gather(*map(ask, (first, second, third), turns))
            windows = len(turns) * questions * AGG_TRADES_WEIGHT / (400 * WEIGHT_POOL.share)
            assert time.monotonic() - began >= int(windows) - 1, "so many accelerated minutes, less the first"


async def test_what_others_have_used_counts_for_every_process_at_once(tmp_path: Path) -> None:
    async with _venues(tmp_path) as (simulator, venue):
        for _ in range(30):  # somebody else behind the same address
            await simulator.get("/fapi/v1/aggTrades", symbol="BTCUSDT", limit=1)
        other = open_limiter("binance", simulator.url, tmp_path / "requests", 1.0)
        before = other.usage(WEIGHT_POOL).used
        assert before < AGG_TRADES_WEIGHT
        await venue.market_data.at(Priority.GAPS).newest_agg_trades("BTCUSDT")
        assert other.usage(WEIGHT_POOL).used >= before + 31 * AGG_TRADES_WEIGHT


async def test_the_limit_that_the_venue_states_holds_for_every_process(tmp_path: Path) -> None:
    async with (
        running(tmp_path / "simulator", symbols=("BTCUSDT",), seed=5, weight_limit=600) as simulator,
        open_venue(_settings(simulator, tmp_path)) as venue,
    ):
        await venue.market_data.instruments(["BTCUSDT"])
        other = open_limiter("binance", simulator.url, tmp_path / "requests", 1.0)
        assert other.usage(WEIGHT_POOL).limit == 600
