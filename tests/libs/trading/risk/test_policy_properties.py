"""What holds of the guard's state whatever it sees: breaks stay, NaN is never normal, order and restarts change nothing."""

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.kit.durations import DAY_MS
from libs.trading.risk.inputs import Figure, GuardInputs, Stop
from libs.trading.risk.limits import RiskLimits
from libs.trading.risk.memory import from_bytes, to_bytes
from libs.trading.risk.policy import UNBROKEN, Decision, GuardState, decide, look
from tests.libs.trading.risk.accounts import IN_ORDER, NOW_MS, changed, figure, position
from tests.libs.trading.risk.test_rules import AGES, FIGURES

COOLDOWN_MS = 60_000
LIMITS = RiskLimits(cooldown_minutes=1, auto_resumes=2)
BY_HAND = RiskLimits(cooldown_minutes=1, auto_resumes=0)

bad_figures = st.sampled_from((Figure(), figure("NaN"), figure("Infinity"), figure("sNaN"), figure(0, 400_000)))
numbers = st.sampled_from((-10_000, -600, -6, -3, 0, 1, 5, 75, 120, 9_000, 10_000)).map(figure)
ages = st.sampled_from((None, 0, 100, 4_000, 12_000, 61_000))
stops = st.sampled_from((None, (), (Stop("long", None),), (Stop("long", Decimal("0.1")),)))
changes = st.one_of(
    st.tuples(st.sampled_from(sorted({path for _, path in FIGURES})), st.one_of(numbers, bad_figures)),
    st.tuples(st.sampled_from([*(path for _, path in AGES), "account.age_ms", "positions_age_ms"]), ages),
    st.tuples(st.just("positions.stops"), stops),
    st.tuples(st.just("positions.bare_ms"), ages),
)


@st.composite
def inputs(draw: st.DrawFn) -> GuardInputs:
    """An account in order with a few things changed, and sometimes flat or with two positions."""
    found = IN_ORDER
    for path, value in draw(st.lists(changes, max_size=3)):
        found = changed(found, path, value)
    others = draw(st.sampled_from(((), found.positions, (*found.positions, position("ETHUSDT")))))
    return replace(found, positions=others)


# Short steps often enough for a cooldown, long ones over days, and clocks that go back.
steps = st.sampled_from((1_000, 10_000, 10_000, 10_000, 10_000, 3_600_000, DAY_MS, -5_000))
histories = st.lists(st.tuples(steps, st.one_of(st.just(replace(IN_ORDER, positions=())), inputs())), max_size=25)


def run(history: list[tuple[int, GuardInputs]], limits: RiskLimits) -> list[tuple[GuardInputs, Decision]]:
    state, now_ms, found = UNBROKEN, NOW_MS, []
    for step, seen in history:
        now_ms += step
        decision = look(state, replace(seen, now_ms=now_ms), limits)
        found.append((replace(seen, now_ms=now_ms), decision))
        state = decision.state
    return found


@settings(max_examples=300, deadline=None)
@given(histories)
def test_without_resumes_no_history_ends_a_break(history: list[tuple[int, GuardInputs]]) -> None:
    was_broken = False
    for _, decision in run(history, BY_HAND):
        is_broken = decision.state.level == "circuit_break"
        assert is_broken or not was_broken
        assert not (is_broken and decision.entries_allowed)
        was_broken = is_broken


@settings(max_examples=300, deadline=None)
@given(histories)
def test_a_break_ends_only_as_an_automatic_resume_may(history: list[tuple[int, GuardInputs]]) -> None:
    # Nobody has looked before the first time, wherever the clock stood then.
    before, quiet_ms, last_ms, by_day = UNBROKEN, 0, 0, dict[int, int]()
    for seen, decision in run(history, LIMITS):
        verdicts = LIMITS.verdicts(seen)
        now_ms = max(last_ms, seen.now_ms)
        quiet_ms += min(now_ms - last_ms, 10_000)
        last_ms = now_ms
        if before.level == "circuit_break" and decision.state.level != "circuit_break":
            by_day[now_ms // DAY_MS] = by_day.get(now_ms // DAY_MS, 0) + 1
            assert quiet_ms >= COOLDOWN_MS
            assert {one.level for one in verdicts} <= {"normal", "warning"}
            assert not (before.flattens and seen.positions)
            assert max(by_day.values()) <= 2
        if any(one.level == "break" and one.latches for one in verdicts) or _is_silent(seen):
            assert decision.state.level == "circuit_break"
            quiet_ms = 0
        before = decision.state


def _is_silent(seen: GuardInputs) -> bool:
    return seen.account.age_ms is not None and seen.account.age_ms >= LIMITS.account_missing_ms


@pytest.mark.parametrize("path", sorted({path for _, path in FIGURES}))
@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_nan_is_never_normal_and_sells_nothing(path: str, number: str) -> None:
    decision = look(UNBROKEN, changed(IN_ORDER, path, figure(number)), LIMITS)
    assert (decision.state.level, decision.entries_allowed, decision.actions) == ("warning", False, ())
    assert decision.reasons


@settings(deadline=None)
@given(inputs(), st.sampled_from(sorted({path for _, path in FIGURES})), bad_figures)
def test_what_is_missing_never_allows_entries(seen: GuardInputs, path: str, bad: Figure) -> None:
    if not seen.positions and path.startswith("positions."):
        return
    decision = look(UNBROKEN, changed(seen, path, bad), LIMITS)
    assert not decision.entries_allowed
    assert decision.state.level != "normal"


@settings(max_examples=200, deadline=None)
@given(histories, inputs(), st.randoms(use_true_random=False))
def test_the_order_of_rules_changes_nothing(
    history: list[tuple[int, GuardInputs]], seen: GuardInputs, random: Random
) -> None:
    ended = run(history, LIMITS)
    state = ended[-1][1].state if ended else UNBROKEN
    verdicts = list(LIMITS.verdicts(seen))
    first = decide(state, seen, LIMITS, verdicts)
    random.shuffle(verdicts)
    assert decide(state, seen, LIMITS, verdicts) == first


@settings(max_examples=100, deadline=None)
@given(histories)
def test_a_restart_between_any_two_looks_changes_nothing(history: list[tuple[int, GuardInputs]]) -> None:
    state = UNBROKEN
    for seen, decision in run(history, LIMITS):
        restored = from_bytes(GuardState, to_bytes(state))
        again = look(restored, seen, LIMITS)
        assert to_bytes(again.state) == to_bytes(decision.state)
        assert again == decision
        state = again.state


@settings(max_examples=200, deadline=None)
@given(inputs())
def test_positions_with_a_known_stop_are_closed_for_losses_holds_and_a_silent_account_only(seen: GuardInputs) -> None:
    covered = replace(
        seen, positions=tuple(replace(one, stops=(Stop("long", None),), stops_age_ms=0) for one in seen.positions)
    )
    decision = look(UNBROKEN, covered, LIMITS)
    if decision.actions:
        assert decision.state.flattens
        measured = [one for one in LIMITS.verdicts(covered) if one.level == "break" and one.action == "flatten_all"]
        assert measured or _is_silent(covered)
