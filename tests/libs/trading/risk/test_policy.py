"""From verdicts to the account's state: what blocks, what closes, what stays broken, and what ends a break."""

from dataclasses import replace
from decimal import Decimal

import msgspec
import pytest

from libs.kit.durations import DAY_MS
from libs.trading.risk.inputs import Figure, GuardInputs, PositionKey, Stop
from libs.trading.risk.limits import RiskLimits
from libs.trading.risk.memory import from_bytes, to_bytes
from libs.trading.risk.policy import UNBROKEN, Cause, Decision, GuardState, look, reset
from libs.trading.risk.thresholds import Thresholds
from tests.libs.trading.risk.accounts import IN_ORDER, MINUTE_MS, NOW_MS, bare, changed, figure, flat, position

LIMITS = RiskLimits(cooldown_minutes=1)
LOST = changed(flat(IN_ORDER), "account.realised_today_r", figure(-7))
STEP_MS = 5_000
KEY: PositionKey = ("BTCUSDT", "long")


def at_ms(inputs: GuardInputs, after_ms: int) -> GuardInputs:
    """The same some time later; positions keep their age."""
    moved = replace(inputs, now_ms=NOW_MS + after_ms)
    return changed(moved, "positions.opened_ms", moved.now_ms - MINUTE_MS) if moved.positions else moved


def looked(
    state: GuardState, inputs: GuardInputs, since_ms: int, until_ms: int, limits: RiskLimits = LIMITS
) -> Decision:
    """Looks every 5 s in [since, until], at the same inputs each time."""
    decision = look(state, at_ms(inputs, since_ms), limits)
    for after_ms in range(since_ms + STEP_MS, until_ms + 1, STEP_MS):
        decision = look(decision.state, at_ms(inputs, after_ms), limits)
    return decision


def broken(inputs: GuardInputs = LOST, limits: RiskLimits = LIMITS) -> GuardState:
    state = look(UNBROKEN, inputs, limits).state
    assert state.level == "circuit_break"
    return state


def kinds(decision: Decision) -> list[tuple[str, str | None]]:
    return [(one.kind, one.symbol) for one in decision.actions]


def test_in_order_entries_are_allowed_and_nothing_is_done() -> None:
    decision = look(UNBROKEN, IN_ORDER, LIMITS)
    assert (decision.state.level, decision.entries_allowed, decision.reasons, decision.actions) == (
        "normal",
        True,
        (),
        (),
    )


def test_a_warning_says_why_and_lets_entries_go_on() -> None:
    decision = look(UNBROKEN, changed(IN_ORDER, "account.realised_today_r", figure(-3)), LIMITS)
    assert (decision.state.level, decision.entries_allowed, decision.actions) == ("warning", True, ())
    assert decision.reasons == ("today's loss is 3 R (warning at 3, break at 6)",)
    assert look(decision.state, IN_ORDER, LIMITS).state.level == "normal"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("account.realised_today_r", figure(-6)),
        ("account.realised_today", figure(-600)),
        ("positions.unrealised_r", figure(-5)),
        ("account.equity", figure(9_000)),
        ("account.balance", figure(100)),
        ("account.age_ms", 60_000),
    ],
)
def test_a_measured_loss_breaks_and_flattens(path: str, value: object) -> None:
    decision = look(UNBROKEN, changed(IN_ORDER, path, value), LIMITS)
    assert (decision.state.level, decision.entries_allowed, decision.state.break_number) == ("circuit_break", False, 1)
    assert kinds(decision) == [("flatten_all", None)]


