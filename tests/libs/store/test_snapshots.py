"""Snapshots and the market's identity: kept per log and code, never overwritten by something older or foreign."""

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import ConfigurationError
from libs.store.market_source import claim_source
from libs.store.snapshots import PostgresSnapshots, Snapshot, SnapshotKey

KEY = SnapshotKey("signal_engine", 3, "cluster/topic", "kernel 1")


async def test_a_snapshot_comes_back_byte_for_byte(engine: AsyncEngine) -> None:
    snapshots, state = PostgresSnapshots(engine), bytes(range(256)) * 4000
    assert await snapshots.load(KEY) is None
    assert await snapshots.save(KEY, Snapshot(100, state))
    assert await snapshots.load(KEY) == Snapshot(100, state)


async def test_an_almost_empty_state_takes_little_room_and_what_is_no_state_is_refused(engine: AsyncEngine) -> None:
    snapshots, state = PostgresSnapshots(engine), bytes(1_000_000) + b"the end"
    await snapshots.save(KEY, Snapshot(100, state))
    async with engine.begin() as connection:
        kept = (await connection.execute(text("SELECT octet_length(state) FROM engine_snapshots"))).scalar_one()
        assert kept < len(state) / 50
        await connection.execute(text("UPDATE engine_snapshots SET state = 'no state'::bytea"))
    with pytest.raises(ValueError, match="not a packed state"):
        await snapshots.load(KEY)


async def test_an_older_state_does_not_replace_a_newer_one(engine: AsyncEngine) -> None:
    snapshots = PostgresSnapshots(engine)
    assert await snapshots.save(KEY, Snapshot(100, b"new"))
    assert not await snapshots.save(KEY, Snapshot(99, b"old"))
    assert await snapshots.load(KEY) == Snapshot(100, b"new")


@pytest.mark.parametrize("key", [replace(KEY, code_version="kernel 2"), replace(KEY, generation="cluster/recreated")])
async def test_other_code_and_other_logs_start_anew(engine: AsyncEngine, key: SnapshotKey) -> None:
    snapshots = PostgresSnapshots(engine)
    await snapshots.save(KEY, Snapshot(100, b"first"))
    assert await snapshots.load(key) is None
    assert await snapshots.save(key, Snapshot(5, b"second"))
    assert (await snapshots.load(key), await snapshots.load(KEY)) == (Snapshot(5, b"second"), None)


async def test_a_database_belongs_to_one_market(engine: AsyncEngine) -> None:
    await claim_source(engine, "recording a.gz, times kept")
    await claim_source(engine, "recording a.gz, times kept")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"another market: recording a\.gz, times kept, not seed 7"):
            await claim_source(engine, "seed 7")
