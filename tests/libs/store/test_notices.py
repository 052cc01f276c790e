"""The outbox: told once, claimed by one, due again when whoever claimed it died, and found by index."""

import asyncio
import datetime as dt

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.store.audit import Actor, AuditFilter, Change, audit_rows
from libs.store.chat_commands import ChatStep, note_chat
from libs.store.engine import read_session, write_session
from libs.store.notices import (
    ChannelFares,
    NoticeRow,
    OutboxFilter,
    channel_fares,
    channels_fare,
    claim_notices,
    dead_by_prefix,
    due_notices,
    notices_done,
    notices_later,
    outbox,
    outbox_counts,
    put_notices,
    remember,
    remembered,
    resend_dead,
    tidy_notices,
)

NOW = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def row(name: str, *, severity: str = "info", due: dt.datetime = NOW, group: str = "", **other: object) -> NoticeRow:
    values: dict[str, object] = {
        "notice_id": name,
        "event_id": f"event of {name}",
        "channel": "desk",
        "rule": "all",
        "kind": "alert",
        "severity": severity,
        "group_key": group,
        "title": f"title of {name}",
        "content": {"text": "words"},
        "event_time": NOW,
        "made_at": NOW,
        "due_at": due,
        "expires_at": None,
        **other,
    }
    return NoticeRow(**values)  # type: ignore[arg-type]


async def put(engine: AsyncEngine, *rows: NoticeRow) -> int:
    async with write_session(engine) as session:
        return await put_notices(session, rows)


async def due(engine: AsyncEngine, now: dt.datetime = NOW) -> list[str]:
    return [one.notice_id for one in await due_notices(engine, "desk", now)]


async def test_the_same_notice_is_put_once_and_grave_ones_come_first(engine: AsyncEngine) -> None:
    assert await put(engine, row("a"), row("b", severity="critical", due=NOW), row("c", due=NOW + SECOND)) == 3
    assert await put(engine, row("a"), row("other", channel="mail")) == 1
    assert await due(engine) == ["b", "a"]
    assert await due(engine, NOW + SECOND) == ["b", "a", "c"]
    assert (await due_notices(engine, "desk", NOW))[0].content == {"text": "words"}


async def test_of_two_that_claim_one_gets_it(engine: AsyncEngine) -> None:
    await put(engine, row("a"), row("b"))
    until = NOW + 60 * SECOND
    taken = await asyncio.gather(*(claim_notices(engine, ["a", "b"], NOW, until) for _ in range(4)))
    assert sorted(name for one in taken for name in one) == ["a", "b"]
    assert await due(engine) == []


async def test_whoever_claimed_and_died_leaves_it_due_again(engine: AsyncEngine) -> None:
    await put(engine, row("a"))
    await claim_notices(engine, ["a"], NOW, NOW + 60 * SECOND)
    assert await due(engine, NOW + 59 * SECOND) == []
    (again,) = await due_notices(engine, "desk", NOW + 60 * SECOND)
    assert (again.state, again.attempts, again.tried_at) == ("sending", 1, NOW)


async def test_what_was_sent_is_not_due_and_what_failed_is_later(engine: AsyncEngine) -> None:
    await put(engine, row("a"), row("b"), row("c"))
    await claim_notices(engine, ["a", "b", "c"], NOW, NOW + 60 * SECOND)
    await notices_done(engine, ["a"], "sent", NOW)
    await notices_later(engine, ["b"], NOW + 5 * SECOND, "no answer")
    await notices_done(engine, ["c"], "dead", NOW, "refused")
    assert await due(engine, NOW + 4 * SECOND) == []
    assert await due(engine, NOW + 100 * SECOND) == ["b"]
    counts = {(one.channel, one.state): one.count for one in await outbox_counts(engine)}
    assert counts == {("desk", "waiting"): 1, ("desk", "dead"): 1}


