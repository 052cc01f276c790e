"""Service processes for tests: started as an operator starts them, killed without warning, ended by their own pid."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any


class ServiceProcess:
    """`python -m services.<name>` with its log in a file."""

    def __init__(self, name: str, environment: dict[str, str], log: Path) -> None:
        self._command = [sys.executable, "-m", f"services.{name}"]
        self.environment = os.environ | environment
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start (again); the log is continued."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM; the exit code. Kills what does not end in time."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def wait(self, seconds: float) -> int:
        """The exit code of one that ends by itself."""
        assert self._process is not None
        return self._process.wait(seconds)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


async def lacking(health_port: int) -> dict[str, str] | None:
    """What /readyz names as missing, by condition: empty when the service is ready, None while nobody answers."""

    def ask() -> dict[str, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{health_port}/readyz", timeout=2) as answer:
                body = json.load(answer)
        except urllib.error.HTTPError as error:
            body = json.load(error)
        found: dict[str, str] = body["missing"]
        return found

    try:
        return await asyncio.to_thread(ask)
    except OSError:
        return None


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float, what: Callable[[], str]) -> None:
    """Wait until the condition holds; fails with `what()` after `seconds`."""
    until = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {what()}")
        await asyncio.sleep(0.05)


@asynccontextmanager
async def beside(*parts: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """The parts of a service run meanwhile; none of them may end by itself."""
    work = [asyncio.create_task(part) for part in parts]
    try:
        yield
        assert not [task for task in work if task.done()], "a part of the service has ended"
    finally:
        for task in work:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
