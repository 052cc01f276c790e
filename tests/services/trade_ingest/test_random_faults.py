"""Random fault scripts against the real ingest core and the simulated venue's wire, judged by the venue's own ledger."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infra.local.ports import free_port
from libs.contracts.codec import decode_as
from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE
from libs.exchanges import Subscription
from libs.exchanges.session import SessionOptions
from libs.exchanges.venue import Venue, first_instruments, keep_clock, open_venue
from libs.kit.settings import VenueSettings
from libs.streaming.memory import MemoryBus, MemoryProducer
from libs.streaming.ordered import OrderedPublisher
from services.trade_ingest.assembler import Assembler, AssemblerOptions
from services.trade_ingest.feeds import StreamFeed
from services.trade_ingest.frame_builder import Origin
from services.trade_ingest.gapfill import FillRules, GapFiller
from services.trade_ingest.ingest import TradeIngest
from services.trade_ingest.silence import SilenceWatch
from tests.services.ingest_stack import Published
from tests.services.processes import ServiceProcess, eventually

pytestmark = pytest.mark.integration
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
SPEED, SCRIPT_MS = 10, 15_000
WITH_WRONG_TIMES = ("wrong_time",)


@dataclass(frozen=True, slots=True)
class Simulator:
    """The venue of all examples: each begins with no fault active."""

    url: str

    def ask(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.url}{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder, port = tmp_path_factory.mktemp("venue"), free_port()
    process = ServiceProcess(
        "exchange_simulator",
        {
            "PERPSTREAM_SIM_PORT": str(port),
            "PERPSTREAM_SIM_STATE_DIR": str(folder / "state"),
            "PERPSTREAM_SIM_SYMBOLS": ",".join(SYMBOLS),
            "PERPSTREAM_SIM_RATE": "40",
            "PERPSTREAM_SIM_SPEED": str(SPEED),
            "PERPSTREAM_SIM_WEIGHT_LIMIT": "1000000",
            "PERPSTREAM_HEALTH_PORT": "0",
        },
        folder / "venue.log",
    )
    process.start()
    found = Simulator(f"http://127.0.0.1:{port}")

    async def answers() -> bool:
        try:
            return bool(await asyncio.to_thread(found.ask, "/fapi/v1/time"))
        except OSError:
            return False

    asyncio.run(eventually(answers, 30, process.log.read_text))
    yield found
    process.stop()


def _during(kinds: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    spans = st.fixed_dictionaries({"after_ms": st.integers(0, SCRIPT_MS), "for_ms": st.integers(500, 8000)})
    return st.builds(lambda span, fault: fault | span, spans, kinds)


_about = st.lists(st.sampled_from(SYMBOLS), max_size=2, unique=True).map(lambda names: {"symbols": names})
_often = st.floats(0.02, 1.0).map(lambda chance: {"probability": round(chance, 3)})
_stream = st.builds(
    lambda fault, about, often: fault | about | often,
    st.sampled_from(
        (
            {"kind": "drop"},
            {"kind": "silent"},
            {"kind": "duplicate", "copies": 2},
            {"kind": "reorder", "behind": 3},
            {"kind": "delay", "by_ms": 4000},
            {"kind": "late_burst"},
            {"kind": "malformed"},
            {"kind": "truncated"},
            {"kind": "wrong_time", "by_ms": -60_000, "field": "T"},
            {"kind": "wrong_time", "by_ms": -3000, "field": "T"},
            {"kind": "wrong_time", "by_ms": 7_200_000, "field": "T"},
        )
    ),
    _about,
    _often,
)
_connection = st.sampled_from(({"kind": "disconnect"}, {"kind": "rotation"}, {"kind": "half_open"}))
_rest = st.sampled_from(
    (
        {"kind": "unavailable", "text": "internal", "most": 2},
        {"kind": "server_error", "most": 2},
        {"kind": "truncated_page", "rows": 10, "most": 3},
        {"kind": "truncated_page", "rows": 0, "most": 1},
    )
)
scripts = st.lists(_during(_stream | _stream | _connection | _rest), min_size=1, max_size=6)


@asynccontextmanager
async def ingesting(url: str, connections: int) -> AsyncIterator[tuple[TradeIngest, MemoryBus, OrderedPublisher]]:
    """The running core: streams, filler, silence watch and publisher, with topics in memory."""
    where = VenueSettings(
        binance_rest_url=url,
        binance_websocket_url=url.replace("http", "ws"),
        binance_spot_rest_url=url,
        coinbase_rest_url=url,
        venue_speed=SPEED,
    )
    async with open_venue(where) as venue:
        ingest, bus, publisher = await _core(venue)
        filler = GapFiller(ingest, venue.market_data, venue.clock, FillRules(patience_seconds=300))
        watch = ingest.listener = SilenceWatch(ingest, venue.market_data, venue.clock, filler.want)
        feed = StreamFeed(ingest, SYMBOLS, filler.want)
        wanted = Subscription(trades=SYMBOLS, mark_prices=SYMBOLS[:1])
        options = SessionOptions("trades", silence_seconds=10, connections=connections)
        feed.session = venue.streams.session(wanted, feed, options)

        async def tick() -> None:
            while True:
                await asyncio.sleep(0.02)
                feed.look()
                ingest.assembler.flush()
                ingest.pump()

        work = (publisher.run(), filler.run(), watch.run(), feed.session.run(), tick(), keep_clock(venue))
        tasks = [asyncio.create_task(one) for one in work]
        yield ingest, bus, publisher
        for task in tasks:
            task.cancel()
        assert not [
            error for error in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(error, Exception)
        ]


async def _core(venue: Venue) -> tuple[TradeIngest, MemoryBus, OrderedPublisher]:
    instruments, origin, bus = await first_instruments(venue, SYMBOLS), Origin("trade_ingest/0", 0), MemoryBus()
    publisher = OrderedPublisher(MemoryProducer(bus), lambda hold: None)
    assembler = Assembler(instruments.values(), {}, origin, AssemblerOptions(market_partitions=2))
    return TradeIngest(venue, assembler, publisher, instruments), bus, publisher


async def play(simulator: Simulator, script: list[dict[str, Any]], connections: int) -> tuple[list[AggTradeFrame], int]:
    """The frames of one script, from a fresh start until every trade of its end is there; and the ledger's last entry before."""
    before = max([entry["seq"] for entry in simulator.ask("/sim/faults/ledger?limit=100000")], default=0)
    async with ingesting(simulator.url, connections) as (ingest, bus, publisher):

        async def live() -> bool:
            return not ingest.unsettled

        await eventually(live, 60, lambda: f"{ingest.unsettled}")
        numbers = {one["number"] for one in await asyncio.to_thread(simulator.ask, "/sim/faults", script)}

        async def over() -> bool:
            faults = await asyncio.to_thread(simulator.ask, "/sim/faults")
            return all(one["state"] == "ended" for one in faults if one["number"] in numbers)

        await eventually(over, 60, lambda: "the script ends")
        newest = (await asyncio.to_thread(simulator.ask, "/sim/status"))["last_ids"]

        async def caught_up() -> bool:
            feeds = ingest.assembler.feeds
            return not ingest.unsettled and all(feeds[name].tracker.expected > last for name, last in newest.items())

        await eventually(caught_up, 60, lambda: f"{ingest.unsettled} {newest}")
        # What the flush leaves behind is found missing below.
        ingest.assembler.flush()
        ingest.pump()
        await publisher.settled()
    frames = [decode_as(AggTradeFrame, record.value) for record in bus.records(AGGTRADE.name)
              if record.headers["schema"] == AggTradeFrame.SCHEMA.encode()]  # fmt: skip
    return frames, before


@settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(script=scripts, connections=st.sampled_from((1, 2)))
def test_whatever_is_scripted_nothing_is_lost_and_late_is_what_the_ledger_says(
    simulator: Simulator, script: list[dict[str, Any]], connections: int
) -> None:
    frames, before = asyncio.run(play(simulator, script, connections))
    seen = Published(list(frames))  # refuses rows at or below a published watermark
    assert not any(frame.holes for frame in frames)
    entries = simulator.ask(f"/sim/faults/ledger?after={before}&limit=100000")
    altered = {
        (entry["symbol"], agg_id)
        for entry in entries
        if entry["kind"] in WITH_WRONG_TIMES
        for first, last in entry.get("ids", [])
        for agg_id in range(first, last + 1)
    }
    for symbol in SYMBOLS:
        ids = seen.ids(symbol)
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        late = expected = 0
        watermark = -1
        for rows in seen.columns[symbol]:
            for agg_id, time, effective in np.stack([rows.agg_id, rows.trade_time, rows.time]).T.tolist():
                late += effective != time
                behind = time <= watermark
                expected += behind
                watermark = max(watermark, time - 1)
                assert not behind or (symbol, agg_id) in altered, "only what was told with a wrong time is late"
        assert late == expected, (
            "a trade is late because of an earlier one's time, and never because of a guess of ours"
        )