async def test_dead_ones_are_sent_again_by_channel_or_by_id(engine: AsyncEngine) -> None:
    await put(engine, row("aa"), row("ab"), row("m", channel="mail"))
    await notices_done(engine, ["aa", "ab", "m"], "dead", NOW, "refused")
    assert sorted(await dead_by_prefix(engine, "a")) == ["aa", "ab"]
    assert await dead_by_prefix(engine, "%") == []
    assert await resend_dead(engine, NOW, ids=["aa"]) == ["aa"]
    assert await resend_dead(engine, NOW, channel="mail") == ["m"]
    assert await due(engine) == ["aa"]
    assert [one.notice_id for one in await outbox(engine, OutboxFilter(states=("dead",)))] == ["ab"]


async def test_what_is_too_late_is_dead_and_what_is_critical_never_is(engine: AsyncEngine) -> None:
    await put(engine, row("late", expires_at=NOW + SECOND), row("grave", severity="critical"))
    await notices_later(engine, ["late"], NOW + 30 * SECOND, "no answer")
    assert await tidy_notices(engine, NOW + 2 * SECOND, dt.timedelta(days=30)) == (1, 0)
    (dead,) = await outbox(engine, OutboxFilter(states=("dead",)))
    assert dead.last_error == "it was not told in time: no answer"
    assert await tidy_notices(engine, NOW + dt.timedelta(days=31), dt.timedelta(days=30)) == (0, 1)
    assert await due(engine, NOW + dt.timedelta(days=31)) == ["grave"]


async def test_a_group_goes_when_its_first_one_goes(engine: AsyncEngine) -> None:
    await put(engine, row("a", group="g", due=NOW + 60 * SECOND))
    await put(engine, row("b", group="g", made_at=NOW + 50 * SECOND, due=NOW + 110 * SECOND))
    assert await due(engine, NOW + 60 * SECOND) == ["a", "b"]
    await notices_done(engine, ["a", "b"], "sent", NOW + 60 * SECOND)
    await put(engine, row("c", group="g", made_at=NOW + 61 * SECOND, due=NOW + 121 * SECOND))
    assert await due(engine, NOW + 120 * SECOND) == []


async def test_memory_and_fares_and_steps_are_kept(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await remember(session, {"risk:main": ("normal", NOW)})
        await remember(session, {"risk:main": ("warning", NOW)})
        assert await remembered(session, ["risk:main", "risk:other"]) == {"risk:main": "warning"}
    fares = ChannelFares("desk", 3, NOW, NOW + SECOND, "no answer", NOW)
    await channel_fares(engine, fares)
    assert await channels_fare(engine) == {"desk": fares}
    step = ChatStep(at=NOW, person_id="1", person="ada", place="desk", command="pause", arguments="", step="asked")
    await note_chat(engine, step, (Actor("Discord: ada (1)"), Change("command.pause")))
    async with read_session(engine) as session:
        columns = ", ".join(ChatStep.__slots__)
        kept = (await session.connection.execute(text(f"SELECT {columns} FROM notice_commands"))).all()
        assert [ChatStep(**row._mapping) for row in kept] == [step]
        assert [row.who for row in await audit_rows(session, AuditFilter())] == ["Discord: ada (1)"]


async def test_what_is_due_is_found_by_index_in_a_large_outbox(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await session.connection.execute(text(FILL))
        await session.connection.execute(text("ANALYZE notices"))
    async with read_session(engine) as session:
        plan = "\n".join((await session.connection.execute(text(f"EXPLAIN {DUE}"))).scalars())
    assert "notices_due_idx" in plan
    assert "Seq Scan" not in plan


FILL = """
INSERT INTO notices (notice_id, event_id, channel, rule, kind, severity, state, group_key, title, content, event_time, made_at,
  due_at) SELECT 'n' || n, 'e' || n, 'desk', 'r', 'alert', 'info', CASE WHEN n % 1000 = 0 THEN 'waiting' ELSE 'sent' END, '', 't',
  '{}', now(), now(), now() FROM generate_series(1, 50000) n
"""
DUE = """
SELECT notice_id FROM notices WHERE channel = 'desk' AND state IN ('waiting', 'sending') AND due_at <= now()
ORDER BY (severity = 'critical') DESC, entry LIMIT 1000
"""
