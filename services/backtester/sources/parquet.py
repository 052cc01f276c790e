"""Folders that `perpstream data export` has written: `trades/symbol=BTCUSDT/day=2024-08-08/trades.parquet` and beside."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from libs.contracts.timeline import PlacedEvent, PlacedHole
from libs.indicators.log import TradeRows
from libs.store.exported import FileName, symbol_folder
from services.backtester.result import View
from services.backtester.sources import Settlement, Span, Stored, empty_days, slow_files
from services.backtester.sources.exported_files import day_of
from services.backtester.sources.merging import each
from services.backtester.sources.trade_files import Scale, pages, scale_of, seen_between
from services.backtester.sources.unreadable import unordered


@dataclass(frozen=True, slots=True)
class ParquetSource:
    """Ids that are missing between rows are holes. Liquidations are taken as received throughout where a day has their file."""

    folder: Path
    _scales: dict[tuple[str, Span], Scale] = field(default_factory=dict)

    @property
    def description(self) -> str:
        return f"Parquet files of {self.folder}"

    @property
    def view(self) -> View:
        return "repaired"

    @property
    def has_mark_prices(self) -> bool:
        return True

    async def symbols(self) -> list[str]:
        found = (self.folder / "trades").glob("symbol=*")
        return sorted(path.name.removeprefix("symbol=") for path in found)

    async def stored(self, symbol: str, span: Span) -> Stored | None:
        rows, last, firsts, known, days = 0, -1, list[int](), list[int](), []
        for path in self._files("trades", symbol, span):
            ids, times = seen_between(path, span)
            if not len(ids):
                continue
            if int(ids[0]) <= last:
                raise unordered(path)
            firsts.append(int(ids[0]))
            last, rows, known = int(ids[-1]), rows + len(ids), [*known, int(times[0]), int(times[-1]) + 1]
            days.append(day_of(path))
        if not firsts:
            return None
        missing = last - firsts[0] + 1 - rows
        return Stored(symbol, rows, missing, empty_days(span, days), span, Span(min(known), max(known)))

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]:
        return ()

    async def trades(self, symbol: str, span: Span) -> AsyncIterator[TradeRows]:
        newest, last_id = -1, -1
        async with aclosing(pages(symbol, self._files("trades", symbol, span), self._scale(symbol, span))) as groups:
            async for path, page in groups:
                if not len(page):
                    continue
                if int(page.agg_id[0]) <= last_id:
                    raise unordered(path)
                if page.time[0] < newest:
                    np.maximum(page.time, newest, out=page.time)
                newest, last_id = int(page.time[-1]), int(page.agg_id[-1])
                inside = page.rows(page.before(span.start_ms), page.before(span.end_ms))
                if len(inside):
                    yield inside

    async def holes(self, symbol: str, span: Span) -> Sequence[PlacedHole] | None:
        return None

    async def events(self, symbol: str, span: Span) -> AsyncIterator[PlacedEvent]:
        found: list[PlacedEvent] = []
        for path in self._files("indicators", symbol, span):
            found += slow_files.indicators(path, symbol)
        for path in self._files("mark_prices", symbol, span):
            found += slow_files.mark_prices(path, symbol)
        for path in self._files("liquidations", symbol, span):
            found += slow_files.liquidations(path, symbol)
        found.sort(key=lambda item: item.effective_at_ms)
        async for event in each(found):
            yield event

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]:
        # What was imported knows no mark price; of two rows of one settlement the later in this list counts.
        found: list[Settlement] = []
        for path in self._files("funding", symbol, span):
            found += slow_files.imported_rates(path)
        for path in self._files("indicators", symbol, span):
            found += slow_files.observed_rates(path)
        found = [item for item in found if span.start_ms <= item.time_ms < span.end_ms]
        return sorted(found, key=lambda item: item.time_ms)

    def _scale(self, symbol: str, span: Span) -> Scale:
        """The fewest decimals that hold every value of the symbol's files: one scale for all pages."""
        known = self._scales.get((symbol, span))
        if known is None:
            scales = [scale_of(path) for path in self._files("trades", symbol, span)] or [Scale(0, 0)]
            known = self._scales[symbol, span] = Scale(*map(max, zip(*scales, strict=True)))
        return known

    def _files(self, name: FileName, symbol: str, span: Span) -> list[Path]:
        """The days' files that the span touches, oldest first."""
        first = dt.datetime.fromtimestamp(span.start_ms / 1000, dt.UTC).date()
        last = dt.datetime.fromtimestamp((span.end_ms - 1) / 1000, dt.UTC).date()
        folders = sorted(symbol_folder(self.folder, name, symbol).glob("day=*"))
        paths = (folder / f"{name}.parquet" for folder in folders)
        return [path for path in paths if first <= day_of(path) <= last]
