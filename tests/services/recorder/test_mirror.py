"""A second database gets the same rows; when it dies nobody else notices, and when it is back it catches up."""

import asyncio
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
from tests.services.processes import ServiceProcess, eventually, lacking
from tests.services.recorder.timelines import TimelineWriter, frame, garbled, liquidation, mark_price
from tests.support.servers import Database

FRAMES, ROWS = 40, 25
PATIENCE_SECONDS = 120.0
COUNT = "SELECT coalesce(sum(row_count), 0)::int FROM agg_trades_meta"
CONTENTS = (
    "SELECT symbol, agg_id, trade_time, price, quantity, effective_time FROM agg_trades ORDER BY symbol, agg_id",
    "SELECT symbol, first_id, last_id, row_count, missing_count, conflict_count FROM agg_trades_meta ORDER BY symbol",
    "SELECT event_id, quantity, effective_at FROM liquidation_events ORDER BY event_id",
    "SELECT symbol, event_time, mark_price FROM rate_snapshots ORDER BY symbol, event_time",
)


async def _ask(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = create_engine(DatabaseSettings(database_url=url))
    try:
        async with read_session(engine) as session:
            return [tuple(row) for row in (await session.connection.execute(text(statement))).all()]
    finally:
        await engine.dispose()


async def _rows(url: str) -> int:
    try:
        return int((await _ask(url, COUNT))[0][0])
    except UnreachableError:  # no server, or no table yet
        return -1


async def _until(url: str, rows: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await _rows(url) != rows:  # noqa: ASYNC110 - another process does the work
            await asyncio.sleep(0.1)


async def _append(bootstrap: str, owner: TimelineWriter, first: int) -> None:
    producer = EventProducer(bootstrap, service="test")
    await producer.start()
    if first == 0:
        await producer.send_encoded(TIMELINE.name, owner.fence(), key=b"0", partition=0)
    for number in range(first, first + FRAMES):
        facts = [frame(1 + number * ROWS, ROWS, sequence=number), liquidation(number + 1), mark_price(number)]
        for made in (owner.copy(fact) for fact in facts):
            await producer.send_encoded(TIMELINE.name, made, key=b"0", partition=0)
    await producer.send_encoded(TIMELINE.name, garbled(owner.copy(mark_price(first))), key=b"0", partition=0)
    await producer.stop()


async def test_a_dead_mirror_is_noticed_by_nobody_and_catches_up(
    empty_kafka: str, database_url: str, own_postgres: Database, tmp_path: Path
) -> None:
    await ensure_topics(empty_kafka, 1)
    engine = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(engine)
    await engine.dispose()
    common = {"PERPSTREAM_KAFKA_BOOTSTRAP": empty_kafka, "PERPSTREAM_MARKET_PARTITIONS": "1"}
    ports = [free_port(), free_port()]
    recorder = ServiceProcess(
        "recorder",
        common | {"PERPSTREAM_DATABASE_URL": database_url, "PERPSTREAM_HEALTH_PORT": str(ports[0])},
        tmp_path / "recorder.log",
    )
    mirror = ServiceProcess(
        "recorder.mirror",
        common | {"PERPSTREAM_MIRROR_DATABASE_URL": own_postgres.url, "PERPSTREAM_HEALTH_PORT": str(ports[1])},
        tmp_path / "mirror.log",
    )
    owner = TimelineWriter()
    recorder.start()
    mirror.start()
    try:
        await _append(empty_kafka, owner, 0)
        await _until(own_postgres.url, FRAMES * ROWS)
        own_postgres.kill()
        await _append(empty_kafka, owner, FRAMES)
        await _until(database_url, 2 * FRAMES * ROWS)
        assert (await lacking(ports[1]), mirror.running, await _rows(own_postgres.url)) == ({}, True, -1)
        own_postgres.start()
        await _until(own_postgres.url, 2 * FRAMES * ROWS)
        await eventually(lambda: _same(database_url, own_postgres.url), PATIENCE_SECONDS, lambda: "both hold the same")
    finally:
        codes = recorder.stop(), mirror.stop()
    assert codes == (0, 0)
    password = own_postgres.url.partition("//")[2].partition("@")[0].partition(":")[2]
    log = (tmp_path / "mirror.log").read_text()
    assert password
    assert password not in log
    assert "does not answer" in log or "closed the connection" in log
    assert "critical" not in (tmp_path / "recorder.log").read_text().lower()


async def _same(first: str, second: str) -> bool:
    for statement in CONTENTS:
        if await _ask(first, statement) != await _ask(second, statement):
            return False
    return True


def test_a_mirror_without_an_address_says_so(tmp_path: Path) -> None:
    mirror = ServiceProcess("recorder.mirror", {"PERPSTREAM_MIRROR_DATABASE_URL": ""}, tmp_path / "mirror.log")
    mirror.start()
    assert mirror.wait(60) == 2
    assert "no mirror is named (PERPSTREAM_MIRROR_DATABASE_URL)" in (tmp_path / "mirror.log").read_text()
