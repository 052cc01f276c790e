"""What a child process is, how it starts so that it dies with us, and how it stops: shared by supervisor and fixtures."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from libs.kit.errors import UserError
from libs.kit.gate import GATE_VARIABLE

LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user a child runs as; `capability` is the number of one ambient Linux capability it keeps, or None."""

    uid: int
    gid: int
    capability: int | None = None


# glibc keeps a heap for each thread and what was freed in it; two are enough here, and what is free goes back to the system. Of
# seventeen processes, the JVM's among them, that is some 45 MB.
LEAN = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """Everything needed to start one child: command, environment, user, and the signals that end it.

    `death_signal` is what the kernel sends when the parent dies; `stop_signal` asks for an orderly end. `gate` is a pipe's
    end that the child inherits: it may begin its work when that is at its end (see `libs.kit.gate`).
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    run_as: RunAs | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    gate: int | None = None

    def launch_argv(self) -> list[str]:
        """The command line that ties the child to this process."""
        argv = [sys.executable, "-I", "-S", str(LAUNCHER), "--parent", str(os.getpid())]
        argv += ["--death-signal", str(int(self.death_signal))]
        if self.run_as is not None:
            argv += ["--uid", str(self.run_as.uid), "--gid", str(self.run_as.gid)]
            if self.run_as.capability is not None:
                argv += ["--capability", str(self.run_as.capability)]
        return [*argv, "--", *self.argv]

    def launch_environment(self) -> dict[str, str]:
        """Lean with memory, then our environment, then the child's own variables on top."""
        gate = {} if self.gate is None else {GATE_VARIABLE: str(self.gate)}
        return {**LEAN, **os.environ, **self.environment, **gate}


class LoggedProcess:
    """A running child whose output goes to a file; the synchronous little brother of the supervisor's children."""

    def __init__(self, spec: ProcessSpec, log_file: Path) -> None:
        self.spec = spec
        self.log_file = log_file
        with log_file.open("ab") as output:
            self._popen = subprocess.Popen(  # noqa: S603 - our own command lines
                spec.launch_argv(),
                env=spec.launch_environment(),
                cwd=spec.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def wait_until(self, ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Return once `ready()`; raises `UserError` with the log's last lines if the child ends first or time runs out."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running:
                raise self._failure(f"{self.spec.name} ended with exit code {self._popen.returncode}")
            if time.monotonic() > deadline:
                raise self._failure(f"{self.spec.name} is not ready after {timeout_seconds:g} s")
            time.sleep(0.05)

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Ask, wait, then kill the whole group; harmless when it has ended."""
        if self.running:
            self._popen.send_signal(self.spec.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout_seconds)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the group the child leads, and wait."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def _failure(self, what: str) -> UserError:
        return UserError(f"{what}; {last_lines(self.log_file)}", where=str(self.log_file), todo="see that log")


def last_lines(log_file: Path, count: int = 5, longest: int = 2000) -> str:
    """The last lines of a log in one string, for error messages."""
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, log_file.stat().st_size - longest))
            lines = file.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        lines = []
    return "its last lines: " + " | ".join(lines) if lines else "its log is empty"
