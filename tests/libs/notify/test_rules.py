"""Rules: a file counts whole or not at all, its schema says the same, and which message goes when follows from rules and time."""

import datetime as dt
import json
from dataclasses import replace
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.kit.errors import ConfigurationError
from libs.notify import SEVERITIES
from libs.notify.facts import KINDS, Fact, fact_of
from libs.notify.matching import Happened, notices, quiet_until, wants
from libs.notify.rules import DEFAULT_RULES, Kind, Rules, load_rules, read_rules, rules_schema
from libs.notify.schema import SCHEMA, schema_text
from tests.golden.samples import EVENTS

NOON = 1_790_000_000_000 - 1_790_000_000_000 % 86_400_000 + 43_200_000
FACTS = {fact.kind: fact for event in EVENTS if (fact := fact_of(event)) is not None}
MINUTE = 60_000


def rules(*given: dict[str, Any], **more: Any) -> Rules:
    named = [{"name": f"rule {number}", **one} for number, one in enumerate(given)]
    return read_rules(json.dumps({"rules": named, **more}), "a test")


def told(given: Rules, fact: Fact, *channels: str, at: int = NOON) -> list[str]:
    return [one.channel for one in notices(given, fact, channels, Happened(at, at))]


def test_every_kind_gives_just_the_values_that_rules_may_use() -> None:
    assert FACTS.keys() == KINDS.keys() == set(get_args(Kind))
    for kind, fact in FACTS.items():
        assert tuple(fact.values) == KINDS[kind]
        assert fact.title
        assert fact.severity in SEVERITIES


def test_events_of_no_kind_are_nobodys_news() -> None:
    unknown = [event for event in EVENTS if fact_of(event) is None]
    assert {type(event).__name__ for event in unknown} >= {"AggTradeFrame", "IndicatorComputed", "ExecutorReported"}


def test_the_rules_that_are_shipped_fit_their_schema_and_tell_the_grave_ones() -> None:
    shipped = load_rules(DEFAULT_RULES)
    jsonschema.validate(json.loads(DEFAULT_RULES.read_text()), json.loads(SCHEMA.read_text()))
    critical = replace(FACTS["alert"], values={**FACTS["alert"].values, "severity": "critical"}, severity="critical")
    assert told(shipped, critical, "desk", "mail") == ["desk", "mail"]
    quiet = replace(critical, values={**critical.values, "severity": "info"}, severity="info")
    assert told(shipped, quiet, "desk") == []


