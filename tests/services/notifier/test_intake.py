"""From events to the outbox: only news, with the offsets or not at all, and nothing from before there was a notifier."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from libs.contracts.market import FeedStatusChanged
from libs.contracts.topics import ALERT, FEEDSTATUS, POSITION, RISK_STATE, SIGNAL_SCORED
from libs.contracts.trading import PositionChanged, RiskStateChanged
from libs.kit.errors import BadMessage, OffsetConflict
from libs.streaming.consumer import Commit, PartitionBatch
from libs.streaming.records import Record
from services.notifier.intake import Intake
from services.notifier.sending import notice_of
from tests.golden.samples import sample
from tests.services.notifier.conftest import NOON, Desk, alert

RISK: dict[str, Any] = {"rules": [{"name": "risk", "on": "risk"}]}


def risk(level: str, heartbeat: int, **other: Any) -> RiskStateChanged:
    base = sample(RiskStateChanged)
    assert isinstance(base, RiskStateChanged)
    return msgspec.structs.replace(base, level=level, heartbeat=heartbeat, event_id=f"risk-{heartbeat}", **other)


async def test_a_heartbeat_is_no_news_and_another_level_is(desk: Desk) -> None:
    desk.follow(**RISK)
    await desk.hear(RISK_STATE, *(risk("normal", number) for number in range(5)))
    await desk.hear(RISK_STATE, risk("normal", 5), risk("warning", 6), risk("warning", 7))
    await desk.hear(RISK_STATE, risk("circuit_break", 8))
    assert {row.event_id: row.severity for row in await desk.rows()} == {"risk-6": "warning", "risk-8": "critical"}


async def test_what_was_known_is_known_after_a_restart(desk: Desk) -> None:
    desk.follow(**RISK)
    await desk.hear(RISK_STATE, risk("normal", 1))
    desk.intake = Intake(desk.engine, desk.clock, desk, lambda: None)
    await desk.hear(RISK_STATE, risk("normal", 2), risk("warning", 3))
    assert {row.event_id for row in await desk.rows()} == {"risk-3"}


async def test_feeds_and_positions_are_news_when_they_change(desk: Desk) -> None:
    desk.follow(rules=[{"name": "feeds", "on": "feed"}, {"name": "positions", "on": "position"}])
    feed = sample(FeedStatusChanged)
    assert isinstance(feed, FeedStatusChanged)
    await desk.hear(FEEDSTATUS, feed, msgspec.structs.replace(feed, event_id="f2", events_per_second=3.0))
    position = msgspec.structs.replace(sample(PositionChanged), event_id="p1", quantity=Decimal(1), protected=True)
    bare = msgspec.structs.replace(position, event_id="p3", protected=False)
    await desk.hear(POSITION, position, msgspec.structs.replace(position, event_id="p2", mark_price=Decimal(9)), bare)
    await desk.hear(
        FEEDSTATUS, *(msgspec.structs.replace(feed, event_id=f"f-{state}", state=state) for state in ("live", "down"))
    )
    assert {row.event_id for row in await desk.rows()} - {feed.event_id} == {"f-live", "f-down", "p1", "p3"}


async def test_what_is_older_than_the_first_start_is_nobodys_news(desk: Desk) -> None:
    await desk.hear(ALERT, alert(1), at_ms=NOON - 3_600_000)
    assert await desk.rows() == []
    desk.later(hours=10)
    desk.intake = Intake(desk.engine, desk.clock, desk, lambda: None)
    await desk.hear(ALERT, alert(2), at_ms=NOON + 3_600_000)
    assert [row.event_id for row in await desk.rows()] == ["alert-2"], "what came while it was down is told"


async def test_offsets_and_notices_stand_or_fall_together(desk: Desk) -> None:
    await desk.hear(ALERT, alert(1))
    zombie = Desk(desk.engine, desk.clock, desk.rules, desk.channels)
    with pytest.raises(OffsetConflict):
        await zombie.hear(ALERT, alert(7))
    assert [row.event_id for row in await desk.rows()] == ["alert-1"]
    assert desk.woken == 1


async def test_a_record_that_nobody_can_read_is_bad_and_leaves_no_trace(desk: Desk) -> None:
    record = Record(
        ALERT.name, 0, 0, None, b"{", {"schema": b"alert_raised/1", "content-type": b"application/json"}, NOON
    )
    with pytest.raises(BadMessage):
        await desk.intake.handle(
            PartitionBatch(ALERT.name, 0, [record]), Commit("notifier", ALERT.name, 0, "log", None, 1)
        )
    assert await desk.count("SELECT count(*) FROM consumer_offsets") == 0


async def test_a_notice_is_read_back_as_it_was_written(desk: Desk) -> None:
    desk.follow(rules=[{"name": "signals", "on": "signal", "picture": True}])
    await desk.hear(SIGNAL_SCORED, sample(SIGNAL_SCORED.events[0]))
    (row,) = await desk.rows()
    notice = notice_of(row)
    assert notice.picture is not None
    assert notice.picture.symbol == row.content["picture"]["symbol"]
    assert all(isinstance(level, Decimal) for level in notice.picture.levels.values())
    assert notice.expires_ms == NOON + 1440 * 60_000
