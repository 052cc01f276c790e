"""User streams without a network: the simulator's own sessions at one end, our own connection at the other, in order, late."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

from libs.exchanges.websocket import LOST, Connection
from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.faults.connections import ConnectionFaults
from services.exchange_simulator.frames import payloads_of
from services.exchange_simulator.hub import Hub
from services.exchange_simulator.sessions import Session
from tests.chaos.money.http import Tell
from tests.chaos.money.processes import Process

_PATH = "/private/ws"
_BUFFER_BYTES = 1 << 30
Deliver = Callable[[Connection, list[bytes]], None]


class MemoryConnection(Connection):
    """The client's end."""

    def __init__(self, deliver: Deliver, hang_up: Callable[[], None]) -> None:
        super().__init__(deliver)
        self._hang_up_there = hang_up

    def close(self, reason: str) -> None:
        if self.close_reason is LOST:
            self.close_reason = reason
        self._hang_up_there()
        self.closed.set()


class _Wire:
    """The server's transport: what is written arrives later, in order. None: the connection is over."""

    def __init__(self, delay: Callable[[], float]) -> None:
        self.arrived: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._delay = delay
        self._over = False
        self._last = 0.0

    def write(self, frames: bytes) -> None:
        self._send(frames)

    def _send(self, frames: bytes | None) -> None:
        loop = asyncio.get_running_loop()
        # A hair later than the one before: timers of one instant go off in any order.
        self._last = max(self._last + 1e-6, loop.time() + self._delay())
        loop.call_at(self._last, self.arrived.put_nowait, frames)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._over

    def abort(self) -> None:
        self.close()

    def close(self) -> None:
        if not self._over:
            self._over = True
            self._send(None)


@dataclass
class Sockets:
    """Where user streams are opened. `delay`: of one way, s."""

    hub: Hub
    clock: VenueTime
    faults: ConnectionFaults
    delay: Callable[[], float]
    tell: Tell
    _readers: set[asyncio.Task[None]] = field(default_factory=set)

    def of(self, process: Process) -> Callable[[str, Deliver], Any]:
        """The way for one process."""

        async def connect(url: str, deliver: Deliver) -> Connection:
            process.check()
            await asyncio.sleep(2 * self.delay())
            process.check()
            if self.faults.refuses(_PATH):
                raise ConnectionRefusedError("503 Service Unavailable.")
            return self._open(process, URL(url), deliver)

        return connect

    def _open(self, process: Process, url: URL, deliver: Deliver) -> Connection:
        wire = _Wire(self.delay)
        session = Session("private", False, wire, self.clock, _BUFFER_BYTES)  # type: ignore[arg-type]
        session.listen_key = url.query.get("listenKey", "")
        session.events = frozenset(url.query.get("events", "").split("/"))
        self.hub.add(session, _PATH)

        def hang_up() -> None:
            session.closed = True
            wire.arrived.put_nowait(None)

        connection = MemoryConnection(deliver, hang_up)
        reader = asyncio.create_task(self._read(process, session, wire, connection))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)
        return connection

    async def _read(self, process: Process, session: Session, wire: _Wire, connection: MemoryConnection) -> None:
        """A task of the process, so that it reads nothing while that is stopped."""
        try:
            while (frames := await wire.arrived.get()) is not None:
                messages = payloads_of(frames)
                for message in messages:
                    self.tell(process.name, f"** {message.decode()[:400]}")
                connection._deliver(connection, messages)
        finally:
            session.closed = True
            self.hub.remove(session)
            connection.closed.set()
