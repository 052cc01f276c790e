"""What people tell the guard: obeyed when it is signed, in time and said once, over restarts too; else nothing changes."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.kit.clock import ManualClock
from libs.trading.risk.limits import RiskLimits
from tests.services.risk_guard.scene import DAY_MS, QUANTITY, START_MS, SYMBOL, Scene, only


async def in_order(scene: Scene) -> None:
    scene.begin()
    await scene.until(lambda: bool(scene.told.states), 5)
    await scene.enter()
    await scene.until(lambda: scene.state.entries_allowed, 20, "order")


def test_a_pause_lasts_until_its_resume_and_over_a_restart(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        assert scene.obey(scene.command("pause")).accepted
        await scene.until(lambda: scene.state.paused and not scene.state.entries_allowed, 2)
        scene.drop()
        before = len(scene.told.states)
        scene.begin()
        await scene.until(lambda: len(scene.told.states) > before + 10, 20)
        assert scene.state.paused
        assert not scene.state.entries_allowed
        assert scene.obey(scene.command("resume")).accepted
        await scene.until(lambda: scene.state.entries_allowed, 2)
        assert scene.quantity() == QUANTITY

    Scene(tmp_path, RiskLimits()).run(story)


def test_commands_are_timed_by_the_machine_whatever_year_the_venue_has(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        scene.guard.on_command(scene.command("flatten", {"symbol": "all"}))  # type: ignore[union-attr]
        await scene.until(lambda: not scene.quantity(), 2)
        await scene.until(lambda: bool(scene.told.answers), 10, "its answer")
        assert scene.told.answers[-1].accepted
        looked_ms = scene.guard.memory.state.looked_ms  # type: ignore[union-attr]
        assert abs(looked_ms - scene.clock.now_ms()) < 1_000, "what is counted stays on the venue's time"

    Scene(tmp_path, RiskLimits(), wall=ManualClock(START_MS + 365 * DAY_MS)).run(story)


def test_a_lock_is_told_and_ends_by_itself_or_by_a_person(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        until_ms = scene.clock.now_ms() + 20_000
        for symbol in ("SOLUSDT", "ETHUSDT"):
            assert scene.obey(scene.command("lock", {"symbol": symbol, "until_ms": str(until_ms)})).accepted
        await scene.until(lambda: scene.state.locks == {"SOLUSDT": until_ms, "ETHUSDT": until_ms}, 2)
        assert scene.obey(scene.command("unlock", {"symbol": "ETHUSDT"})).accepted
        await scene.until(lambda: set(scene.state.locks) == {"SOLUSDT"}, 2)
        await scene.until(lambda: not scene.state.locks, 25)

    Scene(tmp_path, RiskLimits()).run(story)


def test_a_lock_shortens_no_longer_one(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        until_ms = scene.clock.now_ms() + 3_600_000
        for asked_ms in (until_ms, until_ms - 3_590_000):
            answer = scene.obey(scene.command("lock", {"symbol": "SOLUSDT", "until_ms": str(asked_ms)}))
            assert (answer.accepted, answer.details) == (True, {"until_ms": str(until_ms)})
        assert "locked for longer already" in answer.result
        await scene.until(lambda: scene.state.locks == {"SOLUSDT": until_ms}, 2)
        assert scene.obey(scene.command("unlock", {"symbol": "SOLUSDT"})).accepted
        await scene.until(lambda: not scene.state.locks, 2)

    Scene(tmp_path, RiskLimits()).run(story)


def test_a_person_flattens_one_symbol_and_then_everything(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        await scene.enter("ETHUSDT", QUANTITY * 10)
        scene.guard.on_command(scene.command("flatten", {"symbol": SYMBOL}))  # type: ignore[union-attr]
        await scene.until(lambda: not scene.quantity(), 2)
        assert scene.quantity("ETHUSDT")
        await scene.until(lambda: bool(scene.told.answers), 10, "its answer")
        assert scene.told.answers[-1].accepted
        assert not scene.state.paused
        scene.guard.on_command(scene.command("flatten", {"symbol": "all"}))  # type: ignore[union-attr]
        await scene.until(lambda: not scene.quantity("ETHUSDT"), 2)
        await scene.until(lambda: len(scene.told.answers) == 2, 10, "its answer")
        assert scene.state.paused, "nothing is opened right after"
        assert not scene.exchange.account.book.open_algos()

    Scene(tmp_path, RiskLimits()).run(story)


def test_a_flatten_is_gone_on_with_and_answered_after_a_crash(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        scene.fault("refusal", paths=["/fapi/v1/order"], methods=["POST"], code=-1122, for_ms=10_000)
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 1, 2)
        scene.guard.on_command(scene.command("flatten", {"symbol": "all"}))  # type: ignore[union-attr]
        await scene.until(lambda: not scene.state.entries_allowed, 2)
        scene.drop()
        assert scene.quantity() == QUANTITY
        scene.begin()
        await scene.until(lambda: not scene.quantity(), 30, "flat")
        await scene.until(lambda: bool(scene.told.answers), 10, "its answer")

    Scene(tmp_path, RiskLimits()).run(story)


def test_a_flatten_of_a_symbol_that_is_none_ends_with_a_resume(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        scene.guard.on_command(scene.command("flatten", {"symbol": "BTCUSD"}))  # type: ignore[union-attr]
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 20, 21)
        assert not scene.state.entries_allowed, "nobody can say that it is flat"
        answer = scene.obey(scene.command("resume"))
        assert answer.accepted
        assert answer.details == {"given_up": "BTCUSD is no longer being flattened"}
        assert [(one.command, one.accepted) for one in scene.told.answers] == [("flatten", False), ("resume", True)]
        assert "ada has told the guard to resume" in scene.told.answers[0].result
        await scene.until(lambda: scene.state.entries_allowed, 2)
        assert scene.quantity() == QUANTITY

    Scene(tmp_path, RiskLimits()).run(story)


def test_who_asked_for_a_flatten_hears_of_a_later_one_of_the_same_symbol(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        for _ in range(2):
            scene.guard.on_command(scene.command("flatten", {"symbol": SYMBOL}))  # type: ignore[union-attr]
        await scene.until(lambda: not scene.quantity(), 3, "flat")
        await scene.until(lambda: len(scene.told.answers) == 2, 40, "both answers")
        first, second = scene.told.answers
        assert (first.accepted, "later command" in first.result) == (True, True)
        assert (second.accepted, "flat after" in second.result) == (True, True)
        assert first.command_id != second.command_id

    Scene(tmp_path, RiskLimits()).run(story)


def damaged(scene: Scene) -> dict[str, Any]:
    """Commands that must change nothing, and why."""
    now_ms = scene.clock.now_ms()
    return {
        "unsigned": scene.command("pause", signature=""),
        "wrong_signature": scene.command("pause", reason="another one"),
        "unknown_issuer": scene.command("pause", issued_by="eve"),
        "expired": scene.command("pause"),
        "not_yet_valid": scene.command("pause", issued_at_ms=now_ms + 60_000),
    }


@pytest.mark.parametrize("why", ["unsigned", "wrong_signature", "unknown_issuer", "expired", "replayed"])
def test_what_does_not_count_changes_nothing_and_is_reported(why: str, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        event = damaged(scene).get(why) or scene.command("pause")
        if why == "expired":
            began = scene.clock.seconds
            await scene.until(lambda: scene.clock.seconds > began + 31, 32)
        if why == "replayed":
            assert scene.obey(event).accepted
            assert scene.obey(scene.command("resume")).accepted
            scene.drop()
            before = len(scene.told.states)
            scene.begin()
            await scene.until(lambda: len(scene.told.states) > before + 10, 20)
        before_memory = scene.guard.memory  # type: ignore[union-attr]
        answer = scene.obey(event)
        assert (answer.accepted, answer.details["why"]) == (False, why)
        assert scene.guard.memory.paused == before_memory.paused is False  # type: ignore[union-attr]
        assert scene.guard.memory.nonces == before_memory.nonces  # type: ignore[union-attr]
        assert any("was refused" in one.title for one in scene.told.alerts)
        await scene.until(lambda: scene.state.entries_allowed, 20)

    Scene(tmp_path, RiskLimits()).run(story)


def test_commands_of_another_account_or_service_are_nothing_to_it(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        for event in (scene.command("pause", account="other"), scene.command("pause", target="executor")):
            scene.guard.on_command(event)  # type: ignore[union-attr]
        assert scene.told.answers == []

    Scene(tmp_path, RiskLimits()).run(story)


def test_a_command_that_cannot_be_kept_is_not_obeyed_and_protection_goes_on(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        folder = tmp_path / "state"
        folder.rename(tmp_path / "away")
        answer = scene.obey(scene.command("reset", {"break_number": "1"}))
        assert not answer.accepted
        answer = scene.obey(scene.command("pause"))
        assert not answer.accepted
        assert not scene.guard.memory.paused  # type: ignore[union-attr]
        await scene.until(lambda: not scene.state.entries_allowed, 10, "a block while nothing can be kept")
        scene.fault("outside_cancel", symbol=SYMBOL)
        await scene.until(lambda: bool(scene.exchange.account.book.open_algos()), 6, "a stop all the same")
        (tmp_path / "away").rename(folder)
        await scene.until(lambda: scene.state.entries_allowed, 20, "entries")

    Scene(tmp_path, only("position_without_stop")).run(story)


def test_what_was_not_told_is_told_by_the_next_guard(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await in_order(scene)
        scene.obey(scene.command("pause", signature=""))
        first = {one.event_id for one in scene.told.alerts}
        scene.drop()
        scene.told.events.clear()
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 20)
        assert first <= {one.event_id for one in scene.told.alerts}
        assert [one.accepted for one in scene.told.answers] == [False]
        for event in list(scene.told.events):
            scene.guard.on_sent(event)  # type: ignore[union-attr]
        assert scene.guard.memory.alerts == ()  # type: ignore[union-attr]
        assert msgspec.structs.asdict(scene.guard.memory)["answers"] == ()  # type: ignore[union-attr]

    Scene(tmp_path, RiskLimits()).run(story)
