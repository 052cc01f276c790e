"""The filler against a venue that is slow, quiet, or wrong: few questions, no endless ones, and no hole for a lie."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from libs.contracts.market import AggTradeFrame
from libs.exchanges import AggTrade, MarketData
from libs.exchanges.budget import Priority
from libs.kit.clock import VenueClock
from services.trade_ingest.assembler import Assembler, Resume
from services.trade_ingest.continuity import UNKNOWN_ID, Continuity, Told
from services.trade_ingest.gapfill import HOUR_MS, MINUTE_MS, FillRules, GapFiller
from tests.fakes.histories import SlowHistory
from tests.fakes.instruments import instrument
from tests.services.processes import eventually
from tests.services.trade_ingest.test_assembler import SYMBOL, Trade, assembler, ids_and_holes, trade

NOW = 1_763_712_034_000
OPEN_MINUTE = NOW // MINUTE_MS * MINUTE_MS


class Host:
    """What the filler needs of the running service."""

    def __init__(self, core: Assembler) -> None:
        self.assembler, self.bootstrapped, self.frames = core, list[int](), list[AggTradeFrame]()

    async def bootstrap(self, symbol: str, until_ms: int) -> None:
        assert self.assembler.feeds[symbol].symbol == symbol, "KeyError, as with the running service"
        self.bootstrapped.append(until_ms)

    def fill(self, symbol: str, rows: Sequence[AggTrade], told: Told) -> None:
        self.assembler.fill(symbol, rows, told, 2)
        self.pump()

    def abandon(self, symbol: str, cause: str) -> None:
        self.assembler.abandon(symbol, cause, 2)
        self.pump()

    def pump(self) -> None:
        self.assembler.flush()
        self.frames += self.assembler.drain()

    async def room(self) -> None: ...

    def connected(self, symbol: str) -> bool:
        return True

    def settled(self, symbol: str) -> None: ...


async def fill(core: Assembler, history: SlowHistory, done: Callable[[], bool], patience: float = 60.0) -> Host:
    """Let the filler work on the symbol until `done`."""
    host = Host(core)
    # Not paced: some of these venues are hours ahead.
    clock = VenueClock(NOW, paced=False)
    filler = GapFiller(host, cast(MarketData, history), clock, FillRules(patience_seconds=patience))
    working = asyncio.create_task(filler.run())
    filler.want(SYMBOL)

    async def is_done() -> bool:
        return done()

    await eventually(is_done, 20, lambda: f"{core.feeds[SYMBOL].tracker.state} after {history.asked}")
    working.cancel()
    host.pump()
    return host


def is_live(core: Assembler) -> Callable[[], bool]:
    return lambda: core.feeds[SYMBOL].tracker.state is Continuity.LIVE


def fresh() -> Assembler:
    return assembler(Resume(UNKNOWN_ID, -1, -1))


async def test_a_quiet_symbol_is_live_after_a_handful_of_questions() -> None:
    history = SlowHistory([trade(1, OPEN_MINUTE - 5000), trade(2, OPEN_MINUTE - 10)], NOW, seconds=0.02)
    core = fresh()
    host = await fill(core, history, is_live(core))
    assert core.feeds[SYMBOL].tracker.expected == 3
    assert host.bootstrapped == [OPEN_MINUTE]
    assert len(history.asked) <= 5, history.asked


@pytest.mark.parametrize("hours", [0, 3])
async def test_the_first_row_is_the_first_trade_since_the_open_minute_however_late_it_came(hours: int) -> None:
    """The venue may be hours ahead of our clock: a recording is told as fast as it is read."""
    later = OPEN_MINUTE + hours * HOUR_MS + 10
    history = SlowHistory([trade(7, OPEN_MINUTE - 1), trade(8, later), trade(9, later + 1)], NOW)
    core = fresh()
    host = await fill(core, history, is_live(core))
    assert ids_and_holes(host.frames) == ([8, 9], [])
    assert len(history.asked) <= 6 + hours, "one an hour, and a few to find out"


async def test_a_fresh_symbol_begins_with_the_minute_of_the_first_trade_it_heard() -> None:
    """The stream has told since then, so nothing older than that minute is owed, and nothing of it is left out."""
    heard = OPEN_MINUTE - 3 * MINUTE_MS + 500
    history = SlowHistory([trade(n, heard - 5 + n) for n in range(1, 20)], NOW)
    core = fresh()
    core.take([trade(n, heard - 5 + n) for n in range(5, 20)], 1)
    host = await fill(core, history, is_live(core))
    assert host.bootstrapped == [OPEN_MINUTE - 3 * MINUTE_MS]
    assert ids_and_holes(host.frames) == (list(range(1, 20)), [])


@pytest.mark.parametrize("comes_back", [False, True])
@pytest.mark.parametrize("question", ["time", "between", "newest", "from"])
async def test_a_fresh_symbol_that_is_removed_while_the_venue_is_asked_ends_nothing(
    question: str, comes_back: bool
) -> None:
    core, removed = fresh(), asyncio.Event()

    class Removing(SlowHistory):
        async def _answer(self, asked: str, rows: list[AggTrade]) -> list[AggTrade]:
            found = await super()._answer(asked, rows)
            if asked == question and not removed.is_set():
                core.remove(SYMBOL)
                removed.set()
                if comes_back:
                    core.add(instrument(), Resume(UNKNOWN_ID, -1, -1))
            return found

    host = Host(core)
    history = Removing([trade(1, OPEN_MINUTE - 5000), trade(2, OPEN_MINUTE - 10)], NOW)
    filler = GapFiller(host, cast(MarketData, history), VenueClock(NOW, paced=False), FillRules())
    working = asyncio.create_task(filler.run())
    filler.want(SYMBOL)
    await removed.wait()
    for _ in range(20):
        await asyncio.sleep(0)  # what the filler still does before it waits again
    assert not working.done()
    assert host.bootstrapped == ([] if question == "time" else [OPEN_MINUTE])
    assert ids_and_holes(host.frames) == ([], [])
    working.cancel()


@pytest.mark.parametrize(("positions", "priority"), [({SYMBOL}, Priority.POSITIONS), ({"OTHERUSDT"}, Priority.GAPS)])
async def test_a_symbol_with_a_position_is_asked_for_first_and_none_waits_longer_than_for_a_hole(
    positions: set[str], priority: Priority
) -> None:
    core = assembler(Resume(0, NOW, NOW))
    core.take([trade(3, NOW + 3)], 1)
    history = SlowHistory([trade(n, NOW + n) for n in range(1, 4)], NOW)
    rules = FillRules(patience_seconds=7.0, positions=lambda: frozenset(positions))
    filler = GapFiller(Host(core), cast(MarketData, history), VenueClock(NOW, paced=False), rules)
    working = asyncio.create_task(filler.run())
    filler.want(SYMBOL)

    async def done() -> bool:
        return is_live(core)()

    await eventually(done, 20, lambda: f"asked {history.asked}")
    working.cancel()
    assert set(history.turns) == {(priority, 7.0)}


async def test_what_a_fresh_symbol_owes_waits_behind_the_gaps_of_others_until_it_has_once_run() -> None:
    history = SlowHistory([trade(1, OPEN_MINUTE + 5)], NOW)
    core = fresh()
    filler = GapFiller(Host(core), cast(MarketData, history), VenueClock(NOW, paced=False), FillRules())
    working = asyncio.create_task(filler.run())

    async def live() -> bool:
        return is_live(core)()

    filler.want(SYMBOL)
    await eventually(live, 20, lambda: f"asked {history.asked}")
    assert set(history.turns) == {(Priority.WARM_UP,)}
    assert core.feeds[SYMBOL].tracker.distrust()
    filler.want(SYMBOL)
    await eventually(live, 20, lambda: f"asked {history.asked}")
    assert history.turns[-1] == (Priority.GAPS, 60.0)
    working.cancel()


async def _with_a_false_id(told: Sequence[Trade], false_id: int) -> tuple[Assembler, Host]:
    core = assembler(Resume(0, NOW, NOW))
    core.take([*told, trade(false_id, NOW + 50)], 1)
    history = SlowHistory(list(told), NOW)
    host = await fill(core, history, is_live(core), patience=0.3)
    return core, host


async def test_an_id_that_the_venue_does_not_know_becomes_no_hole() -> None:
    core, host = await _with_a_false_id([trade(n, NOW + n) for n in range(1, 6)], 90_000)
    core.take([trade(6, NOW + 60), trade(7, NOW + 61)], 2)
    host.pump()
    assert ids_and_holes(host.frames) == ([1, 2, 3, 4, 5, 6, 7], [])
    assert core.counts.missing == {}


def test_a_later_lower_id_ends_the_belief_in_a_false_one() -> None:
    core = assembler(Resume(0, NOW, NOW))
    tracker = core.feeds[SYMBOL].tracker
    core.take([trade(1, NOW + 1), trade(90_000, NOW + 2), trade(3, NOW + 3), trade(4, NOW + 4)], 1)
    assert tracker.first_held is not None
    assert (tracker.first_held.agg_id, tracker.held, tracker.disbelieved) == (3, 2, 1)
    core.take([trade(3, NOW + 3), trade(4, NOW + 4)], 1)
    assert (tracker.held, tracker.duplicates) == (2, 2), "copies are copies"
    core.fill(SYMBOL, [trade(2, NOW + 2)], Told(False, 0), 2)
    core.flush()
    assert ids_and_holes(core.drain()) == ([1, 2, 3, 4], [])


def test_an_id_beyond_all_that_a_venue_trades_is_not_held_at_all() -> None:
    core = assembler(Resume(0, NOW, NOW))
    core.take([trade(1, NOW + 1), trade(2**61, NOW + 2)], 1)
    assert core.feeds[SYMBOL].tracker.held == 0
    core.fill(SYMBOL, [trade(2**61, NOW + 2)], Told(True, 0), 2)
    core.flush()
    assert ids_and_holes(core.drain()) == ([1], [])


def test_an_answer_with_a_time_that_cannot_be_true_takes_nothing_from_the_stream() -> None:
    core = assembler(Resume(0, NOW, NOW))
    core.take([trade(n, NOW + n) for n in (1, 5, 6, 7)], 1)
    nonsense = [trade(n, 2**63 - 1) for n in range(2, 8)]
    core.fill(SYMBOL, [trade(2, NOW + 2), *nonsense[1:]], Told(True, 0), 2)
    core.flush()
    assert ids_and_holes(core.drain()) == ([1, 2], []), "what comes before the first false row is believed"
    assert core.feeds[SYMBOL].tracker.state is Continuity.FILLING
    core.fill(SYMBOL, [trade(n, NOW + n) for n in range(3, 8)], Told(True, 0), 3)
    core.flush()
    assert ids_and_holes(core.drain()) == ([3, 4, 5, 6, 7], []), "and the next answer mends it"
    assert core.feeds[SYMBOL].tracker.state is Continuity.LIVE


async def test_what_rest_only_tells_with_false_times_is_one_hole_when_patience_ends() -> None:
    core = assembler(Resume(0, NOW, NOW))
    core.take([trade(n, NOW + n) for n in (1, 5, 6)], 1)
    nonsense = [trade(n, 2**63 - 1) for n in (2, 3, 4)]
    history = SlowHistory([*nonsense, trade(5, NOW + 5), trade(6, NOW + 6)], NOW + 9)
    host = await fill(core, history, lambda: core.feeds[SYMBOL].tracker.expected == 7, patience=0.5)
    assert ids_and_holes(host.frames) == ([1, 5, 6], [(2, 4)])
    assert [hole.cause for frame in host.frames for hole in frame.holes] == ["not_believed"]


async def test_nothing_of_a_removed_symbol_stays_in_memory_however_its_last_question_ended() -> None:
    core = fresh()

    class Cut(Host):
        def connected(self, symbol: str) -> bool:
            return False

    history = SlowHistory([trade(1, OPEN_MINUTE + 5)], NOW)
    filler = GapFiller(Cut(core), cast(MarketData, history), VenueClock(NOW, paced=False), FillRules())
    working = asyncio.create_task(filler.run())
    feed = core.feeds[SYMBOL]
    filler.want(SYMBOL)

    async def left_undone() -> bool:
        return feed.tracker.expected != UNKNOWN_ID and feed not in filler._waiting

    await eventually(left_undone, 20, lambda: f"asked {history.asked}")
    core.remove(SYMBOL)
    filler.forget(feed)
    assert feed not in {*filler._since, *filler._fresh}
    working.cancel()
