"""The outbox of notifications: written with the offsets that it follows from, claimed before anything is sent, marked after.

A claim is a row in state `sending` whose `due_at` is when the claim is over: whoever claimed it and died leaves a row that is
due again then. Every time is the caller's: one clock for what waits and what it waits for.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from sqlalchemy import text

from libs.store.engine import Engine, WriteSession, read_session, write_session

NoticeState = Literal["waiting", "sending", "sent", "dead"]
MOST_ROWS = 1000
_COLUMNS = (
    "notice_id, event_id, channel, rule, kind, severity, state, group_key, title, content, event_time, made_at, due_at,"
    " expires_at, tried_at, done_at, attempts, last_error"
)
_PUT = """
INSERT INTO notices (notice_id, event_id, channel, rule, kind, severity, state, group_key, title, content, event_time, made_at,
  due_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $8, $9::jsonb, $10, $11, $12, $13) ON CONFLICT DO NOTHING
"""
# One message waits for the others of its group: the first one's time counts for all of them.
_GROUPED_DUE = (
    "SELECT min(due_at) FROM notices WHERE channel = $1 AND group_key = $2 AND state = 'waiting' AND due_at > $3"
)
_REMEMBERED = "SELECT subject, state FROM notice_memory WHERE subject = ANY($1::text[])"
_REMEMBER = """
INSERT INTO notice_memory (subject, state, changed_at) SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
ON CONFLICT (subject) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at
"""
_IS_DUE = "state IN ('waiting', 'sending') AND due_at <= :now"
_DUE = text(
    f"SELECT {_COLUMNS} FROM notices WHERE channel = :channel AND {_IS_DUE}"  # noqa: S608
    " ORDER BY (severity = 'critical') DESC, entry LIMIT :most"
)
_CLAIM = text(
    f"UPDATE notices SET state = 'sending', attempts = attempts + 1, tried_at = :now, due_at = :until"  # noqa: S608
    f" WHERE notice_id = ANY(CAST(:ids AS text[])) AND {_IS_DUE} RETURNING notice_id"
)
_DONE = text(
    "UPDATE notices SET state = :state, done_at = :now, last_error = :error WHERE notice_id = ANY(CAST(:ids AS text[]))"
)
_LATER = text(
    "UPDATE notices SET state = 'waiting', due_at = :due, last_error = :error WHERE notice_id = ANY(CAST(:ids AS text[]))"
)
_EXPIRE = text(
    "UPDATE notices SET state = 'dead', done_at = :now, last_error = 'it was not told in time'"
    " || CASE WHEN last_error IS NULL THEN '' ELSE ': ' || last_error END"
    " WHERE state IN ('waiting', 'sending') AND expires_at <= :now RETURNING notice_id"
)
_PRUNE = text("DELETE FROM notices WHERE state IN ('sent', 'dead') AND made_at < :before RETURNING notice_id")
_RESEND = text(
    "UPDATE notices SET state = 'waiting', due_at = :now, done_at = NULL, expires_at = NULL, group_key = ''"
    " WHERE state = 'dead' AND (CAST(:channel AS text) IS NULL OR channel = :channel)"
    " AND (CAST(:ids AS text[]) IS NULL OR notice_id = ANY(CAST(:ids AS text[]))) RETURNING notice_id"
)
_BY_PREFIX = text("SELECT notice_id FROM notices WHERE state = 'dead' AND notice_id LIKE :prefix LIMIT 2")
_LIST = """
SELECT {columns} FROM notices WHERE {where} ORDER BY entry DESC LIMIT :most
"""
_COUNTS = text(
    "SELECT channel, state, count(*) AS count, min(made_at) AS oldest, count(*) FILTER (WHERE severity = 'critical') AS critical"
    " FROM notices WHERE state IN ('waiting', 'sending', 'dead') GROUP BY 1, 2 ORDER BY 1, 2"
)
_CHANNELS = text(
    "SELECT channel, failures, failing_since, rest_until, last_error, updated_at FROM notice_channels ORDER BY channel"
)
_FARES = text("""
INSERT INTO notice_channels (channel, failures, failing_since, rest_until, last_error, updated_at)
VALUES (:channel, :failures, :failing_since, :rest_until, :last_error, :updated_at)
ON CONFLICT (channel) DO UPDATE SET failures = excluded.failures, failing_since = excluded.failing_since,
  rest_until = excluded.rest_until, last_error = excluded.last_error, updated_at = excluded.updated_at
