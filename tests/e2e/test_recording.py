"""The main job on real input: a recorded market goes in, exactly that market is stored, and a second run adds nothing."""

import asyncio
from pathlib import Path

import pytest

from libs.contracts.topics import SIGNAL_INDICATOR, TIMELINE, Topic
from libs.streaming.generation import log_generation
from libs.streaming.records import LogReader
from tests.e2e.replay import SYMBOL, assert_equals_recording, attributed_slice, counts, query
from tests.e2e.stack import Stack, wait_for
from tests.e2e.truth import trades_of

RECORDINGS = Path(__file__).parents[1] / "golden" / "recordings"


def play(stack: Stack, recording: Path, database: str, speed: str) -> None:
    """Run the stack on a recording until all of this run's log stands in the database, whatever stood there before."""
    truth = trades_of(recording)
    evaluations = truth[-1].time_ms // 15_000 - truth[0].time_ms // 15_000
    try:
        stack.up("--recording", str(recording), "--speed", speed, "--database", database)
        wait_for(lambda: bool(stack.simulator()["ended"]), 300, "the recording's end", stack)
        wait_for(
            lambda: _records(stack, SIGNAL_INDICATOR) >= evaluations, 60, "the last evaluation on its topic", stack
        )
        for topic in (TIMELINE, SIGNAL_INDICATOR):
            end = _records(stack, topic)
            wait_for(lambda t=topic, e=end: _recorded(stack, t) >= e, 60, f"{topic.name} in PostgreSQL", stack)  # type: ignore[misc]
    finally:
        stack.down()


def _records(stack: Stack, topic: Topic) -> int:
    async def ask() -> int:
        async with LogReader(stack.run_file().kafka_bootstrap) as log:
            return sum([await log.end(topic.name, partition) for partition in await log.partitions(topic.name)])

    return asyncio.run(ask())


def _recorded(stack: Stack, topic: Topic) -> int:
    """How far the recorder has come in this run's log."""
    generation = asyncio.run(log_generation(stack.run_file().kafka_bootstrap, topic.name))
    rows = query(stack.database_url(), "SELECT topic, generation, next_offset FROM consumer_offsets")
    return sum(row["next_offset"] for row in rows if (row["topic"], row["generation"]) == (topic.name, generation))


@pytest.mark.e2e
@pytest.mark.parametrize(("speed", "again"), [("10", "max"), ("max", "10")])
def test_a_recording_is_stored_exactly_and_a_second_run_adds_nothing(
    tmp_path: Path, database_url: str, speed: str, again: str
) -> None:
    recording, plain = attributed_slice(RECORDINGS), database_url.replace("+asyncpg", "")
    play(Stack(tmp_path / "first"), recording, database_url, speed)
    assert assert_equals_recording(plain, trades_of(recording)) >= 3
    meta = query(plain, "SELECT * FROM agg_trades_meta")
    assert [row["symbol"] for row in meta] == [SYMBOL]
    before = counts(plain)
    play(Stack(tmp_path / "second"), recording, database_url, again)
    assert counts(plain) == before
