"""A bar for the file in hand, on standard error: what imports and exports show while they work."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column


class FileProgress:
    """One bar on standard error for the file in hand; nothing when scripts read our JSON."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def start(self, file: str, what: str, total: int) -> None:
        """Another file, or another pass over it; `total` in bytes."""
        self._bar.reset(self._task, total=total, description=f"{what} {file}")

    def move(self, done: int) -> None:
        """`done` bytes of it."""
        self._bar.update(self._task, completed=done)


def progress_bar(screen: Console) -> Progress:
    """One line, however narrow the terminal: the file's name gives way. Nothing where nobody looks."""
    name = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
    )
    numbers = (TaskProgressColumn(), TimeRemainingColumn())
    return Progress(
        name,
        BarColumn(20),
        *numbers,
        console=screen,
        transient=True,
        disable=screen.quiet or not screen.is_terminal,
        expand=True,
    )


@contextmanager
def file_progress(quiet: bool) -> Iterator[FileProgress]:
    """A progress bar inside the block."""
    with progress_bar(Console(stderr=True, quiet=quiet)) as bar:
        yield FileProgress(bar)
