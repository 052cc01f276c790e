"""Files that are none of ours, or are damaged: one line that says which one, why, and what to do."""

from pathlib import Path

import pyarrow as pa

from libs.kit.errors import UserError

AGAIN = "export that day again"
DAMAGES = (pa.ArrowException, OSError, MemoryError, UnicodeDecodeError)
"""What reading a damaged file raises; the last for names of columns."""
_SHOWN = 60


class UnreadableFile(UserError):
    """A Parquet file that is none of ours, or is damaged: which one, and why."""


def unreadable(path: Path, error: BaseException) -> UnreadableFile:
    """What a library said of the file."""
    why = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return UnreadableFile(f"the file cannot be read: {why}", where=str(path), todo=f"{AGAIN}, or remove the file")


def refused(what: str, path: Path) -> UnreadableFile:
    """For a file that holds something else than an export writes."""
    return UnreadableFile(what, where=str(path), todo=AGAIN)


def unordered(path: Path) -> UnreadableFile:
    """Ids must rise from row to row, and from file to file."""
    return refused("the ids do not rise", path)


def shown(value: object) -> str:
    """Whatever a file holds, short and on one line."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
