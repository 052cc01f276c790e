"""The guard alone, with an account whose venue stalls, lies or refuses, on the virtual clock; by the exchange's own truth."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from libs.exchanges.errors import VenueError
from libs.exchanges.trading import NewOrder
from libs.trading.execution.client_ids import read_client_id
from libs.trading.risk.limits import RiskLimits
from libs.trading.risk.thresholds import at
from tests.services.risk_guard.scene import QUANTITY, SYMBOL, Scene, only

QUIET = {"executor", "engine", "feed"}
ALGO = {"paths": ["/fapi/v1/algoOrder"], "methods": ["POST"]}
ORDER = {"paths": ["/fapi/v1/order"], "methods": ["POST"]}


def covered(scene: Scene) -> bool:
    """Whether a closing stop waits."""
    return any(one.request.close_position for one in scene.exchange.account.book.open_algos(SYMBOL))


def held(scene: Scene) -> bool:
    """Whether anything is open."""
    return bool(scene.exchange.account.held())


def safe(scene: Scene) -> bool:
    return covered(scene) or not scene.quantity()


async def alone(scene: Scene) -> None:
    """Nobody else speaks; the guard has seen the account."""
    scene.voices.silent = set(QUIET)
    scene.begin()
    await scene.until(lambda: bool(scene.told.states), 5)


def run(scene: Scene, story: Any) -> None:
    scene.run(story)


FAULTS: dict[str, list[dict[str, Any]]] = {
    "nothing": [],
    "stale_reads": [{"kind": "stale_reads", "by_ms": 2_000, "for_ms": 60_000}],
    "no_events": [
        {"kind": "silent", "streams": ["ACCOUNT_UPDATE", "ALGO_UPDATE", "ORDER_TRADE_UPDATE"], "for_ms": 60_000}
    ],
    "an_unknown_stop_that_was_placed": [{"kind": "backend_timeout", "executed": "yes", "most": 1, **ALGO}],
    "an_unknown_stop_that_was_not": [{"kind": "backend_timeout", "executed": "no", "most": 1, **ALGO}],
    "stops_refused_for_good": [{"kind": "refusal", "code": -4045, **ALGO}],
    "stops_that_would_fire_at_once": [{"kind": "refusal", "code": -2021, **ALGO}],
    "stops_and_an_unknown_close": [
        {"kind": "refusal", "code": -4045, **ALGO},
        {"kind": "connection_reset", "executed": "yes", "most": 1, **ORDER},
    ],
    "no_lists": [{"kind": "no_answer", "seconds": 9.0, "paths": ["/fapi/v1/openAlgoOrders"], "for_ms": 60_000}],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_position_is_without_a_stop_for_five_seconds(fault: str, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await alone(scene)
        for one in FAULTS[fault]:
            scene.fault(**one)
        await scene.enter(stop_share=None)
        took = await scene.until(lambda: safe(scene), 5.0, "safety")
        assert took > 2.0, "the executor has three seconds for it"
        # It stays so.
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 8 or not safe(scene), 9)
        assert safe(scene)
        ids = [read_client_id(one.request.client_id) for one in scene.exchange.account.book.open_algos()]
        assert len(ids) <= 1, "one stop, however often it was asked for"
        assert sum((one.amount for one in scene.exchange.account.held()), Decimal(0)) in (Decimal(0), QUANTITY)

    run(Scene(tmp_path, RiskLimits()), story)


class DeafForOne:
    """A venue that does not answer for the conditional orders of one symbol."""

    def __init__(self, venue: Any, symbol: str) -> None:
        self._venue, self._symbol = venue, symbol

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    async def open_conditionals(self, symbol: str | None = None) -> Any:
        if symbol == self._symbol:
            raise VenueError("no answer for this one")
        return await self._venue.open_conditionals(symbol)


def test_a_symbol_whose_stops_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await alone(scene)
        guard = scene.guard
        assert guard is not None
        for symbol in (SYMBOL, "ETHUSDT"):
            await scene.enter(symbol)
        await scene.until(lambda: not guard.picture.has_bare(), 10, "both stops seen")
        guard.readings.parts = replace(guard.parts, venue=DeafForOne(guard.parts.venue, "ETHUSDT"))
        scene.fault("silent", streams=["ALGO_UPDATE"], for_ms=60_000)
        scene.fault("outside_cancel", symbol=SYMBOL)
        await scene.until(lambda: not covered(scene), 2, "its stop is gone")
        await scene.until(lambda: safe(scene), 7.0, "safety")

    run(Scene(tmp_path, RiskLimits()), story)


def test_refusals_for_one_position_do_not_close_the_next(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await alone(scene)
        scene.fault("refusal", code=-4045, most=2, **ALGO)
        await scene.enter(stop_share=None)
        await scene.until(lambda: not held(scene), 10, "closed, as no stop was taken")
        guard = scene.guard
        assert guard is not None
        await scene.until(lambda: not guard.hands.closing(), 10, "the end of that")
        scene.fault("refusal", code=-4045, most=1, **ALGO)
        await scene.enter(stop_share=None)
        await scene.until(lambda: covered(scene), 5.0, "its stop at the second try")
        assert held(scene)

    run(Scene(tmp_path, RiskLimits()), story)


def test_nothing_may_be_entered_before_a_close_is_verified(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        await scene.enter()
        await scene.until(lambda: scene.state.entries_allowed, 20, "order")
        opened_ms = scene.voices.held[SYMBOL].entered_at_ms or 0
        scene.voices.held[SYMBOL] = structs.replace(scene.voices.held[SYMBOL], entered_at_ms=opened_ms - 5_000_000)
        await scene.until(lambda: not held(scene), 5, "the close of what was held too long")
        scene.voices.held.clear()
        guard = scene.guard
        assert guard is not None
        await scene.until(lambda: not guard.picture.positions.open() and len(scene.told.states) > 0, 5)
        while guard.hands.closing():
            heard = len(scene.told.states)
            await scene.until(lambda heard=heard: len(scene.told.states) > heard or not guard.hands.closing(), 3)  # type: ignore[misc]
            assert not scene.told.states[-1].entries_allowed or not guard.hands.closing()
        await scene.until(lambda: scene.state.entries_allowed, 20, "entries")

    run(Scene(tmp_path, only("hold_time")), story)


def test_a_stop_stands_where_the_executor_said_if_it_has_said_so(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        await scene.enter(stop_share=None)
        await scene.until(lambda: covered(scene), 5)
        [stop] = scene.exchange.account.book.open_algos(SYMBOL)
        assert stop.request.trigger_price == scene.voices.held[SYMBOL].stop

    run(Scene(tmp_path, RiskLimits()), story)


def test_a_guard_that_comes_back_to_a_bare_position_protects_it_at_once(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        await scene.enter(stop_share=None)
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 60, 61)
        await alone(scene)
        assert await scene.until(lambda: safe(scene), 2.0, "a stop") < 2
        assert scene.quantity() == QUANTITY, "it was not sold"

    run(Scene(tmp_path, RiskLimits()), story)


def test_a_position_that_is_new_after_a_restart_has_not_been_held_since_the_old_one(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.enter()
        await scene.until(lambda: scene.guard is not None and bool(scene.guard.memory.held), 10, "the first one")
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 10, 11)
        scene.drop()
        scene.process = None
        scene.voices.silent = set(QUIET)
        await scene.until(lambda: scene.clock.seconds > began + 65, 66)
        for side in ("SELL", "BUY"):
            await scene.owner.account.place(NewOrder(SYMBOL, side, QUANTITY, f"p1-again-{side}"))
        scene.begin()
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 45 or not held(scene), 46)
        assert held(scene), "it is younger than a minute"
        await scene.until(lambda: not held(scene), 30, "the close after a minute")

    off = only("hold_time").rules
    limits = RiskLimits(rules=off | {"hold_time": at("0.5", "1")})
    run(Scene(tmp_path, limits), story)


@pytest.mark.parametrize("kind", ["no_answer", "server_error", "banned"])
def test_silence_of_the_account_blocks_at_once_and_sells_after_a_minute(kind: str, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        await scene.enter()
        await scene.until(lambda: scene.state.entries_allowed, 20, "order")
        more: dict[str, Any] = {"seconds": 1.0} if kind == "no_answer" else {}
        scene.fault(kind, for_ms=80_000, **more)
        await scene.until(lambda: not scene.state.entries_allowed, 15, "a block")
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 40, 41)
        assert scene.state.level != "circuit_break"
        await scene.until(lambda: scene.state.level == "circuit_break", 25, "a break")
        await scene.until(lambda: not scene.quantity(), 60, "flat once the venue listens again")

    run(Scene(tmp_path, only("balance_floor")), story)


def test_a_guard_that_was_stopped_for_minutes_does_not_blame_the_account(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        await scene.enter()
        await scene.until(lambda: scene.state.entries_allowed, 20, "order")
        assert scene.process is not None
        scene.process.stop()
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 200, 201)
        scene.process.resume()
        await scene.until(lambda: scene.state.entries_allowed and scene.clock.seconds > began + 210, 30, "order")
        assert all(one.level != "circuit_break" for one in scene.told.states)
        assert scene.quantity() == QUANTITY

    run(Scene(tmp_path, RiskLimits()), story)


def test_everybody_else_may_die_and_nothing_is_sold(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        await scene.enter()
        await scene.until(lambda: scene.state.entries_allowed, 20, "order")
        scene.voices.silent = set(QUIET)
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 300, 301)
        assert not scene.state.entries_allowed
        assert (scene.state.level, scene.quantity()) == ("warning", QUANTITY)
        scene.voices.silent = set()
        await scene.until(lambda: scene.state.entries_allowed, 20, "entries")

    run(Scene(tmp_path, RiskLimits()), story)


@pytest.mark.parametrize("events", ["told", "lost"])
@pytest.mark.parametrize("amount", ["-4000", "5000"])
def test_what_is_moved_is_no_result(events: str, amount: str, tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        await scene.enter()
        await scene.until(lambda: scene.state.entries_allowed, 20, "order")
        if events == "lost":
            scene.fault("silent", streams=["ACCOUNT_UPDATE"], for_ms=60_000)
        scene.fault("transfer", amount=amount)
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 30, 31)
        await scene.until(lambda: scene.state.entries_allowed, 20, "order")
        assert all(one.level == "normal" for one in scene.state.measures)
        assert all(one.level != "circuit_break" for one in scene.told.states)
        guard = scene.guard
        assert guard is not None
        assert guard.memory.baselines.moved == Decimal(amount)

    run(Scene(tmp_path, RiskLimits()), story)


def test_a_crash_in_the_middle_of_a_break_changes_nothing_of_it(tmp_path: Path) -> None:
    """Killed again and again, a little later each time, between the break and the flat account: the next one goes on."""

    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        await scene.enter()
        await scene.enter("ETHUSDT", Decimal(1))
        await scene.until(lambda: scene.state.entries_allowed, 20, "order")
        scene.fault("transfer", amount="-9950")
        awaits = 0
        while held(scene):
            awaits += 10
            assert awaits < 3_000
            assert scene.process is not None
            scene.process.dies_at = scene.process.steps + awaits
            process = scene.process
            await scene.until(lambda process=process: not process.alive or not held(scene), 60)  # type: ignore[misc]
            scene.drop()
            scene.begin()
        await scene.until(lambda: scene.state.level == "circuit_break", 10)
        fills = scene.exchange.account.book.fills
        assert sum(1 for one in fills) >= 4
        await scene.until(lambda: not scene.exchange.account.book.open_algos(), 30, "no exit stays")

    run(Scene(tmp_path, only("balance_floor")), story)


def test_a_break_is_over_by_itself_after_its_cooldown_if_it_may(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        await scene.enter()
        await scene.until(lambda: scene.state.entries_allowed, 20, "order")
        scene.voices.orders_last_minute = 500
        await scene.until(lambda: scene.state.level == "circuit_break", 2)
        scene.voices.orders_last_minute = 0
        took = await scene.until(lambda: scene.state.entries_allowed, 80, "an automatic resume")
        assert 59 < took < 65
        scene.voices.orders_last_minute = 500
        await scene.until(lambda: scene.state.level == "circuit_break", 2)
        scene.voices.orders_last_minute = 0
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 120, 121)
        assert scene.state.level == "circuit_break", "once a day is allowed here"

    run(Scene(tmp_path, only("too_many_orders", auto_resumes=1)), story)


def test_an_entry_keeps_no_other_out(tmp_path: Path) -> None:
    """Signals of one evaluation come in the same moment: each is entered while the guard reads the one before."""

    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        await scene.enter()
        await scene.until(lambda: scene.state.entries_allowed, 20, "order")
        before = len(scene.told.states)
        for symbol in ("ETHUSDT", "SOLUSDT"):
            await scene.enter(symbol, Decimal(1))
        began = scene.clock.seconds
        await scene.until(lambda: scene.clock.seconds > began + 5, 6)
        since = scene.told.states[before:]
        assert len(since) > 3
        assert [one.reasons for one in since if not one.entries_allowed] == []

    run(Scene(tmp_path, RiskLimits()), story)
