"""Files of the exchange's public archive as they were downloaded: csv, gz or zip, by day or month, checksums honoured."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from libs.contracts.timeline import PlacedEvent, PlacedHole
from libs.indicators.log import TradeRows
from libs.kit.durations import DAY_MS
from libs.store.archives import Archive, check_digest, digest_of, find_archives, line_blocks, opened, period_of
from libs.store.bar_lines import funding_parser
from libs.store.copy_format import SymbolTrades
from libs.store.trade_lines import ParsedBlock, TradeParser
from services.backtester.result import View
from services.backtester.sources import Settlement, Span, Stored, empty_days
from services.backtester.sources.merging import each


@dataclass(slots=True)
class ArchiveSource:
    """Files, or folders of them. Each part of time is read twice: to see what it has and in which decimals, and to replay it."""

    paths: Sequence[Path]
    keep_going: bool = False
    _archives: list[Archive] = field(default_factory=list)
    _decimals: dict[tuple[str, Span], tuple[int, int]] = field(default_factory=dict)

    @property
    def description(self) -> str:
        return f"archive files of {', '.join(str(path) for path in self.paths)}"

    @property
    def view(self) -> View:
        return "repaired"

    @property
    def has_mark_prices(self) -> bool:
        return False

    async def symbols(self) -> list[str]:
        return sorted({archive.symbol for archive in self._files("trades")})

    async def stored(self, symbol: str, span: Span) -> Stored | None:
        for archive in self._trades_of(symbol, span):
            await asyncio.to_thread(check_digest, archive.path, digest_of(archive.path))
        return await self._counted(symbol, span)

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]:
        return ()

    async def trades(self, symbol: str, span: Span) -> AsyncIterator[TradeRows]:
        price, quantity = await self._scale(symbol, span)
        newest = -1
        async for trades in self._blocks(symbol, span):
            time = np.maximum(np.maximum.accumulate(trades.trade_time), newest)
            newest = int(time[-1])
            yield TradeRows(
                symbol=symbol,
                price_decimals=price,
                quantity_decimals=quantity,
                agg_id=trades.agg_id,
                time=time,
                price=trades.price * 10 ** (price - trades.price_decimals),
                quantity=trades.quantity * 10 ** (quantity - trades.quantity_decimals),
                buyer_is_maker=trades.buyer_is_maker,
            )

    async def holes(self, symbol: str, span: Span) -> Sequence[PlacedHole] | None:
        return None

    async def events(self, symbol: str, span: Span) -> AsyncIterator[PlacedEvent]:
        async for event in each(()):
            yield event

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]:
        found: dict[int, Settlement] = {}
        for archive in self._files("funding", symbol):
            parser = funding_parser(archive.path, keep_going=self.keep_going)
            with opened(archive.path) as stream:
                for block in parser.parse_all(line_blocks(stream.file)):
                    for row in block.rows:
                        if span.start_ms <= row.funding_time_ms < span.end_ms:
                            found[row.funding_time_ms] = Settlement(row.funding_time_ms, row.funding_rate, None)
        return [found[time_ms] for time_ms in sorted(found)]

    def _files(self, kind: str, symbol: str | None = None) -> list[Archive]:
        if not self._archives:
            self._archives = find_archives(list(self.paths)).archives
        return [item for item in self._archives if item.kind == kind and symbol in (None, item.symbol)]

    def _trades_of(self, symbol: str, span: Span) -> list[Archive]:
        """The files that may have trades of the span: those of other days by their names, and a day beside, are not opened."""
        first, last = span.start_ms // DAY_MS - 1, span.end_ms // DAY_MS + 1
        periods = [(archive, period_of(archive.path)) for archive in self._files("trades", symbol)]
        return [
            one
            for one, days in periods
            if days is None or (_number(days.first) <= last and first < _number(days.after))
        ]

    async def _counted(self, symbol: str, span: Span) -> Stored | None:
        """What the span has; its decimals are kept."""
        rows, first, last, known, days, price, quantity = 0, -1, -1, list[int](), set[int](), 0, 0
        async for trades in self._blocks(symbol, span):
            first = int(trades.agg_id[0]) if first < 0 else first
            last, rows = int(trades.agg_id[-1]), rows + len(trades)
            known += [int(trades.trade_time.min()), int(trades.trade_time.max()) + 1]
            days.update(np.unique(trades.trade_time // DAY_MS).tolist())
            price, quantity = max(price, trades.price_decimals), max(quantity, trades.quantity_decimals)
        self._decimals[symbol, span] = price, quantity
        if not rows:
            return None
        dates = [np.datetime64(day, "D").item() for day in sorted(days)]
        lacking = last - first + 1 - rows
        return Stored(symbol, rows, lacking, empty_days(span, dates), span, Span(min(known), max(known)))

    async def _scale(self, symbol: str, span: Span) -> tuple[int, int]:
        """Decimals that hold every value of the span: what was not counted yet is now, so that all pages have one scale."""
        from_ms = span.start_ms
        for known in sorted((one for name, one in self._decimals if name == symbol), key=lambda one: one.start_ms):
            if from_ms < known.start_ms < span.end_ms:
                await self._counted(symbol, Span(from_ms, known.start_ms))
            from_ms = max(from_ms, known.end_ms)
        if from_ms < span.end_ms:
            await self._counted(symbol, Span(from_ms, span.end_ms))
        scales = [scale for (name, _), scale in self._decimals.items() if name == symbol]
        return max(price for price, _ in scales), max(quantity for _, quantity in scales)

    async def _blocks(self, symbol: str, span: Span) -> AsyncIterator[SymbolTrades]:
        """The rows in the span with ids above all before: of a day that its month has, too, which comes first, none."""
        newest_id = -1
        for archive in self._trades_of(symbol, span):
            with opened(archive.path) as stream:
                parser = TradeParser(archive.path, symbol, keep_going=self.keep_going)
                with closing(parser.parse_all(line_blocks(stream.file))) as blocks:
                    while (block := await asyncio.to_thread(_next, blocks)) is not None:
                        trades = block.trades
                        inside = (trades.trade_time >= span.start_ms) & (trades.trade_time < span.end_ms)
                        chosen = trades.select(inside & (trades.agg_id > newest_id))
                        if len(chosen):
                            newest_id = int(chosen.agg_id[-1])
                            yield chosen


def _number(day: dt.date) -> int:
    """Days since the epoch."""
    return day.toordinal() - dt.date(1970, 1, 1).toordinal()


def _next(blocks: Iterator[ParsedBlock]) -> ParsedBlock | None:
    return next(blocks, None)
