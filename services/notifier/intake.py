"""From records to the outbox: what the rules want told is written in the transaction that moves the offsets it follows from."""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol

from libs.contracts.codec import decode
from libs.contracts.topics import topic_named
from libs.kit.clock import Clock
from libs.kit.metrics import counter
from libs.notify.facts import Fact, fact_of
from libs.notify.matching import Happened, Notice, notices
from libs.notify.rules import Rules
from libs.store.engine import Engine, WriteSession, write_session
from libs.store.notices import NoticeRow, put_notices, remember, remembered
from libs.store.offsets import LogPartition, advance
from libs.store.trouble import sorted_trouble
from libs.streaming.consumer import Commit, PartitionBatch

BEGUN = "notifier:begun"
_GRACE_MS = 60_000


class InForce(Protocol):
    """The rules that count now, and the names of channels, also of those that cannot be told anything before somebody mends their
    file; `gone`: of those that were there once. `services.notifier.watching` follows the files."""

    @property
    def rules(self) -> Rules: ...

    @property
    def names(self) -> Collection[str]: ...

    @property
    def gone(self) -> Collection[str]: ...


@dataclass(slots=True)
class Intake:
    """The consumer's handler. `woken`: called once there may be something new to send.

    What was appended before the notifier's very first start is nobody's news; what came while it was down is told.
    """

    engine: Engine
    clock: Clock
    in_force: InForce
    woken: Callable[[], None]
    _states: dict[str, str] = field(default_factory=dict, init=False)

    async def handle(self, batch: PartitionBatch, commit: Commit) -> None:
        """Write one batch; see `libs.streaming.consumer.Handler` for what it raises."""
        allowed = topic_named(batch.topic).events
        found = [
            (fact, record.timestamp_ms)
            for record in batch.records
            if (fact := fact_of(decode(record.value, record.headers, allowed))) is not None
        ]
        now_ms = self.clock.now_ms()
        async with sorted_trouble(), write_session(self.engine) as session:
            await advance(session, LogPartition(*commit.log), commit.old, commit.new)
            known = await self._known(session, [fact for fact, _ in found], now_ms)
            news, states = _news(found, known)
            told = self._told(news, int(known[BEGUN]), now_ms)
            added = await put_notices(session, [row_of(one) for one in told])
            changed = {subject: state for subject, state in states.items() if known.get(subject) != state}
            await remember(session, {subject: (state, instant(now_ms)) for subject, state in changed.items()})
        self._states.update(states)
        if added:
            counter("perpstream_notices_total").labels("all", "written").inc(added)
            self.woken()

    async def _known(self, session: WriteSession, facts: Sequence[Fact], now_ms: int) -> dict[str, str]:
        """The states of before; asked once a subject, because nobody else changes them."""
        wanted = {BEGUN, *(fact.subject for fact in facts if fact.state is not None)}
        if missing := wanted - self._states.keys():
            self._states |= await remembered(session, sorted(missing))
        if BEGUN not in self._states:
            await remember(session, {BEGUN: (str(now_ms), instant(now_ms))})
            return {**self._states, BEGUN: str(now_ms)}
        return dict(self._states)

    def _told(self, news: Sequence[tuple[Fact, int]], begun_ms: int, now_ms: int) -> list[Notice]:
        rules, channels, gone = self.in_force.rules, self.in_force.names, self.in_force.gone
        return [
            notice
            for fact, appended_ms in news
            if appended_ms >= begun_ms - _GRACE_MS
            for notice in notices(rules, fact, channels, Happened(appended_ms, now_ms), gone)
        ]


def _news(found: Sequence[tuple[Fact, int]], known: Mapping[str, str]) -> tuple[list[tuple[Fact, int]], dict[str, str]]:
    """Those that say something new, and the states that have changed."""
    news: list[tuple[Fact, int]] = []
    states: dict[str, str] = {}
    for fact, appended_ms in found:
        if fact.state is not None:
            before = states.get(fact.subject, known.get(fact.subject))
            states[fact.subject] = fact.state
            if before == fact.state or (before is None and fact.calm):
                continue
        news.append((fact, appended_ms))
    return news, states


def instant(time_ms: int) -> dt.datetime:
    """A time (ms, UTC) as the database has it."""
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)


def row_of(notice: Notice) -> NoticeRow:
    """The row of a notice."""
    picture = None
    if notice.picture is not None:
        picture = {
            **asdict(notice.picture),
            "levels": {name: str(level) for name, level in notice.picture.levels.items()},
        }
    return NoticeRow(
        notice_id=notice.notice_id,
        event_id=notice.event_id,
        channel=notice.channel,
        rule=notice.rule,
        kind=notice.kind,
        severity=notice.severity,
        group_key=notice.group,
        title=notice.title,
        content={"text": notice.text, "facts": dict(notice.facts), "subject": notice.subject, "picture": picture},
        event_time=instant(notice.time_ms),
        made_at=instant(notice.made_ms),
        due_at=instant(notice.due_ms),
        expires_at=None if notice.expires_ms is None else instant(notice.expires_ms),
    )
