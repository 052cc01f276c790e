"""The newest words of guard, executor and people in memory, from their topics: what tables know late, or not at all."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from libs.contracts.codec import decode
from libs.contracts.commands import CommandAnswered, CommandIssued
from libs.contracts.event import Event
from libs.contracts.topics import ALERT, COMMAND, COMMAND_RESULT, EXECUTOR, POSITION, RISK_STATE
from libs.contracts.trading import AlertRaised, ExecutorReported, PositionChanged, RiskStateChanged
from libs.kit.clock import Clock, SystemClock
from libs.kit.errors import BadMessage, UserError
from libs.kit.logging import get_logger
from libs.streaming.connection import BrokerError
from libs.streaming.records import Record
from libs.streaming.tail import FROM_BEGINNING, TailConsumer

HEARTBEAT_MS = 10_000
"""A heartbeat is told each second; after ten seconds without one nobody opens anything."""
_SPOKEN = (RISK_STATE, EXECUTOR, COMMAND, COMMAND_RESULT, ALERT)
_EVENTS = tuple(kind for topic in (*_SPOKEN, POSITION) for kind in topic.events)
_BACK = 2000
_KEPT = 2000
_POLL_MS = 500
_RETRY_SECONDS = 2.0
E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Heard(Generic[E]):
    """A word, and when the broker had it (ms)."""

    said: E
    at_ms: int

    def age_ms(self, now_ms: int) -> int:
        """How old it is; never below 0, whatever the clocks say."""
        return max(0, now_ms - self.at_ms)


@dataclass(slots=True)
class Newest:
    """The last state of the guard and report of the executor by account, of positions by account and symbol; the last commands,
    answers and alerts, in the order of their topics. `following` is false while Kafka is away."""

    risk: dict[str, Heard[RiskStateChanged]] = field(default_factory=dict)
    executors: dict[str, Heard[ExecutorReported]] = field(default_factory=dict)
    positions: dict[tuple[str, str], Heard[PositionChanged]] = field(default_factory=dict)
    commands: deque[CommandIssued] = field(default_factory=lambda: deque(maxlen=_KEPT))
    answers: deque[CommandAnswered] = field(default_factory=lambda: deque(maxlen=_KEPT))
    alerts: dict[str, AlertRaised] = field(default_factory=dict)
    following: bool = False
    clock: Clock = field(default_factory=SystemClock)

    def take(self, record: Record) -> None:
        """Keep what the record says. Undecodable records are left out: their own readers report them."""
        try:
            event = decode(record.value, record.headers, _EVENTS)
        except BadMessage as error:
            get_logger("gateway").debug("record left out", place=record.place, why=str(error))
            return
        match event:
            case RiskStateChanged():
                self.risk[event.account] = Heard(event, record.timestamp_ms)
            case ExecutorReported():
                self.executors[event.account] = Heard(event, record.timestamp_ms)
            case PositionChanged():
                self.positions[event.account, event.symbol] = Heard(event, record.timestamp_ms)
            case CommandIssued():
                self.commands.append(event)
            case CommandAnswered():
                self.answers.append(event)
            case AlertRaised():
                self._alert(event)

    def _alert(self, event: AlertRaised) -> None:
        """The same id again is the same alert."""
        if event.event_id not in self.alerts:
            self.alerts[event.event_id] = event
            if len(self.alerts) > _KEPT:
                del self.alerts[next(iter(self.alerts))]

    def accounts(self) -> list[str]:
        """Every account of which anybody has spoken."""
        return sorted({*self.risk, *self.executors, *(account for account, _ in self.positions)})

    async def follow(self, bootstrap: str) -> None:
        """Follow the topics for ever. Kafka's absence is waited for; what is known stays, and grows old."""
        while True:
            try:
                await self._read(bootstrap)
            except* (UserError, BrokerError) as found:  # the readers' task group puts theirs into a group
                why = "; ".join(str(error) for error in found.exceptions)
                get_logger("gateway").debug("words are not heard", why=why)
            self.following = False
            await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self, bootstrap: str) -> None:
        spoken = TailConsumer(bootstrap, [topic.name for topic in _SPOKEN], back=_BACK)
        # Compacted and quiet: the newest of a symbol may stand anywhere in it.
        positions = TailConsumer(bootstrap, [POSITION.name], back=FROM_BEGINNING)
        async with spoken, positions:
            self.commands.clear()
            self.answers.clear()
            async with asyncio.TaskGroup() as readers:
                for tail in (spoken, positions):
                    readers.create_task(self._take_all(tail))

    async def _take_all(self, tail: TailConsumer) -> None:
        while True:
            batch = await tail.poll(_POLL_MS)
            self.following = bool(tail.answered_ms)
            for record in batch:
                self.take(record)
