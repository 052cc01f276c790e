"""The recorder's tables: as the live engine saw the market, or with everything that repairs have brought since."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import numpy as np

from libs.contracts.timeline import PlacedEvent, PlacedHole
from libs.indicators.log import TradeRows
from libs.store.copy_format import SymbolTrades
from libs.store.engine import Engine
from libs.store.instants import instant, milliseconds
from libs.store.reading import stored_span, trade_pages, traded_symbols
from libs.store.replay import (
    ReplaySpan,
    activations,
    first_rows,
    placed_holes,
    placed_rows,
    settled_funding,
    stored_days,
)
from services.backtester.result import View
from services.backtester.sources import Settlement, Span, Stored, empty_days

# History that was fetched at the start describes instants before it: open interest counts over half an hour.
_EARLIER = dt.timedelta(hours=12)
_WINDOW = dt.timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class PostgresSource:
    """`as-seen` leaves out what the timeline has as a hole, although a repair may have brought it."""

    engine: Engine
    view: View

    @property
    def description(self) -> str:
        return "PostgreSQL"

    @property
    def has_mark_prices(self) -> bool:
        return True

    async def symbols(self) -> list[str]:
        return await traded_symbols(self.engine)

    async def stored(self, symbol: str, span: Span) -> Stored | None:
        start, stop = instant(span.start_ms), instant(span.end_ms)
        seen = await stored_days(self.engine, ReplaySpan(symbol, start, stop), self.view)
        if seen.known is None:
            return None
        known = Span(milliseconds(seen.known[0]), milliseconds(seen.known[1]) + 1)
        return Stored(symbol, seen.rows, seen.missing, empty_days(span, seen.days), span, known)

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]:
        return await activations(self.engine, symbol)

    async def trades(self, symbol: str, span: Span) -> AsyncIterator[TradeRows]:
        rows = await stored_span(self.engine, symbol, instant(span.start_ms), instant(span.end_ms))
        if rows is None:
            return
        holes = await self.holes(symbol, span) or ()
        newest = -1
        async for page in trade_pages(self.engine, rows):
            seen = page.select(_outside(page, holes)) if holes else page
            if not len(seen):
                continue
            # A trade that is earlier than what was proven counts later, whoever brought it.
            time = np.maximum(np.maximum.accumulate(seen.time), newest)
            newest = int(time[-1])
            yield trade_rows(seen, time)

    async def holes(self, symbol: str, span: Span) -> Sequence[PlacedHole] | None:
        if self.view == "repaired":
            return None
        return await placed_holes(self.engine, ReplaySpan(symbol, instant(span.start_ms), instant(span.end_ms)))

    async def events(self, symbol: str, span: Span) -> AsyncIterator[PlacedEvent]:
        begin, end = instant(span.start_ms) - _EARLIER, instant(span.end_ms)
        if self.view == "as-seen":
            for event in await first_rows(self.engine, ReplaySpan(symbol, begin, end)):
                yield event
        # No session is open while events are looked at: there may be hundreds of symbols.
        while begin < end:
            for event in await placed_rows(self.engine, ReplaySpan(symbol, begin, begin + _WINDOW), self.view):
                yield event
            begin += _WINDOW

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]:
        asked = ReplaySpan(symbol, instant(span.start_ms), instant(span.end_ms))
        return [Settlement(*row) for row in await settled_funding(self.engine, asked)]


def trade_rows(trades: SymbolTrades, time: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> TradeRows:
    """Stored rows as the engine takes them, with these effective times (ms)."""
    return TradeRows(
        symbol=trades.symbol,
        price_decimals=trades.price_decimals,
        quantity_decimals=trades.quantity_decimals,
        agg_id=trades.agg_id,
        time=time,
        price=trades.price,
        quantity=trades.quantity,
        buyer_is_maker=trades.buyer_is_maker,
    )


def _outside(page: SymbolTrades, holes: Sequence[PlacedHole]) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which rows lie in no hole."""
    firsts = np.array([placed.hole.first_missing_id for placed in holes], np.int64)
    lasts = np.array([placed.hole.last_missing_id for placed in holes], np.int64)
    before = np.searchsorted(firsts, page.agg_id, side="right") - 1
    inside = (before >= 0) & (page.agg_id <= lasts[np.maximum(before, 0)])
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]] = ~inside
    return chosen
