"""Runs the real supervisor over tiny services in a process of its own, so that a test can signal and kill it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra.local.options import ROOT, StackOptions
from infra.local.runfile import RunFile, ServiceEntry, read_run_file
from infra.local.settings import stack_settings
from infra.local.stack import run_stack
from services.console.output import guarded

FREE_PORTS = {"kafka": 0, "controller": 0, "postgres": 0, "simulator": 0, "gateway": 0, "health": 0}


@dataclass(slots=True)
class TinyStack:
    """A supervisor under test. `modes` is the behaviour of each service by name, see tiny_service."""

    state_dir: Path
    modes: Mapping[str, str]
    options: Mapping[str, Any] = field(default_factory=dict)
    process: "subprocess.Popen[bytes]" = field(init=False)

    @property
    def log_file(self) -> Path:
        return self.state_dir.with_name(f"{self.state_dir.name}.log")

    @property
    def output(self) -> str:
        return self.log_file.read_text()

    @property
    def run(self) -> RunFile:
        found = read_run_file(self.state_dir)
        assert found is not None, self.output
        return found

    def entry(self, name: str) -> ServiceEntry:
        return next(entry for entry in self.run.services if entry.name == name)

    def start(self) -> "TinyStack":
        arguments = json.dumps({"state": str(self.state_dir), "modes": dict(self.modes), "options": dict(self.options)})
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.tiny_stack", arguments],
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Poll a condition; fails with the output when it does not come true in time."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not in {seconds} s: {what}\n{self.output}"
            time.sleep(0.05)

    def until_ready(self) -> "TinyStack":
        def ready() -> bool:
            assert self.process.poll() is None, self.output
            run = read_run_file(self.state_dir)
            return run is not None and run.supervisor_pid == self.process.pid and run.state == "ready"

        self.until(ready, "ready")
        return self

    def stop(self, number: signal.Signals = signal.SIGINT) -> float:
        """Signal the supervisor and wait for its end; returns the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began

    def end(self) -> None:
        """For the end of a test: nothing of ours stays."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


def alive(pid: int | None) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main() -> None:
    given = json.loads(sys.argv[1])
    options = {"ports": FREE_PORTS, **given["options"]}
    for name in ("recordings", "symbols"):
        if name in options:
            options[name] = tuple(Path(item) if name == "recordings" else item for item in options[name])
    commands = {
        name: (sys.executable, "-m", "tests.support.tiny_service", mode) for name, mode in given["modes"].items()
    }
    stack = StackOptions(state_dir=Path(given["state"]), **options)
    sys.exit(guarded(lambda: asyncio.run(run_stack(stack, stack_settings(), (), commands))))


if __name__ == "__main__":
    os.environ.pop("NO_COLOR", None)
    main()
