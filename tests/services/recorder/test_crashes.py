"""kill -9 of the recorder, the database and the broker while a timeline grows: at the end the tables hold exactly the log."""

import asyncio
import json
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import text

from infra.local.ports import free_port
from libs.contracts.topics import TIMELINE
from libs.kit.errors import UnreachableError
from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import create_engine, read_session
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from services.recorder.upkeep import FLOWING, WRITING
from tests.services.processes import ServiceProcess, eventually
from tests.services.recorder.timelines import TimelineWriter, frame, liquidation, mark_price
from tests.support.servers import Broker, Database

FRAMES, ROWS = 400, 25
PATIENCE_SECONDS = 120.0


async def _write(producer: EventProducer, owner: TimelineWriter) -> None:
    """A timeline of ten-odd seconds; sends wait while the broker is away."""
    await producer.send_encoded(TIMELINE.name, owner.fence(), key=b"0", partition=0)
    for number in range(FRAMES):
        made = owner.copy(frame(1 + number * ROWS, ROWS, sequence=number))
        await producer.send_encoded(TIMELINE.name, made, key=b"0", partition=0)
        if number % 10 == 0:
            made = owner.copy(liquidation(number + 1))
            await producer.send_encoded(TIMELINE.name, made, key=b"0", partition=0)
        await asyncio.sleep(0.03)
    await producer.flush()


async def _keep_alive(producer: EventProducer, owner: TimelineWriter) -> None:
    """A living timeline has a record a second; a recorder that sees none for ten is right to say that something hangs."""
    number = 0
    while True:
        made = owner.copy(mark_price(number))
        await producer.send_encoded(TIMELINE.name, made, key=b"0", partition=0)
        await asyncio.sleep(1.0)
        number += 1


async def _ask(database: Database, statement: str) -> list[tuple[Any, ...]]:
    engine = create_engine(DatabaseSettings(database_url=database.url))
    try:
        async with read_session(engine) as session:
            return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]
    finally:
        await engine.dispose()


async def _rows(database: Database) -> int:
    try:
        ((count,),) = await _ask(database, "SELECT coalesce(sum(row_count), 0) FROM agg_trades_meta")
        return int(count)
    except UnreachableError:
        return -1


async def _until_more_rows(database: Database) -> None:
    before = await _rows(database)

    async def more() -> bool:
        return await _rows(database) > before

    await eventually(more, PATIENCE_SECONDS, lambda: "the recorder goes on")


async def _until_all_rows(database: Database) -> None:
    async def all_rows() -> bool:
        return await _rows(database) >= FRAMES * ROWS

    await eventually(all_rows, PATIENCE_SECONDS, lambda: f"{FRAMES * ROWS} rows")


async def _supervise(process: ServiceProcess, stopping: asyncio.Event) -> None:
    """What a supervisor does: start it again whenever it has ended."""
    while not stopping.is_set():
        if not process.running:
            process.start()
        await asyncio.sleep(0.2)


async def _die_for_half_a_second(server: Broker | Database) -> None:
    await asyncio.to_thread(server.kill)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.start)


async def _is_ready(port: int) -> bool:
    def ask() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                return bool(json.load(answer)["ready"])
        except OSError:
            return False

    return await asyncio.to_thread(ask)