@pytest.mark.parametrize(
    ("path", "value"), [("losses_in_a_row", 6), ("orders_last_minute", 120), ("worst_slippage_bps", 75)]
)
def test_bad_trading_breaks_without_closing(path: str, value: int) -> None:
    decision = look(UNBROKEN, changed(IN_ORDER, f"account.{path}", figure(value)), LIMITS)
    assert (decision.state.level, decision.entries_allowed, decision.actions) == ("circuit_break", False, ())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("feeds.age_ms", 3_600_000),
        ("feeds.complete", figure("0.5")),
        ("services.engine_ms", 3_600_000),
        ("services.executor_ms", None),
        ("services.reconciled_ms", 3_600_000),
        ("services.clock_skew", figure(5_000)),
        ("positions.last_price", figure(70_000)),
        ("account.equity", figure("NaN")),
        ("account.realised_today_r", Figure()),
        ("account.balance", figure(50, 10_001)),
        ("account.age_ms", 59_999),
        ("account.age_ms", None),
        ("positions.stops", None),
        ("positions_age_ms", None),
    ],
)
def test_what_is_missing_blocks_as_long_as_it_lasts_and_sells_nothing(path: str, value: object) -> None:
    decision = look(UNBROKEN, changed(IN_ORDER, path, value), LIMITS)
    assert (decision.state.level, decision.entries_allowed, decision.actions) == ("warning", False, ())
    after = look(decision.state, IN_ORDER, LIMITS)
    assert (after.state.level, after.entries_allowed) == ("normal", True)


def test_nothing_known_at_all_blocks_and_sells_nothing() -> None:
    decision = look(UNBROKEN, GuardInputs(NOW_MS), LIMITS)
    assert (decision.state.level, decision.entries_allowed, decision.actions) == ("warning", False, ())


def test_a_silent_account_closes_nothing_where_that_is_turned_off() -> None:
    quiet = changed(IN_ORDER, "account.age_ms", 3_600_000)
    decision = look(UNBROKEN, quiet, RiskLimits(flatten_without_account=False))
    assert (decision.state.level, decision.entries_allowed, decision.actions) == ("warning", False, ())
    later = look(UNBROKEN, changed(IN_ORDER, "account.age_ms", 60_000), RiskLimits(account_missing_ms=120_000))
    assert (later.state.level, later.entries_allowed, later.actions) == ("warning", False, ())


@pytest.mark.parametrize(
    ("bare_ms", "action"),
    [
        (2_999, None),
        (-1_000, None),
        (-1_001, "close_position"),
        (3_000, "place_stop"),
        (4_499, "place_stop"),
        (4_500, "close_position"),
        (None, "close_position"),
    ],
)
def test_a_position_without_a_stop_gets_one_and_goes_where_it_does_not(bare_ms: int | None, action: str | None) -> None:
    for stops in ((), (Stop("long", Decimal("0.4")),), (Stop("long", None, waits=False),)):
        decision = look(UNBROKEN, bare(IN_ORDER, bare_ms, stops), LIMITS)
        assert kinds(decision) == ([(action, "BTCUSDT")] if action else [])
        assert decision.state.level != "circuit_break"
        assert decision.entries_allowed is (action is None)


def test_no_stop_with_a_broker_that_is_down_is_still_the_guards_to_place() -> None:
    silent = changed(changed(IN_ORDER, "services.engine_ms", 99_000), "services.executor_ms", 99_000)
    assert kinds(look(UNBROKEN, bare(silent, 3_000), LIMITS)) == [("place_stop", "BTCUSDT")]
    assert kinds(look(UNBROKEN, silent, LIMITS)) == []


@pytest.mark.parametrize("path", ["positions.mark_price", "positions.last_price", "positions.opened_ms"])
def test_no_stop_and_figures_missing_flattens_the_symbol(path: str) -> None:
    missing = changed(IN_ORDER, path, None if path.endswith("ms") else figure("NaN"))
    decision = look(UNBROKEN, bare(missing, 3_000), LIMITS)
    assert (kinds(decision), decision.state.level) == ([("flatten_symbol", "BTCUSDT")], "warning")
    assert kinds(look(UNBROKEN, missing, LIMITS)) == []


def test_without_a_known_quantity_a_bare_position_still_goes() -> None:
    unknown = changed(IN_ORDER, "positions.quantity", figure("NaN"))
    assert kinds(look(UNBROKEN, bare(unknown, 5_000), LIMITS)) == [("close_position", "BTCUSDT")]


def test_a_held_position_is_closed_and_others_are_not() -> None:
    old = replace(position("ETHUSDT"), opened_ms=NOW_MS - 71 * MINUTE_MS)
    decision = look(UNBROKEN, replace(IN_ORDER, positions=(position(), old)), LIMITS)
    assert (kinds(decision), decision.state.level) == ([("close_position", "ETHUSDT")], "warning")
    assert not decision.entries_allowed


