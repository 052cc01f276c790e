"""A supervised stream subscription: connect, subscribe, watch for silence, rotate before the venue's cut, come back.

Venue-neutral; an adapter gives the URL, its way to subscribe and its parser (`Wire`). Timers of the venue (silence, life of
a connection) run on venue time; back-off and handshakes run on real time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from picows import WSError

from libs.exchanges import StreamBatch, StreamHandler
from libs.exchanges.backoff import Backoff
from libs.exchanges.websocket import Connection, connect
from libs.kit.clock import VenueClock
from libs.kit.logging import get_logger
from libs.kit.metrics import counter

SAMPLE_BYTES = 200
HEALTHY_SECONDS = 5.0


# Real seconds: on a fast recording the venue's patience would be shorter than a hiccup of this machine.
SHORTEST_SILENCE_SECONDS = 5.0
# Real seconds that two connections run beside each other: some hundred times what a message needs.
OVERLAP_SECONDS = 2.0


Answer = TypeVar("Answer")


class SubscriptionRefused(Exception):
    """The venue answered a subscription with an error, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """`feed` names the session in logs and metrics. `silence_seconds` and `rotate_seconds` are venue time. `connections`: how
    many are kept for good; with two, the loss of one loses nothing.

    24 h is Binance's limit for one connection; ten minutes before it we change over.
    """

    feed: str
    silence_seconds: float = 30.0
    rotate_seconds: float = 24 * 3600 - 600
    connections: int = 1


@dataclass(frozen=True, slots=True)
class Wire:
    """What a venue does its own way: address, how to subscribe an open connection, and how to read messages.

    `read` returns the batch and a list of (message, problem) for what it could not read; replies to our requests go to the
    future that `subscribe` waits for (the adapter's business).
    """

    url: str
    subscribe: Callable[[Connection], Awaitable[None]]
    read: Callable[[Connection, Sequence[bytes]], tuple[StreamBatch, list[tuple[bytes, str]]]]


