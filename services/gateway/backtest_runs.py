"""Backtests as processes of their own, one at a time, each with a folder that says everything about it: what asked for it, which
process it is, how far it is, and its report. So a run goes on, and is known, when the gateway starts again."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from libs.kit.codes import random_id

MOST_KEPT = 50
_REQUEST, _RUN, _PROGRESS, _CANCELLED, _LOG, _REPORT = (
    "request.json",
    "run.json",
    "progress.json",
    "cancelled",
    "log.txt",
    "report",
)
_LOG_TAIL_BYTES = 2_000
NICENESS = 15


class RunsAlready(Exception):
    """Another run has not ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its folder says. `state` as in the API."""

    run_id: str
    folder: Path
    state: str
    phase: str
    done: float
    started_ms: int
    ended_ms: int | None
    started_by: str
    detail: str | None
    request: Mapping[str, Any]

    @property
    def report(self) -> Path:
        """Where the backtester has written."""
        return self.folder / _REPORT


@dataclass(slots=True)
class BacktestRuns:
    """The runs in a folder. `command`: what is run, with the file of the request as its last argument."""

    folder: Path
    command: tuple[str, ...] = (sys.executable, "-m", "services.backtester")
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _children: set["asyncio.Task[int]"] = field(default_factory=set)

    async def start(self, request: dict[str, Any], definitions: list[dict[str, Any]], by: str) -> Run:
        """Begin a run. Raises `RunsAlready` while another has not ended, `OSError` where the folder cannot be written."""
        async with self._starting:
            if any(run.state == "running" for run in self.all()):
                raise RunsAlready
            self._make_room()
            run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{random_id()[:6]}"
            folder = self.folder / run_id
            folder.mkdir(parents=True, mode=0o700)
            asked = {**request, "strategies": self._files(folder, definitions)}
            asked |= {"output": str(folder / _REPORT), "progress": str(folder / _PROGRESS)}
            (folder / _REQUEST).write_text(json.dumps(asked))
            process = await self._spawn(folder)
            _let_others_go_first(process.pid)
            said: dict[str, Any] = {"pid": process.pid, "since": _since(process.pid), "by": by, "started_ms": _now_ms()}
            said["request"] = {**request, "strategies": [str(each.get("name", "")) for each in definitions]}
            _write(folder / _RUN, said)
            reaping = asyncio.create_task(process.wait())
            self._children.add(reaping)
            reaping.add_done_callback(self._children.discard)
        found = self.one(run_id)
        assert found is not None, "it has just been made"
        return found

    def _files(self, folder: Path, definitions: list[dict[str, Any]]) -> list[str]:
        paths = []
        for number, definition in enumerate(definitions):
            path = folder / f"strategy-{number}.json"
            path.write_text(json.dumps(definition))
            paths.append(str(path))
        return paths

    async def _spawn(self, folder: Path) -> asyncio.subprocess.Process:
        """In a session of its own: what stops the gateway does not stop the run."""
        with (folder / _LOG).open("wb") as log:
            return await asyncio.create_subprocess_exec(
                *self.command,
                str(folder / _REQUEST),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _make_room(self) -> None:
        for run in self.all()[MOST_KEPT - 1 :]:
            shutil.rmtree(run.folder, ignore_errors=True)

    def all(self) -> list[Run]:
        """Every run that is kept, the newest first."""
        try:
            names = sorted((path.name for path in self.folder.iterdir() if (path / _RUN).is_file()), reverse=True)
        except OSError:
            return []
        return [run for name in names if (run := self.one(name)) is not None]

    def one(self, run_id: str) -> Run | None:
        """The run of that id."""
        folder = self.folder / run_id
        said = _read(folder / _RUN)
        if not said:
            return None
        alive = _is_alive(int(said["pid"]), said["since"])
        progress = _read(folder / _PROGRESS)
        ended = (folder / _REPORT / "report.json").is_file() and not alive
        state = "running" if alive else "done" if ended else "cancelled" if (folder / _CANCELLED).exists() else "failed"
        return Run(
            run_id,
            folder,
            state,
            str(progress.get("phase", "")),
            1.0 if state == "done" else float(progress.get("done", 0.0)),
            int(said["started_ms"]),
            None if alive else _ended_ms(folder),
            str(said["by"]),
            _last_line(folder / _LOG) if state == "failed" else None,
            said["request"],
        )

    def cancel(self, run: Run) -> None:
        """End a run; one that has ended stays as it is."""
        said = _read(run.folder / _RUN)
        if said and _is_alive(int(said["pid"]), said["since"]):
            (run.folder / _CANCELLED).touch()
            with suppress(ProcessLookupError):
                os.killpg(int(said["pid"]), signal.SIGTERM)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _let_others_go_first(pid: int) -> None:
    """Executor and guard run on the same processors. Where Linux shares them out by session, the session has a number of its own,
    and that of the process counts inside of it only."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        process.nice(max(NICENESS, process.nice()))
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS))


def _since(pid: int) -> float | None:
    """When the process began: another one may get its number later."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _is_alive(pid: int, since: float | None) -> bool:
    try:
        process = psutil.Process(pid)
        return since is not None and process.create_time() == since and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _ended_ms(folder: Path) -> int | None:
    """When it wrote last."""
    try:
        written = [
            path.stat().st_mtime
            for path in (folder, folder / _LOG, folder / _PROGRESS, folder / _REPORT)
            if path.exists()
        ]
    except OSError:
        return None
    return int(max(written) * 1000) if written else None


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1][:500] if lines else "it ended without a report"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, value: Mapping[str, Any]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value))
    draft.replace(path)
