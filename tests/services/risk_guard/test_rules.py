"""Each risk rule through the whole guard: it trips within a second of its cause, acts, outlives a restart, ends as it should."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.trading.execution.client_ids import read_client_id
from libs.trading.risk.policy import GuardState
from libs.trading.risk.rules import all_rules
from tests.services.risk_guard.scene import DAY_MS, SYMBOL, Scene, only, trade

CRASH_S, COOLDOWN_S = 20, 60
Step = Callable[[Scene], Any]


def _nothing(_: Scene) -> None:
    """The cause ends by what the guard does, or the time that goes on."""


@dataclass(frozen=True)
class Case:
    """`cause` and `end` of it (done right after the restart); `within_s`: how long after its cause it may take to trip, silences
    by their thresholds; `needs_day`: the loss stays the day's, so that only another day's baselines let a reset hold."""

    rule: str
    acts: str
    cause: Step = _nothing
    end: Step = _nothing
    within_s: float = 1.0
    crash: str | None = None
    needs_day: bool = False


def _lose(scene: Scene) -> None:
    assert scene.guard is not None
    for number in range(6):
        now_ms = scene.clock.now_ms() - 60 + number
        scene.guard.on_trade(
            trade("ETHUSDT", Decimal(3000), now_ms, state="closed", pnl_quote=Decimal(-5), pnl_r=Decimal("-0.05"))
        )


def _slip(scene: Scene) -> None:
    assert scene.guard is not None
    scene.guard.on_trade(trade("ETHUSDT", Decimal(3000), scene.clock.now_ms(), state="open", slippage_bps=Decimal(80)))


def _held_since(scene: Scene) -> None:
    held = scene.voices.held[SYMBOL]
    scene.voices.held[SYMBOL] = msgspec.structs.replace(held, entered_at_ms=scene.clock.now_ms() - 71 * 60_000)


def _say(**changed: Any) -> Step:
    def change(scene: Scene) -> None:
        for name, value in changed.items():
            setattr(scene.voices, name, value)

    return change


def _prices(**changed: Any) -> Step:
    def change(scene: Scene) -> None:
        for name, value in changed.items():
            setattr(scene.prices, name, value)

    return change


CASES = (
    Case(
        "balance_floor",
        "flat",
        lambda scene: scene.fault("transfer", amount="-9950"),
        lambda scene: scene.fault("transfer", amount="9950"),
    ),
    Case("daily_loss_r", "flat", crash="0.92", needs_day=True),
    Case("daily_loss_usd", "flat", crash="0.92", needs_day=True),
    Case("drawdown", "flat", crash="0.88", needs_day=True),
    Case("unrealised_loss", "flat", crash="0.92"),
    Case("hold_time", "flat", _held_since),
    Case("position_without_stop", "stop", lambda scene: scene.fault("outside_cancel", symbol=SYMBOL), within_s=5),
    Case("clock_skew", "block", _prices(skew_ms=Decimal(2_000)), _prices(skew_ms=Decimal(0)), within_s=31),
    Case("consecutive_losses", "block", _lose),
    Case("data_completeness", "block", _say(completeness_ppm=980_000), _say(completeness_ppm=1_000_000)),
    Case("data_freshness", "block", _say(silent={"feed"}), _say(silent=set()), within_s=41),
    Case("engine_silent", "block", _say(silent={"engine"}), _say(silent=set()), within_s=31),
    Case("executor_silent", "block", _say(silent={"executor"}), _say(silent=set()), within_s=16),
    Case("price_gap", "block", _prices(last_share=Decimal("1.02")), _prices(last_share=Decimal(1)), within_s=5),
    Case(
        "reconciliation_failing",
        "block",
        lambda scene: setattr(scene.voices, "reconciled_ms", scene.clock.now_ms()),
        _say(reconciled_ms=None),
        within_s=61,
    ),
    Case("slippage", "block", _slip),
    Case("too_many_orders", "block", _say(orders_last_minute=130), _say(orders_last_minute=3)),
)


def latches(case: Case) -> bool:
    return next(rule for rule in all_rules() if rule.name == case.rule).latches


def test_every_rule_has_its_case() -> None:
    assert {case.rule for case in CASES} == {rule.name for rule in all_rules()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_trips_acts_outlives_a_restart_and_ends(case: Case, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await _in_force_after_a_restart(scene, case)
        case.end(scene)
        await _ended(scene, case)

    Scene(tmp_path, only(case.rule), _crashes(case)).run(story)


@pytest.mark.parametrize("case", [case for case in CASES if latches(case)], ids=lambda case: case.rule)
def test_a_break_ends_by_itself_after_its_cooldown_and_not_a_second_time_that_day(case: Case, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await _in_force_after_a_restart(scene, case)
        broken_ms, number = _remembered(scene).broken_ms, scene.state.break_number
        case.end(scene)
        if case.needs_day:
            await scene.until(lambda: scene.clock.now_ms() % DAY_MS < 60_000, 700, "midnight")
            assert not scene.state.entries_allowed, "what was lost stays lost on its day"
        await scene.until(lambda: scene.state.entries_allowed, COOLDOWN_S + 45, "an automatic resume")
        assert scene.clock.now_ms() - broken_ms >= COOLDOWN_S * 1_000
        assert (scene.state.level, scene.state.break_number) == ("normal", number)
        if case.crash:
            return  # it is told once, and not again
        resumed = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > resumed + 1, 2)
        case.cause(scene)
        await scene.until(lambda: scene.state.level == "circuit_break", case.within_s, "a second break")
        assert scene.state.break_number == number + 1
        case.end(scene)
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 2 * COOLDOWN_S, 2 * COOLDOWN_S + 1)
        assert scene.state.level == "circuit_break", "once a day is allowed here"

    Scene(tmp_path, only(case.rule, auto_resumes=1), _crashes(case)).run(story)


async def _in_force_after_a_restart(scene: Scene, case: Case) -> None:
    await _in_order(scene)
    await _tripped(scene, case)
    await _acted(scene, case)
    await _restarted(scene, case)


async def _tripped(scene: Scene, case: Case) -> None:
    """Its cause, and what the guard says of it, by the name of the rule."""
    case.cause(scene)
    if case.crash:
        await scene.until(lambda: scene.clock.seconds - 1_000 >= CRASH_S, 60)
    await scene.until(lambda: not scene.state.entries_allowed, case.within_s, "a block")
    if latches(case):
        await scene.until(lambda: scene.state.level == "circuit_break", case.within_s, "a break")
        assert [one.rule for one in _remembered(scene).causes] == [case.rule]
    broken = [state for state in scene.told.states if not state.entries_allowed][-1]
    assert {one.rule for one in broken.measures if one.level == "break"} <= {case.rule}


def _crashes(case: Case) -> dict[int, str]:
    return {CRASH_S: case.crash} if case.crash else {}


def _remembered(scene: Scene) -> GuardState:
    assert scene.guard is not None
    return scene.guard.memory.state


async def _in_order(scene: Scene) -> None:
    """A guard, a protected position, everybody speaks: entries are allowed."""
    scene.begin()
    await scene.until(lambda: bool(scene.told.states), 5)
    await scene.enter()
    await scene.until(lambda: scene.guard is not None and scene.guard.picture.has_bare() is False, 10, "the stop")
    await scene.until(lambda: scene.state.entries_allowed and scene.state.level == "normal", 10, "order")


async def _acted(scene: Scene, case: Case) -> None:
    if case.acts == "flat":
        await scene.until(lambda: not scene.quantity(), 1.0 if case.crash else 3.0, "flat")
        scene.voices.held.clear()
    elif case.acts == "stop":
        await scene.until(lambda: _guards_stop(scene), 4.5, "a stop of the guard")
        assert scene.quantity()
    else:
        await scene.until(lambda: True, 0)
        assert scene.quantity(), "a block sells nothing"


async def _restarted(scene: Scene, case: Case) -> None:
    """What was broken is broken still, for the same reason; nothing more is done."""
    number, causes, quantity = scene.state.break_number, _remembered(scene).causes, scene.quantity()
    fills = len(scene.exchange.account.book.fills)
    scene.drop()
    before = len(scene.told.states)
    scene.begin()
    await scene.until(lambda: len(scene.told.states) > before + 2, 10)
    if latches(case):
        assert (scene.state.level, scene.state.break_number) == ("circuit_break", number)
        assert _remembered(scene).causes == causes
    if latches(case) or case.acts == "block":
        assert not any(state.entries_allowed for state in scene.told.states[before:]), "it blocks after the restart too"
    if case.acts == "stop":
        assert _guards_stop(scene)
        assert len(scene.exchange.account.book.open_algos(SYMBOL)) == 1
    assert (scene.quantity(), len(scene.exchange.account.book.fills)) == (quantity, fills)


async def _ended(scene: Scene, case: Case) -> None:
    if not latches(case):
        await scene.until(lambda: scene.state.entries_allowed, 45, "entries")
        return
    assert not scene.state.entries_allowed
    number = scene.state.break_number
    if case.needs_day:
        assert scene.obey(scene.command("reset", {"break_number": str(number)})).accepted
        await scene.until(lambda: scene.state.break_number == number + 1, 2, "the same loss breaks it again")
        await scene.until(lambda: scene.clock.now_ms() % DAY_MS < 60_000, 700, "midnight")
        await scene.until(lambda: len(scene.told.states) > 5, 5)
        number = scene.state.break_number
        assert scene.state.level == "circuit_break", "a new day never clears a break"
    await scene.until(lambda: _is_over(scene, case), 30, "the end of its cause")
    assert not scene.obey(scene.command("reset", {"break_number": str(number + 7)})).accepted
    assert scene.obey(scene.command("reset", {"break_number": str(number)})).accepted
    await scene.until(lambda: scene.state.entries_allowed, 30, "entries")
    assert scene.state.break_number == number


def _is_over(scene: Scene, case: Case) -> bool:
    counted = {"consecutive_losses", "slippage"}
    levels = {one.level for one in scene.state.measures if one.rule == case.rule}
    return case.rule in counted or levels <= {"normal", "warning"}


def _guards_stop(scene: Scene) -> bool:
    found = [read_client_id(one.request.client_id) for one in scene.exchange.account.book.open_algos()]
    return any(one is not None and one.sender == "guard" for one in found)
