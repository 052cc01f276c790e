"""A role's process: started again whenever it has ended, as an operator's supervisor does, and watched for whether it can act."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.ports import free_port
from tests.chaos.money.plan import Role
from tests.chaos.processes.log import FaultLog
from tests.services.processes import ServiceProcess, lacking

POLL_SECONDS, OLD_SECONDS = 0.25, 1.5
SERVICES: Mapping[Role, str] = {"executor": "executor", "second": "executor", "guard": "risk_guard"}
NEEDED: Mapping[str, frozenset[str]] = {
    "executor": frozenset(
        ("the account's lease", "the books can be written", "venue", "books and venue were compared")
    ),
    "risk_guard": frozenset(("venue",)),
}
KILLED, LEASE_LOST, UNREACHABLE = -signal.SIGKILL, 70, 4
EXPECTED = frozenset((KILLED, LEASE_LOST, UNREACHABLE))
"""How a process may end: by us, because the account is somebody else's, or because a server is away."""


@dataclass
class Keeper:
    """`number` counts its lives. A guard that could once see its account is able as long as it runs; an executor while it says
    so: without database or lease it may send nothing."""

    role: Role
    folder: Path
    environment: Mapping[str, str]
    log: FaultLog
    chance: random.Random
    number: int = 0
    exits: list[int] = field(default_factory=list)
    _port: int = field(default_factory=free_port)
    _able_at: float = float("-inf")
    _holds: int = 0
    _process: ServiceProcess = field(init=False)

    def __post_init__(self) -> None:
        environment = {**self.environment, "PERPSTREAM_HEALTH_PORT": str(self._port)}
        self._process = ServiceProcess(SERVICES[self.role], environment, self.folder / f"{self.role}.log")

    @property
    def output(self) -> Path:
        """What the process has logged, all its lives."""
        return self._process.log

    @property
    def is_held(self) -> bool:
        return self._holds > 0

    @property
    def is_able(self) -> bool:
        """Whether it could protect a position now."""
        if not self._process.running or self.is_held:
            return False
        if self.role == "guard":
            return self._able_at > float("-inf")
        return time.monotonic() - self._able_at < OLD_SECONDS

    async def run(self) -> None:
        """Until cancelled; the process ends then too."""
        try:
            while True:
                self.number += 1
                self._able_at = float("-inf")
                self._process.start()
                self.log.tell("start", role=self.role, life=self.number, pid=self._process.pid)
                while self._process.running:
                    await self._poll()
                    await asyncio.sleep(POLL_SECONDS)
                self._note(await asyncio.to_thread(self._process.wait, 10))
                await asyncio.sleep(self.chance.choice((0.1, 0.5, 2.0)))
        finally:
            if self._process.running:
                self._process.kill()

    async def _poll(self) -> None:
        if self.is_held:
            return
        missing = await lacking(self._port)
        if missing is not None and not NEEDED[SERVICES[self.role]] & missing.keys():
            if self._able_at == float("-inf"):
                self.log.tell("able", role=self.role, life=self.number)
            self._able_at = time.monotonic()

    def _note(self, code: int) -> None:
        self._holds = 0
        self.exits.append(code)
        self.log.tell("exit", role=self.role, life=self.number, code=code)

    def kill(self) -> None:
        """SIGKILL; nothing to a process that is just being started again."""
        if self._process.running:
            self._process.kill()

    async def hold(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT when the last such hold is over. Somebody may kill it meanwhile."""
        if not self._process.running:
            return
        pid = self._process.pid
        self._holds += 1
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            if self._process.running and self._process.pid == pid:
                self._holds -= 1
                if not self.is_held:
                    os.kill(pid, signal.SIGCONT)
                    self.log.tell("continued", role=self.role)