""")
_FORGET_CHANNEL = text("DELETE FROM notice_channels WHERE channel = :channel RETURNING channel")
_GIVE_UP = text(
    "UPDATE notices SET state = 'dead', done_at = :now, last_error = 'its channel was forgotten'"
    " WHERE channel = :channel AND state IN ('waiting', 'sending') RETURNING notice_id"
)
_WAITING_FOR = text(
    f"SELECT {_COLUMNS} FROM notices WHERE channel = :channel AND state IN ('waiting', 'sending')"  # noqa: S608
    " ORDER BY entry LIMIT :most FOR UPDATE"
)
_REMOVE = text("DELETE FROM notices WHERE notice_id = ANY(CAST(:ids AS text[]))")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """A row of `notices`. `content`: the message in parts, as the notifier keeps it; `expires_at` None: it is never too late."""

    notice_id: str
    event_id: str
    channel: str
    rule: str
    kind: str
    severity: str
    group_key: str
    title: str
    content: Mapping[str, Any]
    event_time: dt.datetime
    made_at: dt.datetime
    due_at: dt.datetime
    expires_at: dt.datetime | None
    state: NoticeState = "waiting"
    tried_at: dt.datetime | None = None
    done_at: dt.datetime | None = None
    attempts: int = 0
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelFares:
    """A row of `notice_channels`; `failures` 0: it works."""

    channel: str
    failures: int
    failing_since: dt.datetime | None
    rest_until: dt.datetime | None
    last_error: str | None
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """How many rows of a channel are in a state that wants attention, since when, and how many of them are critical."""

    channel: str
    state: NoticeState
    count: int
    oldest: dt.datetime
    critical: int


@dataclass(frozen=True, slots=True)
class OutboxFilter:
    """Which rows; None filters nothing."""

    channel: str | None = None
    states: Sequence[NoticeState] = field(default_factory=tuple)
    most: int = 100


async def put_notices(session: WriteSession, rows: Iterable[NoticeRow]) -> int:
    """Add what is not there yet, by its id; returns how many were new. A message that waits for others of its group goes when the
    first of them goes."""
    added = 0
    for row in rows:
        due = row.due_at
        if row.group_key and row.due_at > row.made_at:
            first = await session.raw.fetchval(_GROUPED_DUE, row.channel, row.group_key, row.made_at)
            due = min(due, first) if first is not None else due
        content = msgspec.json.encode(row.content).decode()
        values = (row.notice_id, row.event_id, row.channel, row.rule, row.kind, row.severity, row.group_key, row.title)
        said = await session.raw.execute(_PUT, *values, content, row.event_time, row.made_at, due, row.expires_at)
        added += int(said.rpartition(" ")[2])
    return added


async def remembered(session: WriteSession, subjects: Sequence[str]) -> dict[str, str]:
    """The state in which each was last seen; those that never were are left out."""
    rows = await session.raw.fetch(_REMEMBERED, list(subjects))
    return {row["subject"]: row["state"] for row in rows}


async def remember(session: WriteSession, states: Mapping[str, tuple[str, dt.datetime]]) -> None:
    """Keep the state of each subject, and when it was seen."""
    if states:
        subjects = list(states)
        await session.raw.execute(
            _REMEMBER, subjects, [states[one][0] for one in subjects], [states[one][1] for one in subjects]
        )


async def due_notices(engine: Engine, channel: str, now: dt.datetime, most: int = MOST_ROWS) -> list[NoticeRow]:
    """What may be sent to a channel now: the critical ones first, each in the order of their coming.

    Raises `UnreachableError`, as all here do.
    """
    async with read_session(engine) as session:
        found = await session.connection.execute(_DUE, {"channel": channel, "now": now, "most": most})
        return [NoticeRow(**row._mapping) for row in found.all()]


async def claim_notices(engine: Engine, ids: Sequence[str], now: dt.datetime, until: dt.datetime) -> set[str]:
    """Take these for sending, until then; returns those that nobody else has taken."""
    async with write_session(engine) as session:
        found = await session.connection.execute(_CLAIM, {"ids": list(ids), "now": now, "until": until})
        return set(found.scalars().all())


async def notices_done(
    engine: Engine, ids: Sequence[str], state: Literal["sent", "dead"], now: dt.datetime, error: str | None = None
) -> None:
    """They were sent, or never will be, and why."""
    async with write_session(engine) as session:
        await session.connection.execute(_DONE, {"ids": list(ids), "state": state, "now": now, "error": error})


async def notices_later(engine: Engine, ids: Sequence[str], due: dt.datetime, error: str) -> None:
    """They were not sent: try again then."""
    async with write_session(engine) as session:
        await session.connection.execute(_LATER, {"ids": list(ids), "due": due, "error": error})


async def tidy_notices(engine: Engine, now: dt.datetime, keep: dt.timedelta) -> tuple[int, int]:
    """Give up what is too late, and delete what was done long ago; how many of each."""
    async with write_session(engine) as session:
        expired = (await session.connection.execute(_EXPIRE, {"now": now})).all()
        pruned = (await session.connection.execute(_PRUNE, {"before": now - keep})).all()
        return len(expired), len(pruned)


async def resend_dead(
    engine: Engine, now: dt.datetime, channel: str | None = None, ids: Sequence[str] | None = None
) -> list[str]:
    """Put dead ones back, to be sent at once and never to expire; of a channel, or by their ids, or all."""
    asked = {"now": now, "channel": channel, "ids": None if ids is None else list(ids)}
    async with write_session(engine) as session:
        return list((await session.connection.execute(_RESEND, asked)).scalars().all())


async def dead_by_prefix(engine: Engine, prefix: str) -> list[str]:
    """Dead ones whose id begins like this, at most two."""
    pattern = prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    async with read_session(engine) as session:
        return list((await session.connection.execute(_BY_PREFIX, {"prefix": pattern})).scalars().all())


async def outbox(engine: Engine, asked: OutboxFilter) -> list[NoticeRow]:
    """Rows of the outbox, the newest first."""
    conditions = ["true"]
    parameters: dict[str, object] = {"most": asked.most}
    if asked.channel is not None:
        conditions.append("channel = :channel")
        parameters["channel"] = asked.channel
    if asked.states:
        conditions.append("state = ANY(CAST(:states AS text[]))")
        parameters["states"] = list(asked.states)
    question = text(_LIST.format(columns=_COLUMNS, where=" AND ".join(conditions)))
    async with read_session(engine) as session:
        return [NoticeRow(**row._mapping) for row in (await session.connection.execute(question, parameters)).all()]


async def outbox_counts(engine: Engine) -> list[OutboxCount]:
    """What waits and what is dead, by channel."""
    async with read_session(engine) as session:
        return [OutboxCount(**row._mapping) for row in (await session.connection.execute(_COUNTS)).all()]


async def channels_fare(engine: Engine) -> dict[str, ChannelFares]:
    """How each channel fares that was ever used."""
    async with read_session(engine) as session:
        rows = (await session.connection.execute(_CHANNELS)).all()
    return {row.channel: ChannelFares(**row._mapping) for row in rows}


async def channel_fares(engine: Engine, fares: ChannelFares) -> None:
    """Keep how a channel fares."""
    asked = {name: getattr(fares, name) for name in fares.__slots__}
    async with write_session(engine) as session:
        await session.connection.execute(_FARES, asked)


async def give_up_channel(engine: Engine, channel: str, now: dt.datetime) -> int | None:
    """Forget a channel and give up what waits for it; how many messages that were, None where nobody knows it."""
    async with write_session(engine) as session:
        known = (await session.connection.execute(_FORGET_CHANNEL, {"channel": channel})).first()
        given_up = (await session.connection.execute(_GIVE_UP, {"channel": channel, "now": now})).all()
        return len(given_up) if known or given_up else None


async def replace_notices(
    engine: Engine, channel: str, others: Callable[[NoticeRow], Iterable[NoticeRow]], most: int = MOST_ROWS
) -> int:
    """Put others in the place of each that waits for a channel; how many there were."""
    async with write_session(engine) as session:
        found = await session.connection.execute(_WAITING_FOR, {"channel": channel, "most": most})
        rows = [NoticeRow(**row._mapping) for row in found.all()]
        await put_notices(session, [other for row in rows for other in others(row)])
        await session.connection.execute(_REMOVE, {"ids": [row.notice_id for row in rows]})
        return len(rows)


async def forget_channel(engine: Engine, channel: str) -> None:
    """Its address has changed: what was asked of the old one says nothing of the new one."""
    async with write_session(engine) as session:
        await session.connection.execute(_FORGET_CHANNEL, {"channel": channel})