def test_a_position_has_one_action_and_flattening_stands_for_all() -> None:
    old = changed(IN_ORDER, "positions.opened_ms", NOW_MS - 71 * MINUTE_MS)
    assert kinds(look(UNBROKEN, bare(old, 3_500), LIMITS)) == [("close_position", "BTCUSDT")]
    lost = changed(bare(old, 3_500), "account.realised_today_r", figure(-6))
    assert kinds(look(UNBROKEN, lost, LIMITS)) == [("flatten_all", None)]


def test_flattening_goes_on_until_the_account_is_known_to_be_flat() -> None:
    state = broken(changed(IN_ORDER, "account.realised_today_r", figure(-7)))
    assert kinds(look(state, IN_ORDER, LIMITS)) == [("flatten_all", None)]
    assert kinds(look(state, flat(IN_ORDER), LIMITS)) == []
    assert kinds(look(state, changed(flat(IN_ORDER), "positions_age_ms", 10_001), LIMITS)) == [("flatten_all", None)]
    # An order on its way may fill later.
    assert kinds(look(look(state, flat(IN_ORDER), LIMITS).state, IN_ORDER, LIMITS)) == [("flatten_all", None)]


def test_a_break_that_closes_nothing_still_protects() -> None:
    state = broken(changed(IN_ORDER, "account.losses_in_a_row", figure(6)))
    assert kinds(look(state, bare(IN_ORDER, 3_000), LIMITS)) == [("place_stop", "BTCUSDT")]


def test_a_break_resumes_after_its_cooldown_and_not_before() -> None:
    state = broken()
    before = looked(state, flat(IN_ORDER), STEP_MS, MINUTE_MS - STEP_MS)
    assert (before.state.level, before.entries_allowed) == ("circuit_break", False)
    after = looked(before.state, flat(IN_ORDER), MINUTE_MS, MINUTE_MS)
    assert (after.state.level, after.entries_allowed, after.state.resumes) == ("normal", True, 1)
    assert (after.state.causes, after.state.flattens, after.state.counts_from_ms) == ((), False, NOW_MS + MINUTE_MS)


def test_the_cooldown_begins_again_with_each_break() -> None:
    once = looked(broken(), flat(IN_ORDER), STEP_MS, MINUTE_MS - STEP_MS)
    again = look(once.state, at_ms(LOST, MINUTE_MS), LIMITS)
    assert (again.state.break_number, again.state.broken_ms, again.state.quiet_ms) == (1, NOW_MS, 0)
    assert (
        looked(again.state, flat(IN_ORDER), MINUTE_MS + STEP_MS, 2 * MINUTE_MS - STEP_MS).state.level == "circuit_break"
    )
    assert looked(again.state, flat(IN_ORDER), MINUTE_MS + STEP_MS, 2 * MINUTE_MS).state.level == "normal"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("feeds.age_ms", 30_000),
        ("services.reconciled_ms", 60_000),
        ("services.executor_ms", None),
        ("account.equity", figure("NaN")),
        ("account.age_ms", None),
        ("positions", (position(),)),
    ],
)
def test_nothing_resumes_while_something_is_not_in_order(path: str, value: object) -> None:
    waiting = looked(broken(), changed(flat(IN_ORDER), path, value), STEP_MS, 10 * MINUTE_MS)
    assert (waiting.state.level, waiting.entries_allowed) == ("circuit_break", False)
    assert looked(waiting.state, flat(IN_ORDER), 11 * MINUTE_MS, 11 * MINUTE_MS).state.level == "normal"


def test_what_is_counted_begins_anew_with_each_look_that_breaks() -> None:
    state = broken(changed(IN_ORDER, "account.worst_slippage_bps", figure(80)))
    assert state.counts_from_ms == NOW_MS
    again = look(state, at_ms(changed(IN_ORDER, "account.worst_slippage_bps", figure(90)), STEP_MS), LIMITS).state
    assert again.counts_from_ms == NOW_MS + STEP_MS
    assert look(again, at_ms(IN_ORDER, 2 * STEP_MS), LIMITS).state.counts_from_ms == NOW_MS + STEP_MS


