"""`.perpstream/run.json`: where everything of a running stack is, and how a second start recognises the first.

The supervisor holds a file lock as long as it lives, so a stale file can never look like a running stack.
"""

import errno
import fcntl
import json
import os
import shutil
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import msgspec
import psutil

from libs.kit.errors import ConfigurationError, UserError

RUN_FILE = "run.json"
_LARGEST_BYTES = 1_000_000
_LOCK_FILE = "supervisor.lock"
_SOURCE_FILE = "source.json"
_BEGAN = "begun at"
_NEEDED_BYTES = 300 * 1024 * 1024
EXIT_NOT_RUNNING = 3
# What a JSON file that we did not write can hold: no JSON, no text, no end of brackets.
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


class ServiceEntry(msgspec.Struct, kw_only=True):
    """One supervised process. `started_at` is the process' creation time (seconds, as the kernel tells it)."""

    name: str
    pid: int | None = None
    started_at: float | None = None
    restarts: int = 0
    health_url: str | None = None
    log_file: str = ""
    state: str = "starting"


class RunFile(msgspec.Struct, kw_only=True):
    """The stack as its supervisor knows it; no secret in it."""

    version: str
    supervisor_pid: int
    supervisor_started_at: float
    state: str = "starting"
    kafka_bootstrap: str = ""
    database_url: str = ""
    database_password_file: str | None = None
    simulator_url: str | None = None
    gateway_url: str = ""
    venue: str = ""
    symbols: list[str] = msgspec.field(default_factory=list)
    services: list[ServiceEntry] = msgspec.field(default_factory=list)


class NotRunning(UserError):
    """Asked about a stack that is not there."""

    exit_code = EXIT_NOT_RUNNING


def write_atomically(path: Path, content: bytes) -> None:
    """Readers see the old file or the new one, never half of it."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(path)


def write_run_file(state_dir: Path, run: RunFile) -> None:
    """Publish the state of the stack."""
    write_atomically(state_dir / RUN_FILE, msgspec.json.format(msgspec.json.encode(run), indent=2))


def read_run_file(state_dir: Path) -> RunFile | None:
    """The last published state, whether or not the stack still runs; None when there is none or it is unreadable."""
    try:
        file = state_dir / RUN_FILE
        # A pipe would be waited for, and a device read for ever.
        if not file.is_file() or file.stat().st_size > _LARGEST_BYTES:
            return None
        return msgspec.json.decode(file.read_bytes(), type=RunFile)
    except (OSError, *_UNREADABLE):
        return None


def process_of(pid: int | None, started_at: float | None) -> psutil.Process | None:
    """The process if it is still the one that was recorded: numbers are used again, creation times are not."""
    if pid is None or started_at is None:
        return None
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started_at) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, OverflowError):  # a number that no process can have
        return None
    return process if same else None


def creation_time(pid: int) -> float | None:
    """When the kernel made the process, or None when it is gone already."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def running_stack(state_dir: Path) -> RunFile:
    """The run file of a stack that is up; raises `NotRunning` otherwise."""
    run = read_run_file(state_dir)
    if run is None or process_of(run.supervisor_pid, run.supervisor_started_at) is None:
        raise NotRunning("no stack is running", where=str(state_dir), todo="start one with `perpstream up`")
    return run


def claim_state_folder(state_dir: Path) -> TextIO:
    """Create the folder and take its lock; keep the returned file open as long as the stack runs.

    Raises `UserError` when another stack has it, when it cannot be written, or when the disk is (nearly) full.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(state_dir).free < _NEEDED_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        file = (state_dir / _LOCK_FILE).open("a")
    except OSError as error:
        raise disk_error(error, state_dir) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise _already_running(state_dir) from None
    return file


def disk_error(error: OSError, folder: Path) -> UserError:
    """An operating-system error about the state folder as one clear line."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needed = _NEEDED_BYTES // 2**20
        return UserError(
            "the disk is full", where=str(folder), todo=f"free {needed} MB, or use --state-dir on another disk"
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return UserError(
            "the state folder is a file, not a folder", where=str(folder), todo="use --state-dir with another name"
        )
    return UserError(
        f"the state folder cannot be written: {error.strerror or error}",
        where=str(folder),
        todo="use --state-dir with a folder you may write",
    )


def refuse_second(state_dir: Path) -> None:
    """Raise `UserError` when a stack of that folder is up."""
    run = read_run_file(state_dir)
    if run is not None and process_of(run.supervisor_pid, run.supervisor_started_at) is not None:
        raise _already_running(state_dir)


def _already_running(state_dir: Path) -> UserError:
    run = read_run_file(state_dir)
    who = f"process {run.supervisor_pid}, API {run.gateway_url}" if run else "just starting"
    return UserError(
        f"a stack is running already ({who})",
        where=str(state_dir),
        todo="see `perpstream status`, end it with `perpstream down`, or use another --state-dir",
    )


def end_leftovers(state_dir: Path) -> list[str]:
    """End what a killed supervisor may have left behind (call with the lock held); returns the names that were still there."""
    run = read_run_file(state_dir)
    found = []
    for entry in run.services if run else []:
        if process := process_of(entry.pid, entry.started_at):
            found.append(entry.name)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    for entry in run.services if run else []:
        while process_of(entry.pid, entry.started_at) and time.monotonic() < deadline:
            time.sleep(0.05)
    return found


def remember_source(state_dir: Path, source: dict[str, Any]) -> str:
    """Tie the folder to one source of facts; returns that market in words, equal for two folders only if their facts are.

    Raises `ConfigurationError` when the folder belongs to another source. A recording moved to now has other times at every
    start, so it always needs a fresh folder; a synthetic market is another one in every folder, because it begins at its start.
    """
    path = state_dir / _SOURCE_FILE
    body = _known_source(path) if path.exists() else None
    if body is None:
        same_everywhere = source["venue"] != "simulator" or source.get("times") == "kept"
        body = source if same_everywhere else source | {_BEGAN: datetime.now(UTC).isoformat()}
        write_atomically(path, json.dumps(body).encode())
        return _words(body)
    known = {key: value for key, value in body.items() if key != _BEGAN}
    if known != source:
        raise ConfigurationError(
            f"the state folder holds data of another source ({_words(known)}), not of {_words(source)}",
            where=str(state_dir),
            todo="use another --state-dir, or remove this one with `make clean`",
        )
    if source.get("times") == "moved to now":
        raise ConfigurationError(
            "a recording moved to now cannot be played twice into one state folder",
            where=str(state_dir),
            todo="use a fresh --state-dir, or play it with --keep-times",
        )
    return _words(body)


def _known_source(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_bytes())
        if isinstance(body, dict):
            return body
        why = "it holds no object"
    except RecursionError:
        why = "it is nested too deeply"
    except ValueError as error:
        why = str(error)
    raise ConfigurationError(
        f"the note of what the state folder's data come from cannot be read: {why}",
        where=str(path),
        todo="use another --state-dir, or remove this one with `make clean`",
    )


def _words(source: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in source.items() if value is not None)
