"""Senders on a real outbox: a dead channel loses nothing that is critical, a flood is a digest, a pause outlives a restart."""

import datetime as dt

from libs.contracts.topics import ALERT
from libs.notify import Refused, TryLater
from libs.notify.batching import Due
from libs.notify.rules import ChannelLimits
from libs.store.notices import channels_fare, due_notices, resend_dead, tidy_notices
from services.notifier.intake import instant
from services.notifier.sending import CLAIM_SECONDS, IDLE_SECONDS, notice_of
from tests.fakes.channels import ListeningChannel
from tests.services.notifier.conftest import EVERY_ALERT, Desk, alert, drain

MONTH = dt.timedelta(days=30)


async def test_an_alert_is_told_once_whoever_reads_it_again(desk: Desk) -> None:
    channel = ListeningChannel()
    await desk.hear(ALERT, alert(1), alert(1))
    await desk.hear(ALERT, alert(1), alert(2))
    assert await drain(desk.sender(channel)) == IDLE_SECONDS
    assert [one.title for one in channel.told] == ["alert 1", "alert 2"]
    assert channel.told[0].footer == "alerts · alert-1"
    assert {row.state for row in await desk.rows()} == {"sent"}


async def test_a_channel_that_is_dead_for_hours_loses_no_critical_alert(desk: Desk) -> None:
    desk.follow(rules=[{"name": "alerts", "on": "alert", "expires_minutes": 150}])
    channel = ListeningChannel(answers=[TryLater("nobody there")] * 1000)
    sender = desk.sender(channel)
    for hour in range(6):
        await desk.hear(ALERT, alert(hour), alert(1000 + hour, "info"))
        until = desk.clock.now_ms() + 3_600_000
        while desk.clock.now_ms() < until:
            desk.later(seconds=min(300.0, max(await sender.step(), 0.001)))
        await tidy_notices(desk.engine, instant(desk.clock.now_ms()), MONTH)
    assert channel.told == []
    assert len(channel.answers) > 1000 - 6 * 20, "it is asked now and then, not all the time"
    channel.answers.clear()
    desk.later(minutes=5)
    while await desk.rows("waiting"):
        desk.later(seconds=max(await sender.step(), 0.001))
    told = {line for one in channel.told for line in (f"• {one.title}", *one.text.splitlines())}
    assert told >= {f"• alert {hour}" for hour in range(6)}
    dead = {row.event_id for row in await desk.rows("dead")}
    assert dead == {f"alert-{1000 + hour}" for hour in range(4)}, "what is not critical was told in time, or not at all"
    assert (await channels_fare(desk.engine))["desk"].failures == 0


async def test_a_pause_that_the_channel_asks_for_is_kept_over_a_restart(desk: Desk) -> None:
    channel = ListeningChannel(answers=[TryLater("a pause", 90.0)])
    await desk.hear(ALERT, alert(1))
    assert await desk.sender(channel).step() == 0.0
    desk.later(seconds=60)
    assert await desk.sender(channel).step() == 30.0
    assert channel.told == []
    desk.later(seconds=30)
    await drain(desk.sender(channel))
    assert [one.title for one in channel.told] == ["alert 1"]
    assert "repetition" not in channel.told[0].footer, "a pause means that it was not taken"


async def test_pauses_grow_while_nobody_says_how_long(desk: Desk) -> None:
    channel = ListeningChannel(answers=[TryLater("nobody there")] * 12)
    sender = desk.sender(channel)
    await desk.hear(ALERT, alert(1))
    pauses = []
    while not channel.told:
        if (seconds := await sender.step()) > 0:
            pauses.append(seconds)
            desk.later(seconds=seconds)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


async def test_what_was_claimed_by_one_that_died_is_told_again_and_says_so(desk: Desk) -> None:
    died = desk.sender(ListeningChannel())
    await desk.hear(ALERT, alert(1))
    await died._claim(await _due(desk), desk.clock.now_ms())
    channel = ListeningChannel()
    desk.later(seconds=CLAIM_SECONDS - 1)
    await drain(desk.sender(channel))
    assert channel.told == [], "it may still be under way"
    desk.later(seconds=1)
    await drain(desk.sender(channel))
    assert channel.told[0].footer == "alerts · alert-1 · may be a repetition"


async def test_an_answer_that_was_lost_is_told_again_and_says_so(desk: Desk) -> None:
    channel = ListeningChannel(answers=[TryLater("no answer", unknown=True)])
    sender = desk.sender(channel)
    await desk.hear(ALERT, alert(1))
    await sender.step()
    desk.later(seconds=1)
    await drain(sender)
    assert channel.told[0].footer.endswith("may be a repetition")


async def test_what_is_refused_is_dead_and_a_person_can_send_it_again(desk: Desk) -> None:
    channel = ListeningChannel(answers=[Refused("too strange")])
    sender = desk.sender(channel)
    await desk.hear(ALERT, alert(1, "warning"), alert(2, "warning"))
    await drain(sender)
    assert [one.title for one in channel.told] == ["alert 2"], "one refused message does not stop the next"
    (dead,) = await desk.rows("dead")
    assert (dead.event_id, dead.last_error) == ("alert-1", "too strange")
    await resend_dead(desk.engine, instant(desk.clock.now_ms()), channel="desk")
    await drain(sender)
    assert [one.title for one in channel.told] == ["alert 2", "alert 1"]


