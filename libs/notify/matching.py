"""Which messages follow from a fact, and when each may go: a pure function of rules, fact, channels and time."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from libs.contracts.identity import digest
from libs.notify import Severity, at_least
from libs.notify.facts import Fact, Picture, Value, shown
from libs.notify.rules import EVERY, QuietHours, Rule, Rules

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Notice:
    """A message on its way to one channel; times in ms (UTC). `notice_id` = f(event, rule, channel): told once, whoever reads the
    event again. `due_ms`: not before; `expires_ms`: not after, None: never too late. `group`: what may be told together."""

    notice_id: str
    event_id: str
    rule: str
    channel: str
    kind: str
    subject: str
    severity: Severity
    title: str
    text: str
    facts: Mapping[str, str]
    group: str
    time_ms: int
    made_ms: int
    due_ms: int
    expires_ms: int | None
    picture: Picture | None


class Happened(NamedTuple):
    """When the log got the event, and what time it is (ms, UTC, of our clocks; the event's own may be another year's)."""

    at_ms: int
    now_ms: int


def notices(
    rules: Rules, fact: Fact, channels: Collection[str], happened: Happened, gone: Collection[str] = ()
) -> list[Notice]:
    """What the rules want told of a fact, in their order. `*` stands for `channels`, those that there are; for what is critical
    also for those that are `gone`, and where there was never any, for the first that comes: under the name `*`."""
    return [
        _notice(rules, rule, fact, channel, happened)
        for rule in rules.rules
        if wants(rule, fact)
        for channel in _targets(rule, channels, gone if _severity(rule, fact) == "critical" else None)
    ]


def notice_id(event_id: str, rule: str, channel: str) -> str:
    """The same for the same event, rule and channel."""
    return digest("notice", _plain(event_id), _plain(rule), channel)


def wants(rule: Rule, fact: Fact) -> bool:
    """Whether the rule is about this fact."""
    if rule.on != fact.kind:
        return False
    values = _values(fact)
    return (
        all(_among(values.get(name), wanted) for name, wanted in rule.where.items())
        and all(_figure(values.get(name), low=limit) for name, limit in rule.at_least.items())
        and all(_figure(values.get(name), high=limit) for name, limit in rule.at_most.items())
    )


def quiet_until(rules: Rules, channel: str, severity: Severity, now_ms: int) -> int:
    """When this may be told: `now_ms`, or the end of quiet hours that do not let it through."""
    until = now_ms
    # One span may end inside another.
    for _ in rules.quiet_hours:
        until = max((_end(hours, until) for hours in _about(rules, channel, severity)), default=until)
    return until


def _about(rules: Rules, channel: str, severity: Severity) -> Iterator[QuietHours]:
    for hours in rules.quiet_hours:
        if (EVERY in hours.channels or channel in hours.channels) and not at_least(severity, hours.let_through):
            yield hours


def _end(hours: QuietHours, now_ms: int) -> int:
    """The end of the span that holds at `now_ms`; `now_ms` outside of it."""
    zone = ZoneInfo(hours.zone)
    now = dt.datetime.fromtimestamp(now_ms / 1000, zone)
    over_midnight = hours.end <= hours.start
    for back in (0, 1):
        day = now.date() - dt.timedelta(days=back)
        begins = dt.datetime.combine(day, hours.start, zone)
        ends = dt.datetime.combine(day + dt.timedelta(days=1 if over_midnight else 0), hours.end, zone)
        if begins.timestamp() * 1000 <= now_ms < ends.timestamp() * 1000:
            return int(ends.timestamp() * 1000)
    return now_ms


def _notice(rules: Rules, rule: Rule, fact: Fact, channel: str, happened: Happened) -> Notice:
    now_ms = happened.now_ms
    severity = _severity(rule, fact)
    values = {name: _word(value) for name, value in _values(fact).items()}
    group, due_ms = "", quiet_until(rules, channel, severity, now_ms)
    if due_ms > now_ms:
        group = f"quiet:{due_ms}"
    elif rule.group is not None and severity != "critical":
        group = ":".join((rule.name, *(values[name] for name in rule.group.by)))
        due_ms = now_ms + rule.group.seconds * 1000
    lasting = severity == "critical"
    return Notice(
        notice_id=notice_id(fact.event_id, rule.name, channel),
        event_id=fact.event_id,
        rule=rule.name,
        channel=channel,
        kind=fact.kind,
        subject=fact.subject,
        severity=severity,
        title=rule.title.format_map(values) if rule.title is not None else fact.title,
        text=rule.text.format_map(values) if rule.text is not None else fact.text,
        facts=fact.facts,
        group=group,
        time_ms=fact.time_ms,
        made_ms=now_ms,
        due_ms=due_ms,
        expires_ms=None if lasting else happened.at_ms + (due_ms - now_ms) + rule.expires_minutes * _MINUTE_MS,
        picture=fact.picture if rule.picture else None,
    )


def _values(fact: Fact) -> dict[str, Value]:
    return {"severity": fact.severity, "kind": fact.kind, "event": fact.event_id, **fact.values}


def _severity(rule: Rule, fact: Fact) -> Severity:
    return rule.severity or fact.severity


def _targets(rule: Rule, channels: Collection[str], gone: Collection[str] | None) -> list[str]:
    """`gone` None: what has no channel now is not told."""
    named = [name for name in rule.channels if name != EVERY]
    every = sorted({*channels, *(gone or ())})
    if not every and gone is not None:
        every = [EVERY]
    return list(dict.fromkeys((*named, *(every if EVERY in rule.channels else ()))))


def _among(value: Value | None, wanted: str | bool | tuple[str | bool, ...]) -> bool:
    return value in wanted if isinstance(wanted, tuple) else value == wanted


def _figure(value: Value | None, *, low: float | None = None, high: float | None = None) -> bool:
    if not isinstance(value, float) or value != value:
        return False
    return (low is None or value >= low) and (high is None or value <= high)


def _word(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else shown(value, 0 if value == int(value) else 2)


def _plain(text: str) -> str:
    return text.replace("|", "/")
