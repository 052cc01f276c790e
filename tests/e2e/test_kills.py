"""kill -9 of every process of the stack, once each, while a recording plays: the stack heals itself and nothing is lost."""

import os
import signal
from pathlib import Path

import pytest

from tests.e2e.replay import assert_equals_recording, attributed_slice, stored_evaluations, stored_trades
from tests.e2e.stack import Stack, wait_for
from tests.e2e.truth import trades_of

RECORDINGS = Path(__file__).parents[1] / "golden" / "recordings"
RECOVERY_SECONDS = 90


@pytest.mark.e2e
def test_the_stack_heals_itself_after_every_kill(tmp_path: Path) -> None:
    recording, stack = attributed_slice(RECORDINGS), Stack(tmp_path / "state")
    truth = trades_of(recording)
    try:
        stack.up("--recording", str(recording), "--speed", "1")
        for name in [service.name for service in stack.run_file().services]:
            victim = stack.pid_of(name)
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda n=name, v=victim: _replaced(stack, n, v), RECOVERY_SECONDS, f"{name} to be replaced", stack)  # type: ignore[misc]
            wait_for(stack.ready, RECOVERY_SECONDS, f"recovery from the loss of {name}", stack)
        wait_for(lambda: bool(stack.simulator()["ended"]), 300, "the recording's end", stack)
        url, grid = stack.database_url(), truth[-1].time_ms // 15_000 * 15_000
        wait_for(lambda: len(stored_trades(url)) >= len(truth), 60, "the last trade in PostgreSQL", stack)
        wait_for(lambda: stored_evaluations(url)[-1].event_time_ms >= grid, 60, "the last evaluation", stack)
        assert_equals_recording(url, truth)
    finally:
        stack.down()


def _replaced(stack: Stack, name: str, victim: int) -> bool:
    entry = next(service for service in stack.run_file().services if service.name == name)
    return entry.pid is not None and entry.pid != victim
