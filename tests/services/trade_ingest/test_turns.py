"""Many symbols ask the filler at once: none waits behind one that is refused or far behind, and none waits for ever."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from libs.exchanges import AggTrade, MarketData
from libs.exchanges.errors import VenueError
from libs.kit.clock import VenueClock
from services.trade_ingest.assembler import Assembler, AssemblerOptions, Resume
from services.trade_ingest.continuity import UNKNOWN_ID, Continuity
from services.trade_ingest.frame_builder import Origin
from services.trade_ingest.gapfill import PAGES, FillRules, GapFiller
from tests.fakes.histories import SlowHistory
from tests.fakes.instruments import instrument
from tests.services.processes import eventually
from tests.services.trade_ingest.test_assembler import SYMBOL, assembler, ids_and_holes, trade
from tests.services.trade_ingest.test_gapfill import NOW, Host

GONE = tuple(f"GONE{number}USDT" for number in range(6))


@dataclass
class Refusing(SlowHistory):
    """Refuses the symbols in `gone`, as the venue does after a delisting; each of the others has ids up to `newest`."""

    gone: Sequence[str] = GONE
    newest: int = 3
    symbols: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)

    async def agg_trades_from(self, symbol: str, agg_id: int, limit: int = 1000) -> Sequence[AggTrade]:
        self._ask(symbol)
        await asyncio.sleep(self.seconds)
        return [trade(n, NOW + n, symbol) for n in range(agg_id, min(agg_id + limit, self.newest + 1))]

    async def agg_trades_between(self, symbol: str, start: int, end: int, limit: int = 1000) -> Sequence[AggTrade]:
        self._ask(symbol)
        return await super().agg_trades_between(symbol, start, end, limit)

    def _ask(self, symbol: str) -> None:
        self.symbols[symbol] += 1
        self.order.append(symbol)
        if symbol in self.gone:
            raise VenueError("400 -1121 Invalid symbol.", status=400, code=-1121)


@contextlib.asynccontextmanager
async def working(core: Assembler, history: SlowHistory, rules: FillRules) -> AsyncIterator[tuple[GapFiller, Host]]:
    host = Host(core)
    filler = GapFiller(host, cast(MarketData, history), VenueClock(NOW, paced=False), rules)
    task = asyncio.create_task(filler.run())
    try:
        yield filler, host
    finally:
        task.cancel()


async def become(true: Callable[[], bool], what: str) -> None:
    async def is_true() -> bool:
        return true()

    await eventually(is_true, 20, lambda: what)


def is_live(core: Assembler, symbol: str = SYMBOL) -> Callable[[], bool]:
    return lambda: core.feeds[symbol].tracker.state is Continuity.LIVE


async def test_symbols_that_the_venue_always_refuses_hold_no_worker_and_are_asked_for_ever_less_often() -> None:
    core = assembler(Resume(0, NOW, NOW), symbols=(*GONE, SYMBOL))
    core.take([trade(3, NOW + 3)], 1)
    history = Refusing([], NOW)
    async with working(core, history, FillRules()) as (filler, host):
        for symbol in GONE:
            filler.want(symbol)
        await become(lambda: all(history.symbols[symbol] for symbol in GONE), "each is asked for")
        filler.want(SYMBOL)
        await become(is_live(core), "the gap of the other symbol is filled")
        assert ids_and_holes(host.frames) == ([1, 2, 3], [])
        attempt = filler._since[core.feeds[GONE[0]]]
        waits = [attempt.failed("refused", refused=True) for _ in range(8)]
        assert waits[-1] >= 120


async def test_a_gap_of_a_position_waits_for_no_long_history_of_another_symbol() -> None:
    big = tuple(f"BIG{number}USDT" for number in range(8))
    core = assembler(Resume(0, NOW, NOW), rows_per_frame=250, symbols=(*big, SYMBOL))
    core.take([trade(3, NOW + 3)], 1)
    history = Refusing([], NOW, seconds=0.02, newest=1_000_000)
    positions = frozenset({SYMBOL})
    async with working(core, history, FillRules(positions=lambda: positions)) as (filler, _):
        for symbol in big:
            filler.want(symbol)
        await become(lambda: history.symbols.total() >= 4, "the first histories are asked for")
        before = len(history.order)
        filler.want(SYMBOL)
        await become(lambda: history.symbols[SYMBOL] > 0, "the position's symbol is asked for")
        assert history.order.index(SYMBOL) - before <= 10
        await become(
            lambda: all(history.symbols[symbol] for symbol in big), "each history has its turn before one ends"
        )
        assert all(core.feeds[symbol].tracker.expected < history.newest for symbol in big)


async def test_a_gap_is_asked_for_while_fresh_symbols_wait_for_weight() -> None:
    news = tuple(f"NEW{number}USDT" for number in range(8))
    core = Assembler(
        [instrument(name) for name in (*news, SYMBOL)],
        {name: Resume(UNKNOWN_ID, -1, -1) for name in news} | {SYMBOL: Resume(0, NOW, NOW)},
        Origin("test", 3),
        AssemblerOptions(market_partitions=1, rows_per_frame=250, held_limit=20),
    )
    core.take([trade(3, NOW + 3)], 1)

    class Spent(Refusing):
        """Each fresh symbol has one turn (a look for its first id, and its pages); then nothing is left for warm-up."""

        async def agg_trades_from(self, symbol: str, agg_id: int, limit: int = 1000) -> Sequence[AggTrade]:
            rows = await super().agg_trades_from(symbol, agg_id, limit)
            if symbol in news and self.symbols[symbol] > PAGES + 1:
                await asyncio.Event().wait()
            return rows

    history = Spent([trade(1, NOW)], NOW, newest=1_000_000)
    async with working(core, history, FillRules(patience_seconds=2.0)) as (filler, host):
        for symbol in news:
            filler.want(symbol)
        await become(lambda: sum(history.symbols[name] > PAGES + 1 for name in news) >= 4, "the first turns are over")
        history.newest = 3
        filler.want(SYMBOL)
        await become(is_live(core), "the gap is filled")
        assert [hole for frame in host.frames for hole in frame.holes] == []


async def test_a_gap_that_has_no_turn_within_our_patience_is_a_hole_and_the_symbol_goes_on() -> None:
    others = tuple(f"HANGS{number}USDT" for number in range(4))
    core = assembler(Resume(0, NOW, NOW), symbols=(*others, SYMBOL))
    core.take([trade(3, NOW + 3)], 1)
    core.take([trade(3, NOW + 3, symbol) for symbol in others], 1)

    class Hanging(Refusing):
        async def agg_trades_from(self, symbol: str, agg_id: int, limit: int = 1000) -> Sequence[AggTrade]:
            self._ask(symbol)
            await asyncio.Event().wait()
            return ()

    history = Hanging([trade(3, NOW + 3)], NOW)
    async with working(core, history, FillRules(patience_seconds=0.4)) as (filler, host):
        for symbol in (*others, SYMBOL):
            filler.want(symbol)
        await become(is_live(core), "the symbol goes on")
        assert history.symbols[SYMBOL] == 0
        assert [(hole.symbol, hole.cause) for frame in host.frames for hole in frame.holes] == [(SYMBOL, "not_asked")]


async def test_what_happened_while_the_stream_was_cut_costs_no_patience() -> None:
    core = assembler(Resume(0, NOW, NOW))
    core.take([trade(3, NOW + 3)], 1)
    history = Refusing([trade(3, NOW + 3)], NOW, gone=(SYMBOL,))

    class Cut(Host):
        is_open = True

        def connected(self, symbol: str) -> bool:
            return self.is_open

    host = Cut(core)
    filler = GapFiller(host, cast(MarketData, history), VenueClock(NOW, paced=False), FillRules(patience_seconds=2.0))
    task = asyncio.create_task(filler.run())
    feed = core.feeds[SYMBOL]
    filler.want(SYMBOL)
    await become(lambda: history.symbols[SYMBOL] > 0, "it is asked for")
    host.is_open = False
    await become(lambda: feed not in filler._waiting, "nobody waits for it while its stream is cut")
    filler._since[feed].waited = 1.5  # of the two seconds
    host.is_open, history.gone = True, ()
    filler.want(SYMBOL)
    await become(is_live(core), "it is filled")
    assert ids_and_holes(host.frames) == ([1, 2, 3], [])
    task.cancel()


async def test_a_removed_symbol_that_waits_for_its_next_turn_is_forgotten() -> None:
    core = assembler(Resume(0, NOW, NOW))
    history = Refusing([], NOW, gone=(SYMBOL,))
    async with working(core, history, FillRules()) as (filler, _):
        feed = core.feeds[SYMBOL]
        filler.want(SYMBOL)
        await become(lambda: feed in filler._since and filler._since[feed].timer is not None, "it waits for a turn")
        core.remove(SYMBOL)
        filler.forget(feed)
        assert feed not in {*filler._waiting, *filler._since, *filler._fresh}


async def test_pages_without_rows_prove_nothing_about_ids_that_the_stream_has_gone_past() -> None:
    core = assembler(Resume(0, NOW, NOW))
    core.take([trade(n, NOW + n) for n in (1, 8)], 1)

    class Truncated(SlowHistory):
        async def agg_trades_from(self, symbol: str, agg_id: int, limit: int = 1000) -> Sequence[AggTrade]:
            return await self._answer("from", [])

    history = Truncated([trade(n, NOW + n) for n in range(1, 9)], NOW)
    async with working(core, history, FillRules(patience_seconds=0.4)) as (filler, host):
        filler.want(SYMBOL)
        await become(is_live(core), "the symbol goes on")
        host.pump()
        assert ids_and_holes(host.frames) == ([1, 8], [(2, 7)])
        assert [hole.cause for frame in host.frames for hole in frame.holes] == ["not_answered"]
        assert (core.counts.missing, core.counts.never_existed) == ({SYMBOL: 6}, {})
