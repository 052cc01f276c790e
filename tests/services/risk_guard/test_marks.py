"""What is open is worth what the stream of mark prices says: a loss counts when it is told, not when the next list is read."""

import asyncio
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.exchanges import MarkPrice
from libs.exchanges.errors import VenueError
from libs.exchanges.trading import Holdings, Position
from libs.trading.risk.limits import RiskLimits
from services.risk_guard.marks import FRESH_MS
from services.risk_guard.moment import Moment
from services.risk_guard.positions import PositionBook
from tests.chaos.money.virtual_time import START_SECONDS
from tests.services.risk_guard.scene import SYMBOL, Scene

CRASH_AFTER_SECONDS = 30
CRASH_SECONDS = START_SECONDS + CRASH_AFTER_SECONDS
NOW = Moment(1_764_373_800_000, 1_000_000)


def later(milliseconds: int) -> Moment:
    return Moment(NOW.now_ms + milliseconds, NOW.at_ms + milliseconds)


def mark(price: str, event_ms: int, symbol: str = SYMBOL) -> MarkPrice:
    return MarkPrice(
        symbol=symbol,
        event_time=event_ms,
        mark_price=price,
        index_price=price,
        estimated_settle_price=None,
        mark_price_average=None,
        funding_rate=None,
        next_funding_time=0,
    )


def held(amount: str) -> PositionBook:
    """A position from 100, read at `NOW` at a mark price of 101."""
    book, signed = PositionBook(), Decimal(amount)
    position = Position(SYMBOL, "BOTH", signed, Decimal(100), Decimal(101), signed, Decimal(0), NOW.now_ms)
    book.listed(NOW.at_ms, [position])
    return book


def test_a_newer_price_says_what_a_position_has_made() -> None:
    for amount, made in (("2", "-20"), ("-2", "20")):
        book = held(amount)
        book.marks.heard([mark("90", later(500).now_ms)], later(560))
        [one] = book.open().values()
        assert (one.mark_price, one.unrealised) == (Decimal(90), Decimal(made))


def test_an_older_price_and_what_is_none_change_nothing() -> None:
    book = held("2")
    for price, at in (("90", -1), ("nan", 500), ("0", 500), ("-3", 500), ("", 500)):
        book.marks.heard([mark(price, later(at).now_ms)], later(600))
        [one] = book.open().values()
        assert (one.mark_price, one.unrealised) == (Decimal(101), Decimal(2))


def test_a_price_is_of_this_moment_for_as_long_as_one_may_be_late() -> None:
    book = held("2")
    assert not book.is_marked(NOW)
    book.marks.heard([mark("90", later(100).now_ms)], later(140))
    assert book.is_marked(later(100 + FRESH_MS))
    assert not book.is_marked(later(101 + FRESH_MS))
    # One that was under way for long is as old as it is.
    book.marks.heard([mark("90", later(5_000).now_ms)], later(9_000))
    assert not book.is_marked(later(9_000))
    book.marks.heard([mark("1", later(9_000).now_ms, "ETHUSDT")], later(9_000))
    assert not book.is_marked(later(9_000)), "of another symbol"


@dataclass
class Mute:
    """A venue that answers no question for what the account has."""

    venue: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.venue, name)

    async def holdings(self) -> Holdings:
        raise VenueError("no answer")


@dataclass
class Stream:
    """The venue's stream of mark prices; when it first told of a price below `alarm`."""

    scene: Scene
    alarm: Decimal
    told_at: float = 0.0

    async def run(self) -> None:
        scene = self.scene
        while True:
            await asyncio.sleep(1 - scene.clock.now_ms() % 1000 / 1000)
            now_ms = scene.clock.now_ms()
            price = scene.market.price(SYMBOL, now_ms)
            assert scene.guard is not None
            scene.guard.on_marks([mark(str(price), now_ms)])
            if price < self.alarm and not self.told_at:
                self.told_at = scene.clock.seconds


def test_a_loss_that_the_stream_tells_breaks_at_once_although_no_question_is_answered(tmp_path: Path) -> None:
    async def story(scene: Scene) -> None:
        scene.begin()
        await scene.until(lambda: bool(scene.told.states), 5)
        guard, price = scene.guard, scene.market.price(SYMBOL, scene.clock.now_ms())
        assert guard is not None
        stream = Stream(scene, price * Decimal("0.95"))
        telling = asyncio.create_task(stream.run())
        await scene.enter()
        await scene.until(lambda: scene.state.entries_allowed, 15, "order")
        await scene.until(lambda: scene.clock.seconds > CRASH_SECONDS, 60)
        guard.readings.parts = replace(guard.parts, venue=Mute(guard.parts.venue))
        await scene.until(lambda: scene.state.level == "circuit_break", 5, "the break")
        assert 0 < stream.told_at <= scene.clock.seconds < stream.told_at + 0.2
        await scene.until(lambda: not scene.quantity(), 5, "flat")
        telling.cancel()

    Scene(tmp_path, RiskLimits(), crashes={CRASH_AFTER_SECONDS: "0.92"}).run(story)