def test_a_break_that_closed_nothing_may_resume_with_positions() -> None:
    state = broken(changed(IN_ORDER, "account.losses_in_a_row", figure(6)))
    assert looked(state, IN_ORDER, STEP_MS, MINUTE_MS).state.level == "normal"


def test_after_so_many_resumes_a_day_a_person_must() -> None:
    state, after_ms = UNBROKEN, 0
    for _ in range(2):
        state = look(state, at_ms(LOST, after_ms), LIMITS).state
        state = looked(state, flat(IN_ORDER), after_ms + STEP_MS, after_ms + MINUTE_MS).state
        assert state.level == "normal"
        after_ms += MINUTE_MS + STEP_MS
    third = look(state, at_ms(LOST, after_ms), LIMITS).state
    assert (third.break_number, third.resumes) == (3, 2)
    still = looked(third, flat(IN_ORDER), after_ms + STEP_MS, after_ms + 10 * MINUTE_MS)
    assert still.state.level == "circuit_break"
    freed = look(reset(still.state, 3, still.state.looked_ms), at_ms(flat(IN_ORDER), after_ms + 11 * MINUTE_MS), LIMITS)
    assert (freed.state.level, freed.entries_allowed, freed.state.resumes) == ("normal", True, 2)


def test_a_guard_that_was_away_or_a_clock_that_jumped_has_not_cooled_down() -> None:
    jumped = look(broken(), at_ms(flat(IN_ORDER), 60 * MINUTE_MS), LIMITS)
    assert (jumped.state.level, jumped.state.quiet_ms) == ("circuit_break", 10_000)
    back = look(jumped.state, flat(IN_ORDER), LIMITS)
    assert (back.state.quiet_ms, back.state.looked_ms) == (10_000, NOW_MS + 60 * MINUTE_MS)


@pytest.mark.parametrize("days", [1, 2, 30])
def test_a_new_day_never_clears_a_break(days: int) -> None:
    decision = looked(broken(), flat(IN_ORDER), days * 1440 * MINUTE_MS, days * 1440 * MINUTE_MS)
    assert (decision.state.level, decision.entries_allowed) == ("circuit_break", False)


def test_a_reset_is_for_the_break_that_it_names() -> None:
    state = broken()
    assert reset(state, 0, NOW_MS) == reset(state, 2, NOW_MS) == state
    assert reset(UNBROKEN, 0, NOW_MS) == UNBROKEN
    freed = reset(state, 1, NOW_MS + 7)
    assert (freed.level, freed.causes, freed.flattens, freed.counts_from_ms) == ("warning", (), False, NOW_MS + 7)
    assert reset(freed, 1, NOW_MS + 9) == freed


def test_a_loss_that_is_still_there_breaks_again_after_a_reset() -> None:
    again = look(reset(broken(), 1, NOW_MS), LOST, LIMITS)
    assert (again.state.level, again.state.break_number, again.entries_allowed) == ("circuit_break", 2, False)


def test_what_breaks_later_joins_the_causes_and_may_flatten() -> None:
    state = broken(changed(IN_ORDER, "account.losses_in_a_row", figure(6)))
    assert not state.flattens
    decision = look(state, changed(IN_ORDER, "account.realised_today_r", figure(-7)), LIMITS)
    assert [one.rule for one in decision.state.causes] == ["consecutive_losses", "daily_loss_r"]
    assert (decision.state.flattens, decision.state.break_number, kinds(decision)) == (True, 1, [("flatten_all", None)])
    assert decision.reasons[0] == "the number of losses in a row is 6 trades (warning at 4, break at 6)"
    worse = look(decision.state, changed(IN_ORDER, "account.realised_today_r", figure(-8)), LIMITS)
    assert worse.state.causes == decision.state.causes


def test_flattening_is_not_forgotten_over_a_break_that_asks_for_none() -> None:
    state = look(broken(), changed(flat(IN_ORDER), "account.losses_in_a_row", figure(6)), LIMITS).state
    assert (state.flattens, kinds(look(state, IN_ORDER, LIMITS))) == (True, [("flatten_all", None)])


