"""What else may stand where processes keep their file: nothing of it is followed, carried along or waited for."""

import fcntl
import os
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from libs.exchanges.budget import Priority
from libs.exchanges.limiter import Limiter, Turn
from libs.exchanges.shared_file import LARGEST_BYTES, SharedFile
from libs.kit.clock import MachineClock
from tests.libs.exchanges.asking import POOL

APART = "requests cannot be counted together with other processes"


def count(file: SharedFile) -> int:
    """Add one to what all have counted."""

    def one_more(content: bytes | None) -> tuple[bytes, int]:
        counted = int(content or b"0") + 1
        return str(counted).encode(), counted

    return file.change(one_more)


async def said(path: Path) -> list[str]:
    """What the limiter says while it lets two questions pass, as it does on its own account."""
    limiter = Limiter("test", MachineClock(), file=SharedFile(path))
    with capture_logs() as logs:
        for _ in range(2):
            assert await limiter.take(POOL, 1, Turn(Priority.POSITIONS, patience_seconds=1.0)) is None
    assert limiter.usage(POOL).used == 2
    return [line["event"] for line in logs]


def test_only_its_user_may_read_or_write_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o666)
    assert count(SharedFile(path)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    old = os.umask(0)
    try:
        assert count(SharedFile(tmp_path / "new")) == 1
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


@pytest.mark.parametrize("size", [3, LARGEST_BYTES, LARGEST_BYTES + 1, 100_000_000])
def test_garbage_of_any_size_is_gone_with_the_first_change(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    file = SharedFile(path)
    assert file.read() is None
    with capture_logs() as logs:
        assert [count(file), count(file), count(SharedFile(path))] == [1, 2, 3]
    assert ["begun anew" in line["event"] for line in logs] == [True]
    assert path.stat().st_size < 100


def test_our_own_content_under_far_too_much_padding_is_garbage_too(tmp_path: Path) -> None:
    path = tmp_path / "file"
    count(SharedFile(path))
    with path.open("ab") as file:
        file.write(b" " * LARGEST_BYTES)
    assert count(SharedFile(path)) == 1
    assert path.stat().st_size < 100


@pytest.mark.parametrize("there", [True, False])
async def test_a_link_is_not_followed(tmp_path: Path, *, there: bool) -> None:
    target, path = tmp_path / "target", tmp_path / "file"
    if there:
        target.write_text("somebody's")
    path.symlink_to(target)
    assert await said(path) == [APART]
    assert SharedFile(path).read() is None
    assert target.read_text() == "somebody's" if there else not target.exists()


async def test_a_pipe_or_a_folder_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert await said(tmp_path / "pipe") == [APART]
    assert await said(tmp_path / "folder") == [APART]


async def test_a_lock_that_is_held_for_ever_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("libs.exchanges.limiter.LONGEST_BUSY_SECONDS", 0.05)
    path = tmp_path / "file"
    count(SharedFile(path))
    with path.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert await said(path) == [APART]
