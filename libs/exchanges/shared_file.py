"""A small file that the processes of one machine change together: nobody serves it, and whoever dies leaves it whole."""

import errno
import fcntl
import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from libs.kit.logging import get_logger

T = TypeVar("T")
Change = Callable[[bytes | None], tuple[bytes, T]]
_MARK = b"perpstream-shared-1"
_MODE = 0o600
# What processes keep here has a few kilobytes; more is not ours.
LARGEST_BYTES = 1024 * 1024
# A link may lead to any file of ours, and a pipe with that name must not make us wait.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class SharedFile:
    """Content under a checksum, changed in place under `flock`: the kernel takes the lock from the dead.

    A file that does not fit its checksum (torn by a power failure, or somebody else's) or is larger than `LARGEST_BYTES`
    counts as empty, and is so after the next change. Nothing is forced to the disk: what is lost with the machine's power is
    learned again. Nobody but its user may read or write it; a link, or anything else that is no file, is not used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def change(self, change: "Change[T]") -> T:
        """Replace the content (None: there is none) by what `change` makes of it, and return its answer.

        Raises `BlockingIOError` when another process changes it just now (for microseconds, unless it was stopped meanwhile),
        other `OSError`s when the file cannot be used.
        """
        file = self._locked()
        try:
            content = self._content(file)
            changed, answer = change(content)
            if content is None:
                # What is not ours is not carried along: each change writes as much as the file has.
                os.ftruncate(file, 0)
            if changed != content:
                self._write(file, changed)
            return answer
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def read(self) -> bytes | None:
        """The content as it is, without waiting for anybody; None when there is none to be had at this moment."""
        try:
            return self._content(self._opened(), quiet=True)
        except OSError:
            return None

    def close(self) -> None:
        """Give the file back; the next use opens it again."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _opened(self) -> int:
        if self._file is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self.path, _FLAGS, _MODE)
            try:
                _claim(file)
            except OSError:
                os.close(file)
                raise
            self._file = file
        return self._file

    def _locked(self) -> int:
        """The file under our lock; one that was removed meanwhile is nobody's any more, and is made anew."""
        while True:
            file = self._opened()
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_nlink:
                return file
            self.close()

    def _content(self, file: int, *, quiet: bool = False) -> bytes | None:
        held = b"" if os.fstat(file).st_size > LARGEST_BYTES else os.pread(file, LARGEST_BYTES, 0)
        if not held and not os.fstat(file).st_size:
            return None
        mark, _, rest = held.partition(b" ")
        checksum, _, padded = rest.partition(b" ")
        content = padded.rstrip()
        if mark == _MARK and checksum == _checksum(content):
            return content
        if not quiet:
            get_logger("shared").warning("the file is damaged or not ours; it is begun anew", file=str(self.path))
        return None

    def _write(self, file: int, content: bytes) -> None:
        """One call for all of it, and never shorter than before, so that nothing of an older content stays behind it."""
        text = b" ".join((_MARK, _checksum(content), content)).ljust(os.fstat(file).st_size - 1) + b"\n"
        written = 0
        while written < len(text):
            written += os.pwrite(file, text[written:], written)


def _claim(file: int) -> None:
    """Raises `OSError` for what is no file, or one that others may change and that we cannot keep from them."""
    state = os.fstat(file)
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    if stat.S_IMODE(state.st_mode) != _MODE:
        os.fchmod(file, _MODE)


def _checksum(content: bytes) -> bytes:
    return b"%08x" % zlib.crc32(content)
