"""Positions move by compare-and-set, in the rows' transaction, per incarnation of the log."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.store import engine as engine_module
from libs.store.engine import DatabaseBusy, read_session, write_session
from libs.store.offsets import LogPartition, OffsetConflict, PostgresOffsets, advance

LOG = LogPartition("recorder", "market.timeline.v1", 2, "cluster/topic")
GAP = "INSERT INTO market_data_gaps VALUES ('BTCUSDT', $1, $1, now(), now(), 'test')"


async def _gaps(engine: AsyncEngine) -> int:
    async with read_session(engine) as session:
        return int((await session.connection.execute(text("SELECT count(*) FROM market_data_gaps"))).scalar_one())


async def _write_row_then_advance(engine: AsyncEngine, old: int | None) -> None:
    async with write_session(engine) as session:
        await session.raw.execute(GAP, 1)
        await advance(session, LOG, old, 20)


async def test_a_position_is_loaded_where_it_was_left(engine: AsyncEngine) -> None:
    offsets = PostgresOffsets(engine)
    assert await offsets.load(*LOG) is None
    async with write_session(engine) as session:
        await advance(session, LOG, None, 10)
    async with write_session(engine) as session:
        await advance(session, LOG, 10, 25)
    assert await offsets.load(*LOG) == 25


async def test_a_new_log_starts_at_its_beginning_and_leaves_the_old_position(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await advance(session, LOG, None, 10)
    recreated = LOG._replace(generation="cluster/recreated")
    offsets = PostgresOffsets(engine)
    assert await offsets.load(*recreated) is None
    async with write_session(engine) as session:
        await advance(session, recreated, None, 3)
    assert (await offsets.load(*recreated), await offsets.load(*LOG)) == (3, 10)


@pytest.mark.parametrize("old", [None, 9, 11])
async def test_a_wrong_idea_of_the_position_rolls_the_rows_back(engine: AsyncEngine, old: int | None) -> None:
    async with write_session(engine) as session:
        await advance(session, LOG, None, 10)
    with pytest.raises(OffsetConflict):
        await _write_row_then_advance(engine, old)
    assert await _gaps(engine) == 0
    assert await PostgresOffsets(engine).load(*LOG) == 10


@pytest.mark.parametrize("start", [None, 10])
async def test_of_two_zombies_exactly_one_writes(engine: AsyncEngine, start: int | None) -> None:
    if start is not None:
        async with write_session(engine) as session:
            await advance(session, LOG, None, start)
    both_began = asyncio.Barrier(2)

    async def owner(number: int) -> int:
        async with write_session(engine) as session:
            await both_began.wait()
            await advance(session, LOG, start, 20)
            await session.raw.execute(GAP, number)
        return number

    outcomes = await asyncio.gather(owner(1), owner(2), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["OffsetConflict", "int"]
    assert await _gaps(engine) == 1
    assert await PostgresOffsets(engine).load(*LOG) == 20


async def test_positions_do_not_run_backwards(engine: AsyncEngine) -> None:
    with pytest.raises(ValueError, match="backwards"):
        async with write_session(engine) as session:
            await advance(session, LOG, 10, 9)


@pytest.mark.parametrize("longest_copy", [120, 11])
async def test_a_session_that_was_paused_in_its_transaction_is_ended_for_its_successor(
    engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch, longest_copy: int
) -> None:
    monkeypatch.setattr(engine_module, "_LONGEST_COPY_SECONDS", longest_copy)
    copy_is_paused = longest_copy < 60
    logs = [LOG._replace(partition=partition) for partition in range(3)]
    for log in logs:
        async with write_session(engine) as session:
            await advance(session, log, None, 10)
    holders = [await asyncpg.connect(database_url.replace("+asyncpg", "")) for _ in logs]
    for log, holder in zip(logs, holders, strict=True):
        await holder.execute("BEGIN")
        await holder.execute("UPDATE consumer_offsets SET next_offset = 15 WHERE partition = $1", log.partition)
    silent, copying, talking = holders
    in_copy = asyncio.create_task(copying.copy_to_table("market_data_gaps", source=_nothing_ever()))
    talk = asyncio.create_task(_talk(talking))
    try:
        async with asyncio.timeout(40):
            await asyncio.gather(*(_until_advanced(engine, log) for log in logs[: 1 + copy_is_paused]))
        with pytest.raises(DatabaseBusy, match="another session keeps rows locked"):
            await _advance(engine, logs[2])
        assert [holder.is_closed() for holder in (silent, copying, talking)] == [True, copy_is_paused, False]
    finally:
        talk.cancel()
        in_copy.cancel()
        for holder in holders:
            holder.terminate()


async def _advance(engine: AsyncEngine, log: LogPartition) -> None:
    async with write_session(engine) as session:
        await advance(session, log, 10, 20)


async def _until_advanced(engine: AsyncEngine, log: LogPartition) -> None:
    while True:
        try:
            return await _advance(engine, log)
        except DatabaseBusy:
            continue


async def _nothing_ever() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def _talk(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    while True:
        await connection.execute("SELECT pg_sleep(0.2)")
