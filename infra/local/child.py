"""One supervised process: started, its output passed on line by line, restarted with back-off, stopped in time."""

import asyncio
import logging
import os
import signal
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

from infra.local.process import ProcessSpec

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, CALM_SECONDS = 0.5, 15.0, 30.0
_LOG_BYTES, _LOG_FILES = 10_000_000, 2
_LINE_LIMIT = 1 << 20
LineSink = Callable[[str, str], None]


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next start: doubles with each quick death, forgets after a calm life."""

    first: float = FIRST_DELAY_SECONDS
    longest: float = LONGEST_DELAY_SECONDS
    calm: float = CALM_SECONDS
    _next: float = field(init=False, default=0.0)

    def after_life_of(self, seconds: float) -> float:
        """The delay, in seconds, after a process that lived that long."""
        if self._next == 0.0 or seconds >= self.calm:
            self._next = self.first
        delay = self._next
        self._next = min(self.longest, self._next * 2)
        return delay


def describe_exit(code: int) -> str:
    """An exit code in words: "exit code 70" or "SIGKILL"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


class _LogFile(RotatingFileHandler):
    """A full disk must neither stop the reading of the pipe nor be told once per line: the supervisor says it once."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


class Child:
    """A process of the stack. `on_line(name, text)` receives each output line; a copy goes to the log file."""

    def __init__(self, spec: ProcessSpec, log_file: Path, on_line: LineSink) -> None:
        self.spec = spec
        self.log_file = log_file
        self.on_line = on_line
        self.last_lines: deque[str] = deque(maxlen=8)
        self.exit_code: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._pump: asyncio.Task[None] | None = None
        self._file = _LogFile(log_file, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES, delay=True)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the process; it must not be running."""
        self.exit_code = None
        self.last_lines.clear()
        self._process = await asyncio.create_subprocess_exec(
            *self.spec.launch_argv(),
            env=self.spec.launch_environment(),
            cwd=self.spec.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
            pass_fds=() if self.spec.gate is None else (self.spec.gate,),
            limit=_LINE_LIMIT,
        )
        self._pump = asyncio.create_task(self._pass_lines(self._process))

    async def ended(self) -> int:
        """Wait for the end; returns the exit code, negative for a signal."""
        assert self._process is not None, "started"
        self.exit_code = await self._process.wait()
        self._kill_group()  # grandchildren would keep ports and the output pipe
        if self._pump is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._pump), 2)
        return self.exit_code

    async def stop(self, deadline_seconds: float) -> bool:
        """Ask, wait, kill the group; True when it ended by itself."""
        process = self._process
        if process is None or process.returncode is not None:
            return True
        with suppress(ProcessLookupError):
            process.send_signal(self.spec.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), deadline_seconds)
            return True
        except TimeoutError:
            self._kill_group()
            await process.wait()
            return False

    def kill(self) -> None:
        """SIGKILL the group now."""
        self._kill_group()

    def close(self) -> None:
        """Close the log file."""
        with suppress(OSError):  # a full disk, again
            self._file.close()

    def _kill_group(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _pass_lines(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "a pipe"
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than the limit: the reader dropped it
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            self.last_lines.append(text)
            self._write(text)
            self.on_line(self.spec.name, text)

    def _write(self, text: str) -> None:
        self._file.emit(logging.LogRecord(self.spec.name, logging.INFO, "", 0, text, None, None))
