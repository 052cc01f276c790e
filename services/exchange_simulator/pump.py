"""Moves venue time into the hub: takes what has become visible since the last step and has it published."""

import asyncio
import math
import time
from dataclasses import dataclass

from libs.kit.logging import get_logger
from services.exchange_simulator.clock import Anchor, AnchoredTime, PositionTime, wall_ms
from services.exchange_simulator.frames import ping_frame
from services.exchange_simulator.hub import Demand, Hub
from services.exchange_simulator.market import MarketSource
from services.exchange_simulator.state import SimulatorState

TICK_SECONDS = 0.01
_LONGEST_STEP_MS = 250
_UNPACED_STEP_MS = 50
_UNPACED_BUFFER = 1_000_000
_STALL_BUFFER = 4_000_000
_LONGEST_STALL_MS = 60_000
_AHEAD_MS = 1500
# After a recording's end nothing is told any more; pings say that the venue is alive, so that nobody takes it for silent.
_PING_SECONDS = 2.0
_PREPARE_SECONDS = 0.25
# A recording waits for somebody who wants trades; a client that wants only other streams starts it after this time.
_OTHER_STREAMS_WAIT_SECONDS = 10.0
# Where several readers are expected, the ones that are there start it after this time.
_READERS_WAIT_SECONDS = 60.0
_log = get_logger("pump")


@dataclass(slots=True)
class Progress:
    """What /sim/status shows of the pump: venue time up to which all is told, and whether a recording has ended."""

    told_ms: int = 0
    ended: bool = False
    started: bool = False


class PacedPump:
    """Publishes along a clock that runs by itself."""

    def __init__(self, source: MarketSource, hub: Hub, clock: AnchoredTime, told_ms: int) -> None:
        self.progress = Progress(told_ms=told_ms, started=True)
        self._source = source
        self._hub = hub
        self._clock = clock

    async def run(self) -> None:
        """Publish for ever; a recording's end is only noted, the clock goes on."""
        beside = [asyncio.create_task(self._prepare()), asyncio.create_task(ping_after_end(self._hub, self.progress))]
        try:
            while True:
                await asyncio.sleep(TICK_SECONDS)
                await self._catch_up(self._clock.now_ms())
        finally:
            for task in beside:
                task.cancel()

    async def _catch_up(self, now_ms: int) -> None:
        if now_ms - self.progress.told_ms > _LONGEST_STALL_MS * self._clock.timer_speed:
            # The machine slept: an exchange would have gone on meanwhile, and REST has what the streams have not told.
            _log.warning("venue time has jumped", from_ms=self.progress.told_ms, to_ms=now_ms)
            self.progress.told_ms = now_ms
        while (after := self.progress.told_ms) < now_ms:
            demand = self._hub.demand()
            # Where nobody listens there is nothing to spread: a fast venue that is only asked needs no steps.
            listened = demand.trade_symbols or demand.side_names
            until = min(now_ms, after + _LONGEST_STEP_MS) if listened else now_ms
            publish(self._source, self._hub, demand, after, until)
            self.progress.told_ms = until
            if until < now_ms:
                # After a stall there is more than clients can take at once: give them the time they need to read.
                await drained(self._hub, _STALL_BUFFER, seconds=1.0)
        last = self._source.last_event_ms()
        if last is not None and now_ms > last and not self.progress.ended:
            self.progress.ended = True
            _log.info("the recording has ended", venue_ms=last)

    async def _prepare(self) -> None:
        """Generate in a thread what the coming second needs, so that publishing never waits for a big block."""
        ahead_ms = int(_AHEAD_MS * self._clock.timer_speed)
        while True:
            demand = self._hub.demand()
            for moment in (self._clock.now_ms(), self._clock.now_ms() + ahead_ms):
                await asyncio.to_thread(self._source.prepare, moment, demand.trade_symbols)
            await asyncio.sleep(_PREPARE_SECONDS)


class UnpacedPump:
    """Publishes a recording as fast as clients read."""

    def __init__(self, source: MarketSource, hub: Hub, clock: PositionTime, state: SimulatorState) -> None:
        self.progress = Progress(told_ms=clock.now_ms(), started=True)
        self._source = source
        self._hub = hub
        self._clock = clock
        self._state = state
        self._saved_at = time.monotonic()

    async def run(self) -> None:
        """Publish to the end, then let time pass for ever."""
        while not self.progress.ended:
            demand = self._hub.demand()
            if not demand.trade_groups:
                await asyncio.sleep(TICK_SECONDS)
                continue
            self._step(demand)
            await drained(self._hub, _UNPACED_BUFFER)
        self._save()
        self._clock.run_on()
        _log.info("the recording has ended", venue_ms=self.progress.told_ms)
        await ping_after_end(self._hub, self.progress)

    def _step(self, demand: Demand) -> None:
        after = self._clock.now_ms()
        coming = self._source.next_event_ms(after)
        if coming is None:
            self.progress.ended = True
            return
        until = coming + _UNPACED_STEP_MS
        # Time moves first: whoever sees an event may ask REST for it.
        self._clock.move(until)
        publish(self._source, self._hub, demand, after, until)
        self.progress.told_ms = until
        if time.monotonic() - self._saved_at > 1.0:
            self._save()

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        self._state.position_ms = self._clock.now_ms()
        self._state.save()


async def ping_after_end(hub: Hub, progress: Progress) -> None:
    """Once the recording has ended, ping every connection now and then. Never returns."""
    while True:
        await asyncio.sleep(_PING_SECONDS)
        if progress.ended:
            for session in hub.sessions():
                session.write(ping_frame(b"ended"))


async def drained(hub: Hub, limit_bytes: int, seconds: float = math.inf) -> None:
    """Let the loop write, and wait until no client has more than `limit_bytes` unsent, for at most `seconds`."""
    give_up = time.monotonic() + seconds
    await asyncio.sleep(0)
    # Many transports, none of which offers one event for all: polling is the simple truth here.
    while time.monotonic() < give_up:
        if all(session.unsent() <= limit_bytes for session in hub.sessions()):
            return
        await asyncio.sleep(0.001)


def publish(source: MarketSource, hub: Hub, demand: Demand, after_ms: int, until_ms: int) -> None:
    """Publish one window of venue time: after < event time <= until."""
    hub.told_ms = until_ms
    hub.misbehave(until_ms)
    if demand.trade_symbols:
        hub.publish_trades(source.window(after_ms, until_ms, demand.trade_symbols), demand)
    if demand.side_names:
        hub.publish_side(source.side_events(after_ms, until_ms, demand.side_names), demand)


async def expected_readers(hub: Hub, count: int) -> None:
    """Wait until `count` connections have subscribed and somebody wants trades, or some have waited long enough.

    What is told before a reader has subscribed never reaches it, so a run that must equal another one names its readers.
    """
    since: float | None = None
    patience = _OTHER_STREAMS_WAIT_SECONDS if count == 1 else _READERS_WAIT_SECONDS
    while True:
        demand = hub.demand()
        if demand.trade_groups and demand.readers >= count:
            return
        if not demand.readers:
            since = None
        elif since is None:
            since = time.monotonic()
        elif time.monotonic() - since > patience:
            _log.warning("the recording starts without all its readers", expected=count, subscribed=demand.readers)
            return
        await asyncio.sleep(TICK_SECONDS)


def anchor_now(clock: AnchoredTime, state: SimulatorState, venue_ms: int) -> None:
    """Start a clock that has waited: venue time is `venue_ms` now, and the state folder knows."""
    clock.anchor = state.anchor = Anchor(venue_ms, wall_ms())
    state.save()
