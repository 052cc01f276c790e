"""A migrated database, and a notifier's parts on a clock that moves when told."""

import datetime as dt
import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.codec import encode
from libs.contracts.event import Event
from libs.contracts.topics import Topic
from libs.contracts.trading import AlertRaised
from libs.kit.clock import ManualClock
from libs.kit.settings import DatabaseSettings
from libs.notify import Channel
from libs.notify.rules import ChannelLimits, Rules, read_rules
from libs.store import migrate
from libs.store.engine import create_engine, read_session
from libs.store.notices import NoticeRow, OutboxFilter, outbox
from libs.streaming.consumer import Commit, PartitionBatch
from libs.streaming.records import Record
from services.notifier.intake import Intake
from services.notifier.sending import Sender
from tests.fakes.channels import ListeningChannel, NoPictures

NOON = 1_790_000_000_000 - 1_790_000_000_000 % 86_400_000 + 43_200_000
EVERY_ALERT: dict[str, Any] = {"rules": [{"name": "alerts", "on": "alert"}]}


def alert(number: int, severity: str = "critical", title: str = "") -> AlertRaised:
    """An alert with an id of its own."""
    return AlertRaised(
        event_id=f"alert-{number}",
        event_time_ms=NOON,
        severity=severity,  # type: ignore[arg-type]
        source="test",
        title=title or f"alert {number}",
        detail="words",
        runbook=None,
    )


@dataclass
class Desk:
    """Intake and senders on one database."""

    engine: AsyncEngine
    clock: ManualClock
    rules: Rules
    channels: dict[str, Channel] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    gone: Collection[str] = ()
    woken: int = 0

    def __post_init__(self) -> None:
        self.intake = Intake(self.engine, self.clock, self, self._wake)

    @property
    def names(self) -> Collection[str]:
        return self.channels.keys()

    def _wake(self) -> None:
        self.woken += 1

    def follow(self, **file: Any) -> None:
        """Other rules from now on."""
        self.rules = read_rules(json.dumps(file), "a test")

    async def hear(self, topic: Topic, *events: Event, at_ms: int | None = None) -> None:
        """The topic's next records, in one batch."""
        old = self.offsets.get(topic.name)
        stamp = self.clock.now_ms() if at_ms is None else at_ms
        records = []
        for number, event in enumerate(events):
            encoded = encode(event)
            records.append(
                Record(topic.name, 0, (old or 0) + number, None, encoded.value, dict(encoded.headers), stamp)
            )
        new = (old or 0) + len(events)
        await self.intake.handle(
            PartitionBatch(topic.name, 0, records), Commit("notifier", topic.name, 0, "log", old, new)
        )
        self.offsets[topic.name] = new

    def sender(self, channel: ListeningChannel, limits: ChannelLimits | None = None) -> Sender:
        """A sender of this channel; a second one is what a restart leaves."""
        return Sender(self.engine, self.clock, channel, lambda: limits or ChannelLimits(), NoPictures())

    async def rows(self, *states: Any) -> list[NoticeRow]:
        """Of the outbox, the newest first."""
        return await outbox(self.engine, OutboxFilter(states=states, most=1000))

    async def count(self, statement: str) -> int:
        async with read_session(self.engine) as session:
            return int((await session.connection.execute(text(statement))).scalar_one())

    def later(self, **span: float) -> None:
        """Let time pass."""
        self.clock.advance(int(dt.timedelta(**span).total_seconds() * 1000))


async def drain(sender: Sender, most: int = 1000) -> float:
    """Step until the sender waits; returns for how many seconds."""
    for _ in range(most):
        if (seconds := await sender.step()) > 0:
            return seconds
    raise AssertionError(f"it has not come to rest after {most} messages")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a database at the newest revision."""
    made = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(made)
    yield made
    await made.dispose()


@pytest.fixture
async def desk(engine: AsyncEngine) -> Desk:
    """A notifier of every alert with one channel, whose log has begun."""
    made = Desk(engine, ManualClock(NOON), read_rules(json.dumps(EVERY_ALERT), "a test"))
    made.channels["desk"] = ListeningChannel()
    return made
