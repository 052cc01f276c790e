"""What is told next: grave ones first and alone, groups together, floods as a digest, and nothing grave only counted."""

from dataclasses import replace
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.notify import Severity
from libs.notify.batching import CRITICAL_LINES, Due, message_of, next_batch
from libs.notify.discord import payload
from libs.notify.matching import Notice
from libs.notify.rules import ChannelLimits

LIMITS = ChannelLimits(per_minute=20, digest_over=10)
NOTICE = Notice("n", "e", "rule", "desk", "alert", "s", "info", "title", "text", {}, "", 5, 5, 5, None, None)


def due(number: int, severity: Severity = "info", group: str = "", **more: object) -> Due:
    notice = replace(NOTICE, notice_id=f"n{number}", severity=severity, group=group, title=f"title {number}")
    return replace(Due(notice), **more)  # type: ignore[arg-type]


def ids(batch: list[Due]) -> list[str]:
    return [one.notice.notice_id for one in batch]


def test_one_goes_alone_and_says_which_event_it_was() -> None:
    assert next_batch([], LIMITS) == []
    batch = next_batch([due(1), due(2)], LIMITS)
    assert ids(batch) == ["n1"]
    assert message_of(batch, b"png").footer == "rule · e"
    assert message_of(batch, b"png").png == b"png"
    assert message_of([due(1, doubtful=True)]).footer == "rule · e · may be a repetition"


def test_a_group_goes_together() -> None:
    batch = next_batch([due(1, group="g"), due(2, group="h"), due(3, group="g")], LIMITS)
    assert ids(batch) == ["n1", "n3"]
    message = message_of(batch)
    assert message.title == "2 messages: 2× rule"
    assert message.text == "• title 1\n• title 3"


def test_a_flood_becomes_a_digest_with_counts() -> None:
    flood = [
        replace(due(number), notice=replace(due(number).notice, title=f"title {number % 20}")) for number in range(400)
    ]
    batch = next_batch(flood, LIMITS)
    assert len(batch) == 400
    message = message_of(batch)
    assert message.title == "400 messages: 400× rule"
    assert "• 20× title 0" in message.text
    assert message.text.endswith("… and 100 more: perpstream notify outbox")


def test_few_critical_ones_go_one_by_one_before_any_flood() -> None:
    waiting = [due(1, "critical"), due(2, "critical"), *(due(number) for number in range(10, 100))]
    assert ids(next_batch(waiting, LIMITS)) == ["n1"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["info", "warning", "critical"]), max_size=120))
def test_every_critical_one_is_named_whatever_comes(severities: list[str]) -> None:
    left = [due(number, cast("Severity", severity)) for number, severity in enumerate(severities)]
    left.sort(key=lambda one: one.notice.severity != "critical")
    named: set[str] = set()
    while left:
        batch = next_batch(left, LIMITS)
        assert batch
        grave = {one.notice.severity == "critical" for one in batch}
        assert len(grave) == 1, "grave ones are not mixed with others"
        message = message_of(batch)
        if grave == {True}:
            assert len(batch) <= CRITICAL_LINES
            named |= {one.notice.title for one in batch if one.notice.title in (message.title, *_lines(message.text))}
        left = [one for one in left if one not in batch]
    assert named == {f"title {number}" for number, severity in enumerate(severities) if severity == "critical"}


def test_a_hundred_critical_ones_are_all_there_in_what_discord_gets() -> None:
    left = [due(number, "critical") for number in range(100)]
    long = [replace(one, notice=replace(one.notice, title=f"{number}" + "_" * 300)) for number, one in enumerate(left)]
    shown = ""
    while long:
        batch = next_batch(long, LIMITS)
        (embed,) = cast("list[dict[str, str]]", payload(message_of(batch))["embeds"])
        shown += f"• {embed['title']}\n{embed.get('description', '')}\n"
        long = long[len(batch) :]
    assert [number for number in range(100) if f"• {number}\\_" not in shown] == []


def _lines(text: str) -> list[str]:
    return [line.removeprefix("• ") for line in text.splitlines()]
