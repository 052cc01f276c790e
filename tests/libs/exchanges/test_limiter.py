"""Processes that share a budget: together they ask no more than one may, the urgent first, whoever is killed."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from libs.exchanges import limiter as limiter_module
from libs.exchanges.budget import Pool, Priority
from libs.exchanges.limiter import FORGET_SECONDS, Limiter, Turn, open_limiter, state_file
from libs.exchanges.shared_file import SharedFile
from libs.kit.clock import MachineClock
from libs.kit.metrics import REGISTRY
from tests.libs.exchanges.asking import POOL
from tests.services.processes import eventually

URL = "http://127.0.0.1:9000"


@dataclass
class Asker:
    """A process of `asking`, and what it noted."""

    priority: Priority
    weight: int
    process: "subprocess.Popen[str]"
    first: str = ""

    async def begun(self) -> None:
        """Wait for its first turn."""
        assert self.process.stdout is not None
        self.first = await asyncio.to_thread(self.process.stdout.readline)

    def kill(self) -> list[tuple[int, int]]:
        """SIGKILL; when each of its turns was wanted and given."""
        self.process.kill()
        return self.turns()

    def turns(self) -> list[tuple[int, int]]:
        """Its turns, when it has ended; half a line is no turn."""
        said, _ = self.process.communicate(timeout=30)
        lines = [line.split() for line in (self.first + said).splitlines(keepends=True) if line.endswith("\n")]
        return [(int(wanted), int(given)) for wanted, given in lines]


@dataclass
class Askers:
    """Starts processes on one file."""

    file: Path
    started: list[Asker] = field(default_factory=list)

    def start(self, priority: Priority, weight: int, questions: int = 0) -> Asker:
        words = ["-m", "tests.libs.exchanges.asking", str(self.file), priority.name, str(weight), str(questions)]
        process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
        self.started.append(Asker(priority, weight, process))
        return self.started[-1]


@pytest.fixture
def askers(tmp_path: Path) -> Iterator[Askers]:
    found = Askers(tmp_path / "requests" / "host")
    yield found
    for asker in found.started:
        asker.process.kill()
        asker.process.wait()


def _assert_windows(turns: list[tuple[int, int, Priority]]) -> None:
    """No window that ends with a turn holds more than all may ask, nor, before it, more than its priority may fill."""
    for end, weight, priority in turns:
        window = [(at, other) for at, other, _ in turns if end - POOL.window_ms < at <= end]
        assert sum(other for _, other in window) <= POOL.limit * POOL.share
        before = sum(other for at, other in window if at < end)
        assert before + weight <= POOL.ceiling(POOL.limit, priority), f"{before} before {end} for {priority.name}"


async def _waiting(limiter: Limiter, pool: Pool, expected: tuple[int, ...]) -> None:
    async def wait() -> bool:
        return limiter.usage(pool).waiting == expected

    await eventually(wait, 20, lambda: f"waiting: {limiter.usage(pool).waiting}")


async def test_processes_together_ask_no_more_than_one_may_and_the_urgent_come_first(askers: Askers) -> None:
    for weight in (3, 7, 20):
        await askers.start(Priority.WARM_UP, weight).begun()
    await askers.start(Priority.LIVE, 1).begun()
    urgent = askers.start(Priority.POSITIONS, 20, questions=25)
    first = await asyncio.to_thread(urgent.turns)
    others = [asker for asker in askers.started if asker is not urgent]
    turns = [(given, urgent.weight, urgent.priority) for _, given in first]
    for asker in others:
        turns += [(given, asker.weight, asker.priority) for _, given in asker.kill()]
    _assert_windows(turns)
    assert len(first) == 25
    waits = [(wanted, given) for wanted, given in first if given > wanted]
    assert waits, "25 questions of 20 do not fit into two windows of 160"
    for wanted, given in waits:
        between = [at for at, _, priority in turns if priority is not Priority.POSITIONS and wanted < at < given]
        assert between == [], "nobody is served while somebody waits who comes first"


async def test_processes_that_are_killed_in_the_middle_leave_the_budget_as_it_was(askers: Askers) -> None:
    turns: list[tuple[int, int, Priority]] = []
    survivor = askers.start(Priority.LIVE, 2)
    for _ in range(4):
        doomed = [askers.start(Priority.GAPS, 20), askers.start(Priority.LIVE, 5)]
        await doomed[0].begun()
        for asker in doomed:
            turns += [(given, asker.weight, asker.priority) for _, given in asker.kill()]
    turns += [(given, survivor.weight, survivor.priority) for _, given in survivor.kill()]
    _assert_windows(turns)
    assert SharedFile(askers.file).change(lambda content: (content or b"", content)), "it is whole"


async def test_a_dead_waiter_holds_nobody_up_for_long(askers: Askers) -> None:
    limiter = Limiter("test", MachineClock(), file=SharedFile(askers.file))
    await limiter.take(POOL, 160, Turn(Priority.POSITIONS))
    waiting = askers.start(Priority.POSITIONS, 150)
    await _waiting(limiter, POOL, (0, 1, 0, 0, 0))
    waiting.process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    await limiter.take(POOL, 1, Turn(Priority.WARM_UP))
    assert time.monotonic() - began < FORGET_SECONDS + POOL.window_ms / 1000 + 2
    assert limiter.usage(POOL).waiting == (0, 0, 0, 0, 0)


async def test_a_question_that_is_given_up_waits_no_longer(tmp_path: Path) -> None:
    limiter = open_limiter("test", URL, tmp_path, 1.0)
    await limiter.take(POOL, 160, Turn(Priority.POSITIONS))
    waiting = asyncio.create_task(limiter.take(POOL, 100, Turn(Priority.GAPS)))
    await _waiting(limiter, POOL, (0, 0, 1, 0, 0))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert limiter.usage(POOL).waiting == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("content", [b"\0" * 100, b"perpstream-shared-1 00000000 {}", b"[1, 2", b"x" * 5_000_000])
async def test_a_damaged_or_foreign_file_is_begun_anew_and_a_known_ban_is_kept(tmp_path: Path, content: bytes) -> None:
    limiter, other = (open_limiter("test", URL, tmp_path, 1.0) for _ in range(2))
    await limiter.refuse(POOL, 60_000, banned=True)
    state_file(tmp_path, "test", URL, 1.0).write_bytes(content)
    with capture_logs() as logs:
        assert await limiter.take(POOL, 1, Turn(patience_seconds=0.0)) is not None
    assert "begun anew" in logs[0]["event"]
    left = await other.take(POOL, 1, Turn(patience_seconds=0.0))
    assert left is not None
    assert left.reason == "banned"


async def test_content_of_another_shape_is_begun_anew(tmp_path: Path) -> None:
    limiter = open_limiter("test", URL, tmp_path, 1.0)
    SharedFile(state_file(tmp_path, "test", URL, 1.0)).change(lambda _: (b'{"pools":7}', None))
    with capture_logs() as logs:
        assert await limiter.take(POOL, 1, Turn()) is None
    assert "begun anew" in logs[0]["event"]
    assert limiter.usage(POOL).used == 1


async def test_without_a_usable_folder_a_process_counts_for_itself_and_says_so_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    limiter = open_limiter("test", URL, tmp_path / "file", 1.0)
    with capture_logs() as logs:
        for _ in range(3):
            assert await limiter.take(POOL, 50, Turn(Priority.POSITIONS)) is None
        left = await limiter.take(POOL, 50, Turn(Priority.POSITIONS, patience_seconds=0.0))
    assert left is not None
    assert left.reason == "full"
    assert [line["event"] for line in logs] == ["requests cannot be counted together with other processes"]
    assert limiter.usage(POOL).used == 150


async def test_a_file_that_is_locked_for_long_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter_module, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(limiter_module, "LONGEST_BUSY_SECONDS", 0.2)
    limiter = open_limiter("test", URL, tmp_path, 1.0)
    await limiter.take(POOL, 1, Turn())
    holder = os.open(state_file(tmp_path, "test", URL, 1.0), os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with capture_logs() as logs:
        await limiter.refuse(POOL, 60_000, banned=True)
        os.close(holder)
        async with asyncio.timeout(10):
            while len(logs) < 2:
                await limiter.report(POOL, 0, 1)
                await asyncio.sleep(0.01)
    assert [line["log_level"] for line in logs] == ["warning", "info"]
    other = await open_limiter("test", URL, tmp_path, 1.0).take(POOL, 1, Turn(patience_seconds=0.0))
    assert other is not None, "what was learned meanwhile is known to all"


async def test_a_file_that_is_removed_is_made_anew_for_everybody(tmp_path: Path) -> None:
    limiter = open_limiter("test", URL, tmp_path, 1.0)
    await limiter.take(POOL, 1, Turn())
    state_file(tmp_path, "test", URL, 1.0).unlink()
    await limiter.take(POOL, 10, Turn())
    assert open_limiter("test", URL, tmp_path, 1.0).usage(POOL).used == 11


async def test_another_address_or_speed_is_another_venue(tmp_path: Path) -> None:
    await open_limiter("test", URL, tmp_path, 1.0).refuse(POOL, 60_000, banned=True)
    for venue, url, speed in (("test", URL + "1", 1.0), ("test", URL, 60.0), ("other", URL, 1.0), ("test", URL, None)):
        assert await open_limiter(venue, url, tmp_path, speed).take(POOL, 1, Turn(patience_seconds=0.0)) is None
    assert await open_limiter("test", URL + "/", tmp_path, 1.0).take(POOL, 1, Turn(patience_seconds=0.0)) is not None


async def test_an_accelerated_venue_has_accelerated_windows_and_one_without_pace_has_none(tmp_path: Path) -> None:
    minute = Pool("minute", limit=100, window_ms=60_000)
    fast = open_limiter("test", URL, tmp_path, 240.0)
    began = time.monotonic()
    for _ in range(3):
        await fast.take(minute, 80, Turn())
    assert time.monotonic() - began >= 0.5, "two minutes at 240 times real time"
    unpaced = open_limiter("test", URL, tmp_path, None)
    for _ in range(10):
        assert await unpaced.take(minute, 80, Turn(patience_seconds=0.0)) is None
    await unpaced.refuse(minute, 60_000, banned=False)
    assert await unpaced.take(minute, 1, Turn(patience_seconds=0.0)) is not None


async def test_a_ban_is_known_after_a_reboot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_limiter("test", URL, tmp_path, 1.0).refuse(POOL, 60_000, banned=True)
    monkeypatch.setattr(limiter_module, "boot_id", lambda: "the next run")
    left = await open_limiter("test", URL, tmp_path, 1.0).take(POOL, 1, Turn(patience_seconds=0.0))
    assert left is not None
    assert left.reason == "banned"
    assert 50_000 < left.ms <= 61_000


async def test_metrics_tell_what_all_processes_have_used(tmp_path: Path) -> None:
    mine, other = (open_limiter("test_metrics", URL, tmp_path, 2.0) for _ in range(2))
    pool = Pool("weight", limit=2400, window_ms=60_000)
    await mine.take(pool, 20, Turn())
    await other.set_limit(pool, 1200)
    await other.report(pool, 100, 30_000)
    await other.refuse(pool, 40_000, banned=False)
    waiting = asyncio.create_task(other.take(pool, 1, Turn(Priority.WARM_UP)))
    await _waiting(mine, pool, (0, 0, 0, 0, 1))

    def value(name: str, **more: str) -> float:
        found = REGISTRY.get_sample_value(name, {"venue": "test_metrics", "pool": "weight", **more})
        assert found is not None
        return found

    assert value("perpstream_request_weight_used") == 100
    assert value("perpstream_request_weight_limit") == 1200
    assert value("perpstream_request_weight_remaining") == 860
    assert 25 < value("perpstream_request_window_seconds") <= 30.5
    assert 15 < value("perpstream_request_blocked_seconds") <= 20.5
    assert value("perpstream_requests_waiting", priority="warm_up") == 1
    assert value("perpstream_requests_waiting", priority="gaps") == 0
    waiting.cancel()