def test_a_new_day_has_its_own_resumes() -> None:
    used = GuardState(level="normal", resumes=2, resume_day=NOW_MS // DAY_MS - 1, looked_ms=NOW_MS - STEP_MS)
    after = looked(look(used, LOST, LIMITS).state, flat(IN_ORDER), STEP_MS, MINUTE_MS).state
    assert (after.level, after.resumes, after.resume_day) == ("normal", 1, NOW_MS // DAY_MS)


@pytest.mark.parametrize("seen", [IN_ORDER, LOST, flat(IN_ORDER)], ids=["in order", "lost", "flat"])
@pytest.mark.parametrize("before", [UNBROKEN, broken()], ids=["unbroken", "broken"])
def test_a_clock_that_goes_back_moves_nothing_back(before: GuardState, seen: GuardInputs) -> None:
    later = msgspec.structs.replace(before, looked_ms=NOW_MS + 1)
    assert look(later, seen, LIMITS).state.looked_ms == reset(later, 1, NOW_MS).looked_ms == NOW_MS + 1


def test_a_rule_that_is_off_asks_for_nothing() -> None:
    limits = RiskLimits(rules={"engine_silent": Thresholds()})
    assert look(UNBROKEN, changed(IN_ORDER, "services.engine_ms", None), limits).entries_allowed


def test_a_state_is_a_break_with_causes_or_neither() -> None:
    for wrong in (
        GuardState,
        lambda **given: from_bytes(GuardState, to_bytes(UNBROKEN).replace(b"normal", b"circuit_break")),
    ):
        with pytest.raises(ValueError, match="circuit break has causes"):
            wrong(level="circuit_break")
    with pytest.raises(ValueError, match="circuit break has causes"):
        GuardState(level="warning", causes=(Cause("rule", "why"),))
    assert from_bytes(GuardState, to_bytes(broken())) == broken()


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b'{"level":"calm"}', b'{"level":"normal","resumes":"2"}'])
def test_bytes_that_hold_no_state_are_no_fresh_start(data: bytes) -> None:
    with pytest.raises(ValueError, match="hold no GuardState"):
        from_bytes(GuardState, data)


NOBODY_HAS_READ = replace(
    position("ETHUSDT"), mark_price=Figure(), unrealised_r=Figure(), stops=None, stops_age_ms=None, bare_ms=None
)


@pytest.mark.parametrize("is_new", [True, False])
def test_what_nobody_has_read_of_a_new_position_keeps_no_other_entry_out(is_new: bool) -> None:
    come = replace(NOBODY_HAS_READ, is_new=is_new)
    decision = look(UNBROKEN, replace(IN_ORDER, positions=(*IN_ORDER.positions, come)), LIMITS)
    assert (decision.entries_allowed, decision.reasons == ()) == (is_new, is_new)
    assert not decision.actions


def test_what_is_known_of_a_new_position_counts() -> None:
    bare_long = replace(bare(IN_ORDER, 3_000).positions[0], is_new=True)
    decision = look(UNBROKEN, replace(IN_ORDER, positions=(bare_long,)), LIMITS)
    assert (decision.entries_allowed, kinds(decision)) == (False, [("place_stop", "BTCUSDT")])
    lost = replace(position(), unrealised_r=figure(-5), is_new=True)
    assert look(UNBROKEN, replace(IN_ORDER, positions=(lost,)), LIMITS).state.level == "circuit_break"
    other = changed(IN_ORDER, "account.balance", Figure())
    assert not look(
        UNBROKEN, replace(other, positions=(replace(NOBODY_HAS_READ, is_new=True),)), LIMITS
    ).entries_allowed


def test_a_break_is_not_over_by_itself_while_a_new_position_is_not_known() -> None:
    come = replace(IN_ORDER, positions=(replace(NOBODY_HAS_READ, is_new=True),))
    paused = changed(flat(IN_ORDER), "account.losses_in_a_row", figure(6))
    decision = looked(broken(paused), come, STEP_MS, 3 * MINUTE_MS)
    assert decision.state.level == "circuit_break"
