"""A supervisor in the background: for `up --detach`, for `up --watch`, and how both and `down` end it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

from infra.local.options import split_password
from infra.local.process import ProcessSpec, last_lines
from infra.local.runfile import disk_error, process_of, read_run_file, refuse_second, running_stack
from libs.kit.errors import Advice, UserError
from services.console.health import ask_everything
from services.console.output import console

START_SECONDS = 300.0
STOP_SECONDS = 11.0
_DATABASE, _HANDED_OVER = "--database", "PERPSTREAM_DATABASE_PASSWORD_FILE"
_OWN_FLAGS = ("--detach", "-d", "--watch", "-w")


class Said(Advice):
    """A line that was an advice before; it is passed on as it is."""

    def __str__(self) -> str:
        return self.what


class StartFailed(UserError):
    """The supervisor ended before the stack was ready; carries its exit code."""


def _log_path(state_dir: Path) -> Path:
    try:
        (state_dir / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, state_dir) from None
    return state_dir / "logs" / "supervisor.log"


def start_supervisor(state_dir: Path, arguments: Sequence[str], *, tied: bool) -> "subprocess.Popen[bytes]":
    """Start `perpstream up` with the same arguments in the background; `tied`: it stops in order when we die.

    The password of a database URL is not among them: every user of the machine may read arguments. Raises `UserError` when a
    stack runs: its log must not be overwritten by a start that will be refused.
    """
    refuse_second(state_dir)
    kept, password = without_password(arguments)
    argv = [sys.executable, "-m", "services.console", *(item for item in kept if item not in _OWN_FLAGS)]
    if tied:
        argv = ProcessSpec("supervisor", tuple(argv), death_signal=signal.SIGTERM).launch_argv()
    with _log_path(state_dir).open("wb") as log, _inherited(password) as pipe:
        return subprocess.Popen(  # noqa: S603 - ourselves
            argv,
            env=os.environ if pipe is None else os.environ | {_HANDED_OVER: f"/dev/fd/{pipe}"},
            pass_fds=() if pipe is None else (pipe,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def without_password(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """The arguments without the password of `--database`, and the password; `ConfigurationError` for a URL that is none."""
    kept, password = [], None
    for before, item in pairwise(["", *arguments]):
        name, equals, url = item.partition("=")
        if before == _DATABASE:
            bare, password = split_password(item)
            kept.append(bare)
        elif name == _DATABASE and equals:
            bare, password = split_password(url)
            kept.append(f"{_DATABASE}={bare}")
        else:
            kept.append(item)
    return kept, password


@contextmanager
def _inherited(password: str | None) -> Iterator[int | None]:
    """The reading end of a pipe that holds the password, for one child; nothing of it is left on any disk."""
    if password is None:
        yield None
        return
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as file:
            file.write(password)
        yield reading
    finally:
        os.close(reading)


def wait_until(state_dir: Path, supervisor: "subprocess.Popen[bytes]", states: tuple[str, ...]) -> None:
    """Return when the run file of this supervisor says one of `states`; raises `StartFailed` with its last line."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        code = supervisor.poll()
        if code is not None:
            raise _start_failed(state_dir, code)
        run = read_run_file(state_dir)
        if run is not None and run.supervisor_pid == supervisor.pid and run.state in states:
            return
        if time.monotonic() > deadline:
            raise UserError(
                f"the stack is not ready after {START_SECONDS:g} s: {_not_ready(state_dir)}",
                where=str(_log_path(state_dir)),
                todo="look at `perpstream status`; it goes on starting, `perpstream down` ends it",
            )
        time.sleep(0.1)


def _not_ready(state_dir: Path) -> str:
    """Which processes are waited for, and what each says that it misses."""
    try:
        services = asyncio.run(ask_everything(state_dir)).services
    except UserError as error:
        return str(error.advice)
    waiting = (
        f"{service.name} ({'; '.join(f'{name}: {why}' for name, why in service.missing.items()) or service.state})"
        for service in services
        if not service.ready
    )
    return ", ".join(waiting) or "everything answers now"


def _start_failed(state_dir: Path, code: int) -> UserError:
    log = _log_path(state_dir)
    line = last_lines(log, 1).removeprefix("its last lines: ")
    said = line.removeprefix("perpstream: ")
    error = StartFailed(said, where=str(log), todo="see that log")
    if said != line:  # a whole line for a person already: what, where and what to do
        error.advice = Said(said, "", "")
    error.exit_code = code if code > 0 else 1
    return error


def run_detached(state_dir: Path, arguments: Sequence[str]) -> None:
    """Start in the background and return when everything is ready; a line when it begins and when it has, in pipes too."""
    began = time.monotonic()
    supervisor = start_supervisor(state_dir, arguments, tied=False)
    console().print(f"starting in the background; log in {_log_path(state_dir)}", markup=False)
    wait_until(state_dir, supervisor, ("ready",))
    run = running_stack(state_dir)
    elsewhere = "" if state_dir == Path(".perpstream") else f" --state-dir {state_dir}"
    console().print(
        f"ready after {time.monotonic() - began:.1f} s; API on {run.gateway_url}; stop with `perpstream down{elsewhere}`"
    )


def run_watched(state_dir: Path, arguments: Sequence[str]) -> None:
    """Start in the background, show the live screen, and stop everything when it is left."""
    from services.console.watch.screen import run_watch

    screen = console()
    supervisor = start_supervisor(state_dir, arguments, tied=True)
    try:
        with screen.status(f"starting; log in {_log_path(state_dir)}"):
            wait_until(state_dir, supervisor, ("prepared", "ready"))
        asyncio.run(run_watch(state_dir, once=False))
    except KeyboardInterrupt:
        with screen.status("stopping"):
            end(supervisor)
        screen.print(f"stopped; state kept in {state_dir}")
    finally:
        with screen.status("stopping"):
            end(supervisor)


def end(supervisor: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, wait, SIGKILL; the children of a killed supervisor die with it. Nothing when it has ended."""
    if supervisor.poll() is not None:
        return
    supervisor.send_signal(signal.SIGTERM)
    try:
        supervisor.wait(STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        supervisor.kill()
        supervisor.wait()


def stop_stack(state_dir: Path) -> float:
    """End the running stack of that folder; returns the seconds it took. Raises `NotRunning`."""
    run = running_stack(state_dir)
    began = time.monotonic()
    with suppress(ProcessLookupError):
        os.kill(run.supervisor_pid, signal.SIGTERM)
    while process_of(run.supervisor_pid, run.supervisor_started_at):
        if time.monotonic() - began > STOP_SECONDS:
            os.kill(run.supervisor_pid, signal.SIGKILL)
        time.sleep(0.05)
    return time.monotonic() - began
