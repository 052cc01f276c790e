"""One gateway process for a module, on a database that holds known rows and a topic that holds known rates."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.local.ports import free_port
from libs.contracts.codec import encode
from libs.contracts.frames import read_columns
from libs.contracts.market import FeedState, FeedStatusChanged, Hole, TradeGapChanged
from libs.contracts.timeline import PlacedHole
from libs.contracts.topics import MARKPRICE
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, write_session
from libs.store.feeds import write_feed_reports
from libs.store.gaps import write_gap_changes, write_gaps
from libs.store.market_facts import Placed, write_market_facts
from libs.store.partitions import create_partitions, months_between
from libs.store.signals import Stored, write_signals
from libs.store.trade_batches import FrameRows, group_by_symbol
from libs.store.trades import write_trades
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from tests.services.gateway.stored import api, filled, shared
from tests.services.processes import ServiceProcess
from tests.services.recorder.test_recorder import scored
from tests.services.recorder.timelines import START_MS, frame, liquidation, mark_price
from tests.support.servers import Broker, Database

__all__ = ["api", "filled", "shared"]
START_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Caller:
    """Asks one gateway. `token`: what it signs in with, once `sign_in` was called."""

    url: str
    bootstrap: str
    health_url: str = ""
    token: list[str] = field(default_factory=list)

    def sign_in(self) -> None:
        """From now on, ask as the local viewer."""
        answer = self.send("POST", "/api/auth/local", {"given_to": "program"})
        assert answer.status == 200, answer.body
        self.token[:] = [answer.json["tokens"]["access_token"]]

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, **headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request; a header's name is written with _ for -."""
        sent = {"Authorization": f"Bearer {self.token[0]}"} if self.token else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())

    def wait_ready(self) -> None:
        """Until /readyz says yes."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            try:
                if self.get("/readyz").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError("the gateway did not become ready")


STATES: tuple[tuple[str, str, FeedState], ...] = (
    ("trades", "BTCUSDT", "live"),
    ("trades", "ETHUSDT", "silent"),
    ("liquidations", "BTCUSDT", "live"),
)
FEED_REPORTS = [
    FeedStatusChanged(
        event_id=f"{feed}:{symbol}",
        event_time_ms=START_MS + 20_000,
        feed=feed,
        symbol=symbol,
        state=state,
        detail="",
        last_event_time_ms=START_MS + 19_000,
        since_ms=START_MS,
        events_per_second=12.5,
        gaps_filled=3,
        completeness_1h_ppm=999_999,
    )
    for feed, symbol, state in STATES
]


def gap_change(number: int) -> TradeGapChanged:
    """A gap of the second symbol that was filled, ten seconds after the one before."""
    begun = START_MS + 10_000 * number
    return TradeGapChanged(
        event_id=f"gap:{number}",
        event_time_ms=begun + 900,
        symbol="ETHUSDT",
        first_missing_id=1_000 + 10 * number,
        last_missing_id=1_004 + 10 * number,
        from_ms=begun,
        to_ms=begun + 500,
        cause="disconnected",
        outcome="filled",
        found_ms=begun + 600,
        closed_ms=begun + 900,
    )


async def fill_database(url: str) -> None:
    """200 trades of two symbols over 20 ms and one more a minute later, a hole, gaps, feeds, stored rates, five signals."""
    engine = create_engine(DatabaseSettings(database_url=url))
    await migrate.upgrade(engine)
    made = frame(1, 200, symbols=("BTCUSDT", "ETHUSDT"))
    later = frame(600_001, 1)
    async with write_session(engine) as session:
        await create_partitions(session, months_between(START_MS, START_MS))
    async with write_session(engine) as session:
        for each in (made, later):
            await write_trades(session, group_by_symbol([FrameRows(each, read_columns(each))]))
        await write_gaps(
            session, [PlacedHole(-1, Hole("BTCUSDT", 201, 600_000, START_MS, START_MS + 1000, "rest_no_longer_has_it"))]
        )
        rates = [mark_price(number, symbol=symbol) for number in (1, 2) for symbol in ("BTCUSDT", "SOLUSDT")]
        await write_market_facts(session, [Placed(rate, START_MS) for rate in rates])
        await write_gap_changes(session, [gap_change(number) for number in range(3)])
        await write_feed_reports(session, [(report, START_MS) for report in FEED_REPORTS])
        orders = [liquidation(number) for number in (1, 2, 400)] + [liquidation(3, side="BUY")]
        await write_market_facts(session, [Placed(order, START_MS) for order in orders])
        await write_signals(session, [Stored(event, encode(event).value, "") for event in map(scored, range(5))])
    await engine.dispose()


async def fill(url: str, bootstrap: str) -> None:
    """The rows of `fill_database`; on the topic, live rates."""
    await fill_database(url)
    await ensure_topics(bootstrap, 1)
    producer = EventProducer(bootstrap, service="test")
    await producer.start()
    for rate in (mark_price(9), mark_price(8), mark_price(7, symbol="ETHUSDT"), mark_price(7, symbol="NOTOURSUSDT")):
        await producer.send(MARKPRICE, rate, key=rate.symbol, partition=0)
    await producer.stop()


@pytest.fixture(scope="module")
def gateway(
    session_broker: Broker, module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Caller]:
    session_broker.delete_all_topics()
    asyncio.run(fill(module_database_url, session_broker.bootstrap))
    port, health_port = free_port(), free_port()
    environment = {
        "PERPSTREAM_HEALTH_PORT": str(health_port),
        "PERPSTREAM_KAFKA_BOOTSTRAP": session_broker.bootstrap,
        "PERPSTREAM_DATABASE_URL": module_database_url,
        "PERPSTREAM_GATEWAY_PORT": str(port),
        "PERPSTREAM_GATEWAY_LOCAL_VIEWER": "true",
        "PERPSTREAM_GATEWAY_STATE_DIR": str(tmp_path_factory.mktemp("gateway-state")),
    }
    process = ServiceProcess("gateway", environment, tmp_path_factory.mktemp("gateway") / "log")
    process.start()
    caller = Caller(f"http://127.0.0.1:{port}", session_broker.bootstrap, f"http://127.0.0.1:{health_port}")
    caller.wait_ready()
    caller.sign_in()
    yield caller
    assert process.stop() == 0


@pytest.fixture
def own_gateway(own_postgres: Database, empty_kafka: str, tmp_path: Path) -> Iterator[Caller]:
    """A gateway whose database a test may kill."""
    asyncio.run(fill(own_postgres.url, empty_kafka))
    port = free_port()
    environment = {
        "PERPSTREAM_KAFKA_BOOTSTRAP": empty_kafka,
        "PERPSTREAM_DATABASE_URL": own_postgres.url,
        "PERPSTREAM_GATEWAY_PORT": str(port),
        "PERPSTREAM_GATEWAY_LOCAL_VIEWER": "true",
        "PERPSTREAM_GATEWAY_STATE_DIR": str(tmp_path / "state"),
    }
    process = ServiceProcess("gateway", environment, tmp_path / "log")
    process.start()
    caller = Caller(f"http://127.0.0.1:{port}", empty_kafka)
    caller.wait_ready()
    caller.sign_in()
    yield caller
    process.stop()
