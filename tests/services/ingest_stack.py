"""The simulated venue and an ingest service as child processes on a real broker, and readers of what they publish."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from infra.local.ports import free_port
from libs.contracts.codec import decode
from libs.contracts.event import Event
from libs.contracts.frames import FrameGate, TradeColumns
from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE, Topic
from libs.kit.settings import VenueSettings
from libs.streaming.records import LogReader
from tests.services.processes import ServiceProcess

PARTITIONS = 2
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def venue_settings(url: str, speed: float = 1.0) -> VenueSettings:
    """Everything at one simulator."""
    return VenueSettings(
        binance_rest_url=url,
        binance_websocket_url=url.replace("http", "ws"),
        binance_spot_rest_url=url,
        coinbase_rest_url=url,
        venue_speed=speed,
    )


class IngestStack:
    """Two child processes that find each other; `venue` is the simulator, `ingest` the service under test.

    `knobs` are environment variables of both.
    """

    def __init__(self, bootstrap: str, service: str, folder: Path, **knobs: str) -> None:
        self.bootstrap = bootstrap
        self._venue_port, venue_health, self.health_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self._venue_port}"
        symbols = ",".join(SYMBOLS)
        self.venue = ServiceProcess(
            "exchange_simulator",
            {
                "PERPSTREAM_SIM_PORT": str(self._venue_port),
                "PERPSTREAM_SIM_STATE_DIR": str(folder / "simulator"),
                "PERPSTREAM_SIM_SYMBOLS": symbols,
                "PERPSTREAM_SIM_RATE": "400",
                **knobs,
                "PERPSTREAM_HEALTH_PORT": str(venue_health),
            },
            folder / "venue.log",
        )
        self.ingest = ServiceProcess(
            service,
            {
                "PERPSTREAM_KAFKA_BOOTSTRAP": bootstrap,
                "PERPSTREAM_MARKET_PARTITIONS": str(PARTITIONS),
                "PERPSTREAM_SYMBOLS": symbols,
                "PERPSTREAM_BINANCE_REST_URL": self.url,
                "PERPSTREAM_BINANCE_WEBSOCKET_URL": self.url.replace("http", "ws"),
                "PERPSTREAM_BINANCE_SPOT_REST_URL": self.url,
                "PERPSTREAM_COINBASE_REST_URL": self.url,
                **knobs,
                "PERPSTREAM_HEALTH_PORT": str(self.health_port),
            },
            folder / "ingest.log",
        )

    async def ready(self) -> bool:
        """Whether the ingest service says so."""
        try:
            return await asyncio.to_thread(self._status) == 200
        except OSError:
            return False

    def _status(self) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def logs(self) -> str:
        """The end of both logs, for failure messages."""
        return "\n".join(item.log.read_text()[-3000:] for item in (self.venue, self.ingest) if item.log.exists())

    def venue_trades(self, symbol: str, first: int, last: int) -> dict[int, tuple[str, str, int]]:
        """(price, quantity, time) by id as the venue answers by REST, for ids in [first, last]."""
        found: dict[int, tuple[str, str, int]] = {}
        position = first
        while position <= last:
            query = f"{self.url}/fapi/v1/aggTrades?symbol={symbol}&fromId={position}&limit=1000"
            with urllib.request.urlopen(query, timeout=10) as answer:
                rows = json.load(answer)
            if not rows:
                break
            found |= {row["a"]: (row["p"], row["q"], row["T"]) for row in rows if row["a"] <= last}
            position = rows[-1]["a"] + 1
        return found


@contextmanager
def running(stack: IngestStack) -> Iterator[IngestStack]:
    """Start both; end what still runs."""
    stack.venue.start()
    stack.ingest.start()
    try:
        yield stack
    finally:
        for process in (stack.ingest, stack.venue):
            if process.running:
                process.stop()


async def events_of(bootstrap: str, topic: Topic) -> list[Event]:
    """Everything on a topic, partition by partition, in log order."""
    events = []
    async with LogReader(bootstrap) as log:
        for partition in range(topic.partitions(PARTITIONS)):
            end = await log.end(topic.name, partition)
            async for batch in log.range(topic.name, partition, 0, end):
                events += [decode(record.value, record.headers, topic.events) for record in batch]
    return events


class Published:
    """What every reader sees of market.aggtrade.v1: frames through the gate."""

    def __init__(self, events: list[Event]) -> None:
        self.frames = [event for event in events if isinstance(event, AggTradeFrame)]
        self.bootstraps = [event for event in events if not isinstance(event, AggTradeFrame)]
        self.gates: dict[int, FrameGate] = {}
        self.columns: dict[str, list[TradeColumns]] = {}
        self.watermarks: dict[str, int] = {}
        self.own_watermarks: dict[tuple[str, str, int], int] = {}
        for frame in self.frames:
            self._take(frame)

    def _take(self, frame: AggTradeFrame) -> None:
        columns = self.gates.setdefault(frame.partition, FrameGate()).accept(frame)
        if columns is None:
            return
        for index, part in enumerate(frame.slices):
            rows = columns.select(columns.symbol_index == index)
            watermark = self.watermarks.get(part.symbol, -1)
            assert len(rows) == 0 or int(rows.time.min()) > watermark, "a row at or below a published watermark"
            own = (part.symbol, frame.producer, frame.epoch)
            assert part.watermark_ms >= self.own_watermarks.get(own, -1), "a watermark fell"
            self.own_watermarks[own] = part.watermark_ms
            # A successor begins where it has read to, which its predecessor has meanwhile passed: the greatest one stands.
            self.watermarks[part.symbol] = max(watermark, part.watermark_ms)
            self.columns.setdefault(part.symbol, []).append(rows)

    def ids(self, symbol: str) -> list[int]:
        """Ids in log order."""
        return [int(agg_id) for rows in self.columns.get(symbol, []) for agg_id in rows.agg_id]

    def rows(self, symbol: str) -> dict[int, tuple[int, int, int]]:
        """(scaled price, scaled quantity, trade time) by id."""
        return {
            int(agg_id): (int(price), int(quantity), int(time))
            for rows in self.columns.get(symbol, [])
            for agg_id, price, quantity, time in np.stack([rows.agg_id, rows.price, rows.quantity, rows.trade_time]).T
        }

    def scale(self, symbol: str) -> tuple[int, int]:
        """Price and quantity decimals that the frames state."""
        part = next(part for frame in self.frames for part in frame.slices if part.symbol == symbol)
        return part.price_decimals, part.quantity_decimals


async def published(bootstrap: str) -> Published:
    """Read market.aggtrade.v1."""
    return Published(await events_of(bootstrap, AGGTRADE))