def test_the_schema_is_current() -> None:
    assert SCHEMA.read_text() == schema_text(), "run `make docs`"
    jsonschema.Draft202012Validator.check_schema(rules_schema())


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("", "no JSON"),
        ("[]", "valid dictionary"),
        ('{"rules": [{"name": "a", "on": "signals"}]}', "rules.0.on"),
        (
            '{"rules": [{"name": "a", "on": "risk", "where": {"symbol": "X"}}]}',
            "a risk has no 'symbol'; it has account",
        ),
        ('{"rules": [{"name": "a", "on": "risk", "title": "{level.real}"}]}', "no plain name"),
        ('{"rules": [{"name": "a", "on": "risk", "title": "{level!r}"}]}', "no plain name"),
        ('{"rules": [{"name": "a", "on": "risk", "title": "{level"}]}', "expected '}'"),
        ('{"rules": [{"name": "a", "on": "risk", "picture": true}]}', "a risk has no picture"),
        ('{"rules": [{"name": "a", "on": "risk"}, {"name": "a", "on": "risk"}]}', "two rules have the name 'a'"),
        ('{"rules": [], "quiet_hours": [{"from": "22:00", "to": "07:00", "zone": "Mars/Base"}]}', "no time zone"),
        ('{"rules": [], "limits": {"*": {"per_minute": 0}}}', "per_minute"),
        ('{"rules": [], "rule": []}', "rule: Extra inputs"),
    ],
)
def test_a_broken_file_names_the_place(file: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as found:
        read_rules(file, "rules.json")
    assert says in str(found.value)
    assert "rules.json" in str(found.value)


def test_thresholds_and_choices_must_all_hold() -> None:
    signal = replace(FACTS["signal"], values={**FACTS["signal"].values, "score": 84.0, "symbol": "BTCUSDT"})
    (rule,) = rules({"on": "signal", "at_least": {"score": 84}, "where": {"symbol": ["ETHUSDT", "BTCUSDT"]}}).rules
    assert wants(rule, signal)
    assert not wants(rule, replace(signal, values={**signal.values, "score": 83.9}))
    assert not wants(rule, replace(signal, values={**signal.values, "score": float("nan")})), (
        "no number is above a limit"
    )
    assert not wants(rule, replace(signal, values={**signal.values, "symbol": "SOLUSDT"}))
    assert not wants(rule, FACTS["risk"])


def test_templates_are_filled_and_severity_is_the_rules() -> None:
    given = rules({"on": "signal", "title": "{symbol}: {score} {{!}}", "text": "{sentence}", "severity": "critical"})
    signal = replace(FACTS["signal"], values={**FACTS["signal"].values, "score": 84.25, "symbol": "BTCUSDT"})
    (notice,) = notices(given, signal, ["desk"], Happened(NOON, NOON))
    assert (notice.title, notice.text) == ("BTCUSDT: 84.25 {!}", signal.values["sentence"])
    assert (notice.severity, notice.expires_ms) == ("critical", None)


def test_channels_by_name_are_told_whether_or_not_they_are_there() -> None:
    risk = FACTS["risk"]
    assert told(rules({"on": "risk", "channels": ["mail", "*"]}), risk, "mail", "desk") == ["mail", "desk"]
    assert told(rules({"on": "risk", "channels": ["mail"]}), risk, "desk") == ["mail"]
    assert told(rules({"on": "risk", "channels": []}), risk, "desk") == []


def test_what_is_critical_is_for_channels_that_are_gone_too_and_else_for_the_first() -> None:
    given = rules({"on": "risk"}, {"on": "risk", "channels": ["mail"]})
    grave, light = (replace(FACTS["risk"], severity=severity) for severity in ("critical", "warning"))

    def channels(fact: Fact, there: list[str], gone: list[str]) -> list[str]:
        return [one.channel for one in notices(given, fact, there, Happened(NOON, NOON), gone)]

    assert channels(grave, ["desk"], ["phone"]) == ["desk", "phone", "mail"]
    assert channels(grave, [], ["phone"]) == ["phone", "mail"]
    assert channels(grave, [], []) == ["*", "mail"]
    assert channels(light, ["desk"], ["phone"]) == ["desk", "mail"]
    assert channels(light, [], ["phone"]) == ["mail"]


def test_the_same_event_gives_the_same_notice_and_another_rule_another() -> None:
    given = rules({"on": "risk"}, {"on": "risk"})
    first = notices(given, FACTS["risk"], ["desk"], Happened(NOON, NOON))
    later = notices(given, FACTS["risk"], ["desk"], Happened(NOON, NOON + 5_000))
    assert [one.notice_id for one in first] == [one.notice_id for one in later]
    assert len({one.notice_id for one in first}) == 2


def test_a_group_waits_for_others_unless_it_is_critical() -> None:
    given = rules({"on": "risk", "group": {"by": ["account"], "seconds": 30}})
    risk = replace(FACTS["risk"], severity="warning")
    (warning,) = notices(given, risk, ["desk"], Happened(NOON, NOON))
    assert (warning.due_ms, warning.group) == (NOON + 30_000, "rule 0:main")
    (critical,) = notices(given, replace(risk, severity="critical"), ["desk"], Happened(NOON, NOON))
    assert (critical.due_ms, critical.group) == (NOON, "")


def test_what_is_old_expires_by_when_it_happened() -> None:
    given = rules({"on": "risk", "expires_minutes": 60})
    (notice,) = notices(given, replace(FACTS["risk"], severity="info"), ["desk"], Happened(NOON - 90 * MINUTE, NOON))
    assert notice.expires_ms == NOON - 30 * MINUTE


NIGHT = {"from": "22:00", "to": "07:00"}


def test_quiet_hours_hold_back_what_is_not_grave_enough_until_their_end() -> None:
    given = rules(quiet_hours=[NIGHT])
    midnight = NOON + 12 * 60 * MINUTE
    end = midnight + 7 * 60 * MINUTE
    assert quiet_until(given, "desk", "warning", midnight) == end
    assert quiet_until(given, "desk", "critical", midnight) == midnight
    assert quiet_until(given, "desk", "info", NOON) == NOON
    assert quiet_until(given, "desk", "info", end) == end, "the end is not quiet any more"
    (notice,) = notices(
        rules({"on": "risk"}, quiet_hours=[NIGHT]),
        replace(FACTS["risk"], severity="info"),
        ["desk"],
        Happened(midnight, midnight),
    )
    assert notice.due_ms == end
    assert notice.expires_ms is not None
    assert notice.expires_ms > end


def test_quiet_hours_are_of_a_place_and_of_a_channel() -> None:
    given = rules(quiet_hours=[{**NIGHT, "zone": "Asia/Tokyo", "channels": ["mail"], "let_through": "warning"}])
    tokyo_23 = NOON + 2 * 60 * MINUTE  # 14:00 UTC
    assert quiet_until(given, "mail", "info", tokyo_23) == tokyo_23 + 8 * 60 * MINUTE
    assert quiet_until(given, "mail", "warning", tokyo_23) == tokyo_23
    assert quiet_until(given, "desk", "info", tokyo_23) == tokyo_23


def test_one_quiet_span_may_end_inside_another() -> None:
    given = rules(quiet_hours=[{"from": "10:00", "to": "13:00"}, {"from": "12:30", "to": "15:00"}])
    assert quiet_until(given, "desk", "info", NOON) == NOON + 3 * 60 * MINUTE


@settings(deadline=None)
@given(
    st.times(),
    st.times(),
    st.integers(NOON, NOON + 400 * 86_400_000),
    st.sampled_from(["UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe"]),
)
def test_quiet_hours_end_within_a_day_and_are_over_at_their_end(
    start: dt.time, end: dt.time, now: int, zone: str
) -> None:
    given = rules(quiet_hours=[{"from": start.isoformat(), "to": end.isoformat(), "zone": zone}])
    until = quiet_until(given, "desk", "info", now)
    assert now <= until <= now + 25 * 60 * MINUTE
    if start != end:
        assert quiet_until(given, "desk", "info", until + 1) in (until, until + 1) or until == now