class StreamSession:
    """One supervised subscription: reconnects, changes over before the venue's cut, detects silence, until `run` is cancelled.

    Make before break: a healthy connection is closed only after its successor has been heard beside it for a while; one that
    fell silent is closed only when its successor is subscribed.
    """

    def __init__(self, wire: Wire, handler: StreamHandler, clock: VenueClock, options: SessionOptions) -> None:
        self._wire = wire
        self._handler = handler
        self._clock = clock
        self._options = options
        self._log = get_logger(f"stream.{options.feed}")
        self._open: dict[Connection, int] = {}
        self._healthy: dict[Connection, int] = {}
        self._doubted: set[Connection] = set()
        self._wake = asyncio.Event()
        self._paused = False
        self._opened = 0

    async def run(self) -> None:
        """Keep the subscription alive until cancelled."""
        try:
            async with asyncio.TaskGroup() as places:
                for place in range(self._options.connections):
                    places.create_task(self._keep(place))
        finally:
            for connection in tuple(self._open):
                self._end(connection, "we are stopping")

    def pause_reading(self) -> None:
        if not self._paused:
            self._paused = True
            for connection in self._open:
                connection.pause_reading()

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            for connection in self._open:
                connection.resume_reading()

    def replace(self) -> None:
        """What is open now does not bring everything: put new connections in its place, without closing anything before."""
        self._doubted.update(self._healthy)
        self._wake.set()

    async def _keep(self, place: int) -> None:
        """One connection after the other, each watched; the places of a session rotate at different times."""
        backoff = Backoff()
        rotate = self._options.rotate_seconds * (1 - 0.5 * place / self._options.connections)
        before: Connection | None = None  # silent, and kept until its successor is subscribed
        while True:
            if not self._healthy:
                self._handler.on_connecting()
            connection = await self._try_open(backoff)
            if before is not None and (connection is not None or before.closed.is_set()):
                self._end(before, "its successor is there")
                before = None
            if connection is None:
                await asyncio.sleep(backoff.next_seconds())
                continue
            started = time.monotonic()
            silent = await self._watch(connection, rotate)
            if silent is not None:
                before = silent
                continue
            rotate = self._options.rotate_seconds
            if time.monotonic() - started > HEALTHY_SECONDS:
                backoff.reset()
            await asyncio.sleep(backoff.next_seconds())

    async def _try_open(self, backoff: Backoff) -> Connection | None:
        """A subscribed connection, counted among the healthy ones; None when that failed."""
        connection: Connection | None = None
        line = self._opened
        self._opened += 1
        try:
            connection = await connect(self._wire.url, self._on_messages)
            self._open[connection] = line
            if self._paused:
                connection.pause_reading()
            await self._wire.subscribe(connection)
        except (OSError, TimeoutError, WSError, SubscriptionRefused) as error:
            if connection is not None:
                self._end(connection, "could not subscribe")
            self._log.warning("cannot open the stream", attempt=backoff.attempt + 1, error=str(error) or repr(error))
            return None
        if line:
            counter("perpstream_reconnects_total").labels(self._options.feed).inc()
        self._healthy[connection] = line
        self._handler.on_lines(frozenset(self._healthy.values()))
        if len(self._healthy) == 1:
            self._handler.on_open()
        return connection

    async def _watch(self, connection: Connection, rotate_seconds: float) -> Connection | None:
        """Until it is lost (None), or says nothing any more (then it is returned, still open); changes over in time."""
        speed = self._clock.speed
        patience = max(self._options.silence_seconds / speed, SHORTEST_SILENCE_SECONDS)
        born = time.monotonic()
        while True:
            quiet = 0.0 if self._paused else time.monotonic() - connection.last_heard
            if quiet >= patience:
                self._lose(connection, f"nothing heard for {quiet * speed:.0f} s of venue time", silent=True)
                return connection
            due = (time.monotonic() - born) * speed >= rotate_seconds
            if due or connection in self._doubted:
                self._doubted.discard(connection)
                successor = await self._change_over(connection)
                if successor is not None:
                    connection, born, rotate_seconds = successor, time.monotonic(), self._options.rotate_seconds
                    continue
            if await self._until_something(connection, min(patience - quiet, rotate_seconds / 20 / speed)):
                self._lose(connection, connection.close_reason, silent=False)
                return None

    async def _until_something(self, connection: Connection, seconds: float) -> bool:
        """Wait for the end of the connection (true), a call of `replace`, or so long."""
        waits = [asyncio.ensure_future(event.wait()) for event in (connection.closed, self._wake)]
        await asyncio.wait(waits, timeout=max(seconds, 0.01), return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        self._wake.clear()
        return connection.closed.is_set()

    async def _change_over(self, old: Connection) -> Connection | None:
        """Both for a while, so that what is on its way to the old one arrives; the successor must have been heard."""
        opening = asyncio.ensure_future(self._try_open(Backoff()))
        try:
            fresh = await self._unless_lost(old, opening)
        except asyncio.CancelledError:
            opening.cancel()
            raise
        if fresh is None:
            return None
        subscribed = time.monotonic()
        await self._unless_lost(old, asyncio.ensure_future(_closed_within(fresh, OVERLAP_SECONDS)))
        self._doubted.discard(fresh)
        if fresh.closed.is_set() or (fresh.last_heard <= subscribed and not self._paused):
            self._lose(fresh, "the successor says nothing", silent=not fresh.closed.is_set())
            self._end(fresh, "it says nothing")
            return None
        self._lose(old, "changed over", silent=False)
        self._end(old, "changed over")
        return fresh

    async def _unless_lost(self, old: Connection, work: "asyncio.Future[Answer]") -> Answer:
        """The result of `work`; the old connection's end is told as soon as it happens."""
        ending = asyncio.ensure_future(old.closed.wait())
        try:
            await asyncio.wait((work, ending), return_when=asyncio.FIRST_COMPLETED)
            if old.closed.is_set():
                self._lose(old, old.close_reason, silent=False)
            return await work
        finally:
            ending.cancel()

    def _lose(self, connection: Connection, reason: str, *, silent: bool) -> None:
        """It does not count among the healthy ones any more."""
        self._doubted.discard(connection)
        if connection.closed.is_set():
            self._open.pop(connection, None)
        if self._healthy.pop(connection, None) is None:
            return
        self._log.info("connection over", reason=reason, left=len(self._healthy))
        self._handler.on_lines(frozenset(self._healthy.values()))
        if not self._healthy:
            self._log.warning("no connection is left", reason=reason)
            self._handler.on_close(reason, silent)

    def _end(self, connection: Connection, reason: str) -> None:
        self._healthy.pop(connection, None)
        self._open.pop(connection, None)
        connection.close(reason)

    def _on_messages(self, connection: Connection, payloads: list[bytes]) -> None:
        counter("perpstream_messages_received_total").labels(self._options.feed).inc(len(payloads))
        batch, malformed = self._wire.read(connection, payloads)
        batch.line = self._open.get(connection, -1)
        for payload, problem in malformed:
            counter("perpstream_records_dropped_total").labels(self._options.feed, "malformed").inc()
            sample = payload[:SAMPLE_BYTES].decode(errors="replace")
            self._log.warning("a message cannot be read", problem=problem, sample=sample)
        self._handler.on_batch(batch)


async def _closed_within(connection: Connection, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(connection.closed.wait(), seconds)


def brake(sessions: Iterable[StreamSession], hold: bool) -> None:
    """Stop or go on reading all of `sessions`: what a publisher with a full queue asks of its sources."""
    for session in sessions:
        if hold:
            session.pause_reading()
        else:
            session.resume_reading()
