"""Where a run shows itself: how far it is on standard error, its result on standard output."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from services.backtester.request import BacktestRequest

_WRITTEN_SECONDS = 0.5


@dataclass(slots=True)
class Shown:
    """Progress on standard error with the time that remains: venue time while reading, configurations while trying."""

    bar: Progress
    task: TaskID
    start_ms: int
    file: Path | None = None
    _written: float = 0.0

    def phase(self, what: str) -> None:
        self.bar.update(self.task, description=what)
        self._write()

    def reached(self, time_ms: int) -> None:
        self.bar.update(self.task, completed=time_ms - self.start_ms)
        if time.monotonic() - self._written >= _WRITTEN_SECONDS:
            self._write()

    def _write(self) -> None:
        """For whoever watches from another process: whole or not at all, so that nobody reads half of it."""
        if self.file is None:
            return
        self._written = time.monotonic()
        shown = self.bar.tasks[0]
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps({"phase": shown.description, "done": round(shown.percentage / 100, 4)}))
        draft.replace(self.file)

    def expect(self, configurations: int) -> None:
        self.bar.remove_task(self.task)
        self.bar.columns = (*self.bar.columns[:2], MofNCompleteColumn(), *self.bar.columns[2:])
        self.task = self.bar.add_task("trying configurations", total=configurations)

    def tried(self, configurations: int) -> None:
        self.bar.advance(self.task, configurations)


@contextmanager
def progress(request: BacktestRequest) -> Iterator[Shown]:
    """A bar on standard error while the request is carried out; silent where nobody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=request.end_ms - request.read_from_ms)
        yield Shown(bar, task, request.read_from_ms, request.progress)


def result_console() -> Console:
    """Where results go; whole lines for pipes."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())
