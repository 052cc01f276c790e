"""The main job on real input: a recorded market goes in, exactly that market is stored, and a second run adds nothing."""

from pathlib import Path

import pytest

from tests.e2e.replay import assert_equals_recording, attributed_slice, counts, query
from tests.e2e.stack import Stack, wait_for
from tests.e2e.truth import trades_of

RECORDINGS = Path(__file__).parents[1] / "golden" / "recordings"


def play(stack: Stack, recording: Path, database: str, speed: str) -> None:
    """Run the stack on a recording until the last trade stands in the database."""
    truth = trades_of(recording)
    try:
        stack.up("--recording", str(recording), "--speed", speed, "--database", database)
        wait_for(lambda: bool(stack.simulator()["ended"]), 300, "the recording's end", stack)
        wait_for(lambda: _rows(stack) >= len(truth), 60, "the last trade in PostgreSQL", stack)
        grid = truth[-1].time_ms // 15_000 * 15_000
        wait_for(lambda: _last_evaluation(stack) >= grid, 60, "the last evaluation in PostgreSQL", stack)
    finally:
        stack.down()


def _rows(stack: Stack) -> int:
    return int(query(stack.database_url(), "SELECT count(*) AS n FROM agg_trades")[0]["n"])


def _last_evaluation(stack: Stack) -> int:
    sql = "SELECT coalesce(extract(epoch FROM max(event_time)) * 1000, 0)::bigint AS ms FROM signal_indicators"
    return int(query(stack.database_url(), sql)[0]["ms"])


@pytest.mark.e2e
def test_a_recording_is_stored_exactly_and_a_second_run_adds_nothing(tmp_path: Path, database_url: str) -> None:
    recording, plain = attributed_slice(RECORDINGS), database_url.replace("+asyncpg", "")
    play(Stack(tmp_path / "first"), recording, database_url, "10")
    assert assert_equals_recording(plain, trades_of(recording)) >= 3
    before = counts(plain)
    play(Stack(tmp_path / "second"), recording, database_url, "10")
    assert counts(plain) == before
