"""Missing trades looked for again, at the venue or in archive files, and written into the tables; the timeline stays."""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from libs.contracts.frames import Int64
from libs.contracts.plausible import LATEST_MS
from libs.exchanges import AggTrade, MarketData
from libs.exchanges.decimals import scaled
from libs.exchanges.errors import VenueError
from libs.kit.clock import Clock
from libs.store.archives import Archive, Stream, line_blocks, opened
from libs.store.copy_format import SymbolTrades
from libs.store.engine import Engine, write_session
from libs.store.instants import instant
from libs.store.partitions import create_partitions, months_between
from libs.store.repair import RepairedGap, SearchedGap, close_gap
from libs.store.trade_lines import ParsedBlock, TradeParser
from libs.store.trades import write_trades
from libs.store.verification import Gap

_PAGE = 1000


class Found(NamedTuple):
    """Consecutive trades of one unbroken reading: one file, or one question after the other. Neighbours of gaps included."""

    reading: str
    trades: SymbolTrades


class TradeSource(Protocol):
    """Where missing trades may be."""

    def search(self, symbol: str, gaps: Sequence[Gap]) -> AsyncIterator[Found]:
        """What there is around and inside the gaps."""
        ...


@dataclass(slots=True)
class VenueTrades:
    """The venue's REST answers, as long as it keeps them; each thousand ids cost 20 of the request budget.

    `refusals` lists what could not be asked, in words.
    """

    market_data: MarketData
    refusals: list[str] = field(default_factory=list)

    async def search(self, symbol: str, gaps: Sequence[Gap]) -> AsyncIterator[Found]:
        """From the id before each gap to the one after it."""
        for gap in gaps:
            following = gap.first_id - 1
            while following <= gap.last_id + 1:
                try:
                    page = await self.market_data.agg_trades_from(symbol, following, _PAGE)
                except VenueError as error:
                    self.refusals.append(f"ids from {following}: {error}")
                    break
                if not page or page[-1].agg_id < following:
                    break
                yield Found(f"gap {gap.first_id}", trades_of(symbol, page))
                following = page[-1].agg_id + 1


@dataclass(frozen=True, slots=True)
class ArchivedTrades:
    """Archive files, each read once from beginning to end; nothing at `newest_ms` or later is believed. Raises `BrokenFile`."""

    archives: Sequence[Archive]
    newest_ms: int = LATEST_MS

    async def search(self, symbol: str, gaps: Sequence[Gap]) -> AsyncIterator[Found]:
        """Every block of the symbol's files that holds ids of a gap or beside one."""
        spans = [(gap.first_id - 1, gap.last_id + 1) for gap in gaps]
        for archive in self.archives:
            if archive.symbol != symbol or archive.kind != "trades":
                continue
            with opened(archive.path) as stream, closing(self._parsed(archive, stream)) as blocks:
                while (block := await asyncio.to_thread(_next, blocks)) is not None:
                    ids = block.trades.agg_id
                    if len(ids) and any(ids[0] <= last and ids[-1] >= first for first, last in spans):
                        yield Found(str(archive.path), block.trades)

    def _parsed(self, archive: Archive, stream: Stream) -> Generator[ParsedBlock, None, None]:
        parser = TradeParser(archive.path, archive.symbol, newest_ms=self.newest_ms)
        return parser.parse_all(line_blocks(stream.file))


def _next(blocks: Iterator[ParsedBlock]) -> ParsedBlock | None:
    return next(blocks, None)


@dataclass(slots=True)
class _Seen:
    before: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)


async def repair(
    engine: Engine, source: TradeSource, symbol: str, gaps: Sequence[Gap], clock: Clock
) -> list[RepairedGap]:
    """Look for the missing ids, write those that are found, and close the gaps, oldest first. `gaps` rise and do not overlap.

    Ids between two neighbours that one reading has, and that it does not have, never existed.
    """
    if not gaps:
        return []
    firsts = np.array([gap.first_id for gap in gaps], np.int64)
    lasts = np.array([gap.last_id for gap in gaps], np.int64)
    seen = [_Seen() for _ in gaps]
    async for reading, trades in source.search(symbol, gaps):
        ids = trades.agg_id
        for number in np.flatnonzero(np.isin(firsts - 1, ids)):
            seen[int(number)].before.add(reading)
        for number in np.flatnonzero(np.isin(lasts + 1, ids)):
            seen[int(number)].after.add(reading)
        place = np.searchsorted(firsts, ids, side="right") - 1
        inside = (place >= 0) & (ids <= lasts[place])
        if inside.any():
            await _write(engine, trades.select(inside))
    ended = []
    for gap, witness in zip(gaps, seen, strict=True):
        proven = bool(witness.before & witness.after)
        searched = SearchedGap(symbol, gap.first_id, gap.last_id, gap.after, gap.before, proven)
        async with write_session(engine) as session:
            ended.append(await close_gap(session, searched, instant(clock.now_ms())))
    return ended


async def _write(engine: Engine, trades: SymbolTrades) -> None:
    first, last = int(trades.trade_time.min()), int(trades.trade_time.max())
    async with write_session(engine) as session:
        await create_partitions(session, months_between(first, last))
    async with write_session(engine) as session:
        await write_trades(session, [trades])


def trades_of(symbol: str, page: Sequence[AggTrade]) -> SymbolTrades:
    """A REST answer as columns, in the finest scale of its texts. Raises `BadMessage` for what is no number."""
    prices, quantities = [trade.price for trade in page], [trade.quantity for trade in page]
    decimals = [max(len(text.partition(".")[2]) for text in texts) for texts in (prices, quantities)]

    def column(values: Sequence[int]) -> Int64:
        return np.array(values, np.int64)

    times = column([trade.trade_time for trade in page])
    return SymbolTrades(
        symbol=symbol,
        price_decimals=decimals[0],
        quantity_decimals=decimals[1],
        agg_id=column([trade.agg_id for trade in page]),
        price=column([scaled(text, decimals[0]) for text in prices]),
        quantity=column([scaled(text, decimals[1]) for text in quantities]),
        first_trade_id=column([trade.first_trade_id for trade in page]),
        last_trade_id=column([trade.last_trade_id for trade in page]),
        trade_time=times,
        time=times,
        buyer_is_maker=np.array([trade.buyer_is_maker for trade in page], np.uint8),
    )
