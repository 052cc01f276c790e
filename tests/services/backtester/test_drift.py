"""Drift: only live, only in the replay, the same id with other content, and the same; a metric and an alert say so."""

import json
from decimal import Decimal
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import decode_as
from libs.contracts.signals import SignalScored
from libs.contracts.trading import AlertRaised
from libs.trading.factor import Situation
from libs.trading.scoring import Memory, judge, signal_event
from services.backtester.drift import (
    alert,
    compare_signals,
    differing_fields,
    metric_lines,
    not_comparable,
    write_drift,
)
from tests.libs.trading.test_scoring import strategy
from tests.suites.factor_suite import EVALUATION_MS, LONG_INPUTS, feature_row, readings

SPAN = (EVALUATION_MS - 1_000, EVALUATION_MS + 10_000_000)


def signal(number: int = 0) -> SignalScored:
    chosen = strategy("v52")
    row = msgspec.structs.replace(feature_row(1), evaluation_time_ms=EVALUATION_MS + number * 15_000)
    situation = Situation(row, readings(LONG_INPUTS))
    return signal_event(chosen, situation, judge(chosen, situation, Memory()))


def test_each_way_to_differ_is_told_by_itself() -> None:
    changed = msgspec.structs.replace(signal(2), score=61.5, state="refused", reason="cooldown")
    found = compare_signals([signal(0), signal(1), signal(2)], [changed, signal(3), signal(0)], SPAN)
    assert found.same == 1
    assert [(each.state, each.time_ms) for each in found.differences] == [
        ("only_live", EVALUATION_MS + 15_000),
        ("other_content", EVALUATION_MS + 30_000),
        ("only_replay", EVALUATION_MS + 45_000),
    ]
    assert [path for path, _, _ in found.differences[1].fields] == ["reason", "score", "state"]
    assert found.differences[1].fields[2] == ("state", '"emitted"', '"refused"')


def test_a_field_deep_inside_is_named_by_its_path() -> None:
    one = signal()
    inputs = one.inputs | {"mark_price": Decimal(1), "brand_new": None}
    contributions = (msgspec.structs.replace(one.contributions[0], value=0.123), *one.contributions[1:])
    other = msgspec.structs.replace(one, inputs=inputs, contributions=contributions)
    paths = [path for path, _, _ in differing_fields(one, other)]
    assert paths == ["contributions.0.value", "inputs.brand_new", "inputs.mark_price"]


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), unique=True), st.lists(st.integers(0, 30), unique=True))
def test_every_signal_is_counted_once(live: list[int], replayed: list[int]) -> None:
    known = {number: msgspec.structs.replace(signal(), event_id=f"id-{number}") for number in range(31)}
    found = compare_signals([known[n] for n in live], [known[n] for n in replayed], SPAN)
    assert found.same == len(set(live) & set(replayed))
    assert found.counts() == {
        "only_live": len(set(live) - set(replayed)),
        "only_replay": len(set(replayed) - set(live)),
        "other_content": 0,
    }
    assert found.state == ("agreed" if set(live) == set(replayed) else "differs")
    assert (alert(found.state, found.reason, SPAN) is None) == (set(live) == set(replayed))


def test_a_difference_is_a_metric_and_an_alert_that_goes_away(tmp_path: Path) -> None:
    apart = compare_signals([signal(0)], [signal(1)], SPAN)
    write_drift(apart, tmp_path, 1_700_000_000.4)
    lines = (tmp_path / "drift.prom").read_text().splitlines()
    assert 'perpstream_backtest_drift_signals{state="only_live"} 1' in lines
    assert "perpstream_backtest_drift_checked_timestamp_seconds 1700000000" in lines
    assert 'perpstream_backtest_drift_state{state="differs"} 1' in lines
    raised = decode_as(AlertRaised, (tmp_path / "alert.json").read_bytes())
    assert raised.severity == "critical"
    assert "1 only live, 1 only in the replay, 0 with other content" in raised.detail
    assert len(json.loads((tmp_path / "drift.json").read_bytes())["differences"]) == 2
    write_drift(compare_signals([signal()], [signal()], SPAN), tmp_path, 0.0)
    assert not (tmp_path / "alert.json").exists()
    assert 'state="same"} 1' in metric_lines(compare_signals([signal()], [signal()], SPAN), 0.0)


def test_what_cannot_be_compared_does_not_look_like_agreement(tmp_path: Path) -> None:
    write_drift(not_comparable("nothing was recorded", SPAN), tmp_path, 0.0)
    lines = (tmp_path / "drift.prom").read_text().splitlines()
    assert 'perpstream_backtest_drift_state{state="agreed"} 0' in lines
    assert 'perpstream_backtest_drift_state{state="not_comparable"} 1' in lines
    raised = decode_as(AlertRaised, (tmp_path / "alert.json").read_bytes())
    assert (raised.severity, raised.detail) == ("warning", "nothing was recorded")
