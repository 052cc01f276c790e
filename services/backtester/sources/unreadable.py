"""Files that are none of ours, or are damaged: one line that says which one, why, and what to do."""

from pathlib import Path

from libs.kit.errors import UserError

AGAIN = "export that day again"


class UnreadableFile(UserError):
    """A Parquet file that is none of ours, or is damaged: which one, and why."""


def unreadable(path: Path, error: Exception) -> UnreadableFile:
    """What a library said of the file."""
    what = f"the file cannot be read: {str(error).splitlines()[0][:200]}"
    return UnreadableFile(what, where=str(path), todo=f"{AGAIN}, or remove the file")


def unordered(path: Path) -> UnreadableFile:
    """Ids must rise from row to row, and from file to file."""
    return UnreadableFile("the ids do not rise", where=str(path), todo=AGAIN)