async def _missing(port: int) -> dict[str, str]:
    def ask() -> dict[str, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                return dict(json.load(answer)["missing"])
        except urllib.error.HTTPError as answer:
            return dict(json.load(answer)["missing"])

    return await asyncio.to_thread(ask)


async def test_whatever_is_killed_the_tables_hold_exactly_the_log(
    own_kafka: Broker, own_postgres: Database, tmp_path: Path
) -> None:
    await ensure_topics(own_kafka.bootstrap, 1)
    engine = create_engine(DatabaseSettings(database_url=own_postgres.url))
    await migrate.upgrade(engine)
    await engine.dispose()
    port = free_port()
    environment = {
        "PERPSTREAM_KAFKA_BOOTSTRAP": own_kafka.bootstrap,
        "PERPSTREAM_DATABASE_URL": own_postgres.url,
        "PERPSTREAM_RECORDER_BATCH_RECORDS": "20",
        "PERPSTREAM_HEALTH_PORT": str(port),
    }
    recorder, stopping = ServiceProcess("recorder", environment, tmp_path / "log"), asyncio.Event()
    supervisor = asyncio.create_task(_supervise(recorder, stopping))
    producer = EventProducer(own_kafka.bootstrap, service="test")
    await producer.start()
    owner = TimelineWriter()
    writing = asyncio.create_task(_write(producer, owner))
    await _until_more_rows(own_postgres)
    recorder.kill()
    await _until_more_rows(own_postgres)
    await _die_for_half_a_second(own_postgres)
    await _until_more_rows(own_postgres)
    await _die_for_half_a_second(own_kafka)
    await writing
    await _until_all_rows(own_postgres)
    living = asyncio.create_task(_keep_alive(producer, owner))
    await eventually(lambda: _is_ready(port), PATIENCE_SECONDS, lambda: "readiness returns")
    living.cancel()
    stopping.set()
    await supervisor
    assert recorder.stop() == 0
    await producer.stop()

    ids = range(1, FRAMES * ROWS + 1)
    quantity = Decimal(sum(1 + number % 101 for number in ids)).scaleb(-3)
    notional = Decimal(sum((6_000_000 + number % 997) * (1 + number % 101) for number in ids)).scaleb(-5)
    totals = "count(*), count(DISTINCT agg_id), min(agg_id), max(agg_id), sum(quantity), sum(price * quantity)"
    assert await _ask(own_postgres, f"SELECT {totals} FROM agg_trades") == [
        (len(ids), len(ids), 1, len(ids), quantity, notional)
    ]
    assert await _ask(own_postgres, "SELECT row_count, missing_count, conflict_count FROM agg_trades_meta") == [
        (len(ids), 0, 0)
    ]
    assert await _ask(own_postgres, "SELECT DISTINCT sum(event_count) FROM liquidation_agg GROUP BY window_ms") == [
        (FRAMES // 10,)
    ]
    assert "Traceback" not in (tmp_path / "log").read_text()


async def test_a_database_that_is_away_is_named_by_readiness(
    own_kafka: Broker, own_postgres: Database, tmp_path: Path
) -> None:
    await ensure_topics(own_kafka.bootstrap, 1)
    engine = create_engine(DatabaseSettings(database_url=own_postgres.url))
    await migrate.upgrade(engine)
    await engine.dispose()
    port = free_port()
    environment = {
        "PERPSTREAM_KAFKA_BOOTSTRAP": own_kafka.bootstrap,
        "PERPSTREAM_DATABASE_URL": own_postgres.url,
        "PERPSTREAM_HEALTH_PORT": str(port),
    }
    recorder = ServiceProcess("recorder", environment, tmp_path / "log")
    producer, owner = EventProducer(own_kafka.bootstrap, service="test"), TimelineWriter()
    await producer.start()
    await producer.send_encoded(TIMELINE.name, owner.fence(), key=b"0", partition=0)
    living = asyncio.create_task(_keep_alive(producer, owner))
    recorder.start()
    await eventually(lambda: _is_ready(port), PATIENCE_SECONDS, recorder.log.read_text)
    await asyncio.to_thread(own_postgres.kill)

    async def named() -> bool:
        missing = await _missing(port)
        assert FLOWING not in missing
        return "the database" in missing.get(WRITING, "")

    await eventually(named, PATIENCE_SECONDS, recorder.log.read_text)
    await asyncio.to_thread(own_postgres.start)
    await eventually(lambda: _is_ready(port), PATIENCE_SECONDS, recorder.log.read_text)
    living.cancel()
    assert recorder.stop() == 0
    await producer.stop()
