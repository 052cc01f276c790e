"""A supervised stream subscription: connect, subscribe, watch for silence, rotate before the venue's cut, come back.

Venue-neutral; an adapter gives the URL, its way to subscribe and its parser (`Wire`). Timers of the venue (silence, life of
a connection) run on venue time; back-off and handshakes run on real time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

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


class SubscriptionRefused(Exception):
    """The venue answered a subscription with an error, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """`feed` names the session in logs and metrics. `silence_seconds` and `rotate_seconds` are venue time.

    24 h is Binance's limit for one connection; ten minutes before it we change over.
    """

    feed: str
    silence_seconds: float = 30.0
    rotate_seconds: float = 24 * 3600 - 600


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
    """One supervised subscription: reconnects, rotates, detects silence, until `run` is cancelled.

    One connection at a time, two for a moment while rotating.
    """

    def __init__(self, wire: Wire, handler: StreamHandler, clock: VenueClock, options: SessionOptions) -> None:
        self._wire = wire
        self._handler = handler
        self._clock = clock
        self._options = options
        self._log = get_logger(f"stream.{options.feed}")
        self._connection: Connection | None = None
        self._paused = False
        self._opened = 0

    async def run(self) -> None:
        """Keep the subscription alive until cancelled."""
        backoff = Backoff()
        try:
            while True:
                self._handler.on_connecting()
                connection = await self._try_open(backoff)
                if connection is None:
                    await asyncio.sleep(backoff.next_seconds())
                    continue
                self._connection = connection
                self._handler.on_open()
                started = time.monotonic()
                reason, silent = await self._watch()
                self._handler.on_close(reason, silent)
                self._log.warning("connection over", reason=reason)
                if time.monotonic() - started > HEALTHY_SECONDS:
                    backoff.reset()
                await asyncio.sleep(backoff.next_seconds())
        finally:
            if self._connection is not None:
                self._connection.close("we are stopping")

    def pause_reading(self) -> None:
        if not self._paused:
            self._paused = True
            if self._connection is not None:
                self._connection.pause_reading()

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            if self._connection is not None:
                self._connection.resume_reading()

    async def _try_open(self, backoff: Backoff) -> Connection | None:
        connection: Connection | None = None
        try:
            connection = await connect(self._wire.url, self._on_messages)
            await self._wire.subscribe(connection)
        except (OSError, TimeoutError, WSError, SubscriptionRefused) as error:
            if connection is not None:
                connection.close("could not subscribe")
            self._log.warning("cannot open the stream", attempt=backoff.attempt + 1, error=str(error) or repr(error))
            return None
        self._opened += 1
        if self._opened > 1:
            counter("perpstream_reconnects_total").labels(self._options.feed).inc()
        if self._paused:
            connection.pause_reading()
        return connection

    async def _watch(self) -> tuple[str, bool]:
        """Wait until the subscription is broken; change over to a fresh connection before the venue's cut."""
        speed = self._clock.speed
        patience = max(self._options.silence_seconds / speed, SHORTEST_SILENCE_SECONDS)
        born = time.monotonic()
        while True:
            connection = self._connection
            assert connection is not None
            quiet = 0.0 if self._paused else time.monotonic() - connection.last_heard
            if quiet >= patience:
                connection.close(f"nothing heard for {quiet * speed:.0f} s of venue time")
                return connection.close_reason, True
            if (time.monotonic() - born) * speed >= self._options.rotate_seconds and await self._rotate(connection):
                born = time.monotonic()
                continue
            wait = min(patience - quiet, self._options.rotate_seconds / 20 / speed)
            try:
                await asyncio.wait_for(connection.closed.wait(), max(wait, 0.01))
            except TimeoutError:
                continue
            return connection.close_reason, False

    async def _rotate(self, old: Connection) -> bool:
        fresh = await self._try_open(Backoff())
        if fresh is None:
            return False
        self._connection = fresh
        if old.closed.is_set():
            self._handler.on_close("lost while rotating", False)
            self._handler.on_open()
        self._log.info("connection rotated")
        old.close("rotated")
        return True

    def _on_messages(self, connection: Connection, payloads: list[bytes]) -> None:
        counter("perpstream_messages_received_total").labels(self._options.feed).inc(len(payloads))
        batch, malformed = self._wire.read(connection, payloads)
        for payload, problem in malformed:
            counter("perpstream_records_dropped_total").labels(self._options.feed, "malformed").inc()
            sample = payload[:SAMPLE_BYTES].decode(errors="replace")
            self._log.warning("a message cannot be read", problem=problem, sample=sample)
        self._handler.on_batch(batch)


def brake(sessions: Iterable[StreamSession], hold: bool) -> None:
    """Stop or go on reading all of `sessions`: what a publisher with a full queue asks of its sources."""
    for session in sessions:
        if hold:
            session.pause_reading()
        else:
            session.resume_reading()
