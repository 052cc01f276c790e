"""Drives the whole stack through its command line, as a person or a script would."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.local.runfile import RunFile, read_run_file

POLL_SECONDS = 0.25
FREE_PORTS = tuple(
    argument
    for name in ("kafka", "controller", "postgres", "simulator", "gateway", "health")
    for argument in ("--port", f"{name}=0")
)


class Stack:
    """One state folder; `up` returns when every service is ready."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def up(self, *arguments: str) -> None:
        """Start in the background; an error of the command line fails the test with what it printed."""
        self.command("up", "--detach", *FREE_PORTS, *arguments)

    def down(self) -> None:
        """Stop what runs; silent when nothing does."""
        subprocess.run(self._argv("down"), capture_output=True, timeout=60, check=False)

    def command(self, *arguments: str) -> str:
        """Run one command of the product on this state folder and return what it printed."""
        done = subprocess.run(self._argv(*arguments), capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def _argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "services.console", *arguments, "--state-dir", str(self.state_dir)]

    def run_file(self) -> RunFile:
        """Where everything is right now."""
        run = read_run_file(self.state_dir)
        assert run is not None, "the stack has published no run file"
        return run

    def pid_of(self, name: str) -> int:
        """The process that is `name` right now."""
        entry = next(service for service in self.run_file().services if service.name == name)
        assert entry.pid is not None, f"{name} is not running"
        return entry.pid

    def ready(self) -> bool:
        """Whether `perpstream status` says that everything is ready."""
        done = subprocess.run(self._argv("status", "--json"), capture_output=True, text=True, timeout=30, check=False)
        return done.returncode == 0 and bool(json.loads(done.stdout)["ready"])

    def simulator(self) -> dict[str, Any]:
        """What the simulator says of itself."""
        with urllib.request.urlopen(f"{self.run_file().simulator_url}/sim/status", timeout=5) as answer:
            body: dict[str, Any] = json.loads(answer.read())
        return body

    def database_url(self) -> str:
        """The stack's PostgreSQL as asyncpg wants it, password included."""
        run = self.run_file()
        assert run.database_password_file is not None, "the stack names no password file"
        password = Path(run.database_password_file).read_text().strip()
        return run.database_url.replace("+asyncpg", "").replace("@", f":{password}@", 1)

    def logs(self) -> str:
        """The last lines of every log, for a failing test."""
        tails = (
            f"--- {path.name}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-15:])
            for path in sorted((self.state_dir / "logs").glob("*"))
            if path.is_file()
        )
        return "\n".join(tails)


def wait_for(condition: Callable[[], bool], seconds: float, what: str, stack: Stack) -> None:
    """Poll until the condition holds; the failure names what was awaited and shows the logs."""
    pause, deadline, silence = threading.Event(), time.monotonic() + seconds, ""
    while True:
        try:
            if condition():
                return
        except (OSError, subprocess.TimeoutExpired) as error:
            silence = f" ({error})"  # who does not answer, or not in time, has not said so yet
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}{silence}\n{stack.logs()}"
        pause.wait(POLL_SECONDS)