async def test_what_is_critical_is_never_dead_and_tried_ever_more_rarely(desk: Desk) -> None:
    channel = ListeningChannel(refuses="grave")
    sender = desk.sender(channel)
    await desk.hear(ALERT, alert(0, title="grave"))
    for number, pause in enumerate((60, 120, 240, 480, 960, 1920, 3600, 3600)):
        await drain(sender)
        (row,) = await desk.rows("waiting")
        assert (row.due_at - instant(desk.clock.now_ms())).total_seconds() == pause
        assert row.last_error == "too strange"
        await desk.hear(ALERT, alert(number + 1, "info"))
        await drain(sender)
        assert channel.told.pop().severity == "info", "what the channel takes goes meanwhile"
        await tidy_notices(desk.engine, instant(desk.clock.now_ms()) + MONTH, dt.timedelta(0))
        desk.later(seconds=pause)
    channel.refuses = ""
    await drain(sender)
    assert [one.title for one in channel.told] == ["grave"]


async def test_one_that_is_refused_costs_none_that_it_was_told_together_with(desk: Desk) -> None:
    channel = ListeningChannel(refuses="alert 7")
    await desk.hear(ALERT, *(alert(number) for number in range(12)))
    await drain(desk.sender(channel, ChannelLimits(per_minute=3)))
    assert [one.title for one in channel.told] == [f"alert {number}" for number in range(12) if number != 7]
    assert [row.event_id for row in await desk.rows("waiting")] == ["alert-7"]


async def test_a_large_digest_that_is_refused_goes_in_parts(desk: Desk) -> None:
    channel = ListeningChannel(refuses="alert 03")
    await desk.hear(ALERT, *(alert(number, "info", f"alert {number:02}") for number in range(100)))
    await drain(desk.sender(channel, ChannelLimits(per_minute=1000)))
    assert [row.event_id for row in await desk.rows("dead")] == ["alert-3"]
    assert len(await desk.rows("sent")) == 99
    assert len(channel.told) < 30, "and not one by one"


async def test_a_flood_is_one_message_and_what_is_critical_goes_before_it(desk: Desk) -> None:
    channel = ListeningChannel()
    await desk.hear(ALERT, *(alert(number, "warning") for number in range(500)))
    await desk.hear(ALERT, alert(900))
    await drain(desk.sender(channel))
    assert [one.title for one in channel.told] == ["alert 900", "500 messages: 500× alerts"]
    assert {row.state for row in await desk.rows()} == {"sent"}


async def test_no_more_go_in_a_minute_than_the_channel_takes(desk: Desk) -> None:
    channel = ListeningChannel()
    sender = desk.sender(channel, ChannelLimits(per_minute=3, digest_over=100))
    await desk.hear(ALERT, *(alert(number, "info") for number in range(8)))
    assert await drain(sender) == IDLE_SECONDS
    desk.later(seconds=59)
    assert await drain(sender) == 1.0
    assert len(channel.told) == 3
    desk.later(seconds=1)
    await drain(sender)
    assert len(channel.told) == 6


async def test_what_is_critical_does_not_wait_behind_chatter(desk: Desk) -> None:
    channel = ListeningChannel()
    sender = desk.sender(channel, ChannelLimits(per_minute=3))
    for number in range(5):
        await desk.hear(ALERT, alert(number, "info"))
        await drain(sender)
    assert len(channel.told) == 3
    await desk.hear(ALERT, alert(900))
    await drain(sender)
    assert [one.title for one in channel.told[3:]] == ["alert 900"]
    desk.later(seconds=60)
    await drain(sender)
    assert len(channel.told) == 6, "it is counted like the others"


async def test_quiet_hours_keep_the_rest_for_the_morning(desk: Desk) -> None:
    desk.follow(**EVERY_ALERT, quiet_hours=[{"from": "11:00", "to": "13:00"}])
    channel = ListeningChannel()
    sender = desk.sender(channel)
    await desk.hear(ALERT, alert(1, "info"), alert(2, "warning"), alert(3))
    await drain(sender)
    assert [one.title for one in channel.told] == ["alert 3"]
    desk.later(minutes=61)
    await drain(sender)
    assert channel.told[1].title == "2 messages: 2× alerts"
    assert channel.told[1].text == "• alert 1\n• alert 2"


async def test_one_dead_channel_does_not_hold_up_another(desk: Desk) -> None:
    dead, alive = ListeningChannel("dead", answers=[TryLater("nobody")] * 99), ListeningChannel("alive")
    desk.channels = {"dead": dead, "alive": alive}
    await desk.hear(ALERT, alert(1))
    await desk.sender(dead).step()
    await drain(desk.sender(alive))
    assert [one.title for one in alive.told] == ["alert 1"]


async def _due(desk: Desk) -> list[Due]:
    rows = await due_notices(desk.engine, "desk", instant(desk.clock.now_ms()))
    return [Due(notice_of(row)) for row in rows]
