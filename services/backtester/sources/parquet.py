"""Folders that `perpstream data export` has written: `trades/symbol=BTCUSDT/day=2024-08-08/trades.parquet` and beside."""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from libs.contracts.identity import rate_id
from libs.contracts.market import LiquidationObserved, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.timeline import PlacedEvent, PlacedHole
from libs.indicators.log import TradeRows
from services.backtester.result import View
from services.backtester.sources import Settlement, Span, Stored, empty_days
from services.backtester.sources.assumed import known_from, liquidations_received
from services.backtester.sources.merging import each
from services.backtester.sources.trade_files import Scale, pages, scale_of, seen_between
from services.backtester.sources.unreadable import AGAIN, UnreadableFile, unordered, unreadable

_MARK_COLUMNS = (
    "event_time",
    "mark_price",
    "index_price",
    "estimated_settle_price",
    "mark_price_average",
    "funding_rate",
    "next_funding_time",
)
_FUNDING_COLUMNS = ("funding_time", "funding_rate")


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
            days.append(_day_of(path))
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
            found += _events(path, symbol, _read(path, None).to_pylist(), _indicator)
        for path in self._files("mark_prices", symbol, span):
            found += _events(path, symbol, _rows_of(path, _MARK_COLUMNS), _mark_price)
        for path in self._files("liquidations", symbol, span):
            start_ms = int(dt.datetime.combine(_day_of(path), dt.time(), dt.UTC).timestamp() * 1000)
            found.append(
                PlacedEvent(
                    known_from(start_ms), liquidations_received(symbol, start_ms, "the day has a file of liquidations")
                )
            )
            found += [_liquidation(symbol, row) for row in _read(path, None).to_pylist()]
        found.sort(key=lambda item: item.effective_at_ms)
        async for event in each(found):
            yield event

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]:
        # What was imported knows no mark price; of two rows of one settlement the later in this list counts.
        found: list[Settlement] = []
        for path in self._files("funding", symbol, span):
            found += _settled(path, _rows_of(path, _FUNDING_COLUMNS), _imported)
        for path in self._files("indicators", symbol, span):
            rows = (row for row in _read(path, None).to_pylist() if row["kind"] == "funding_rate")
            found += _settled(path, rows, _observed)
        found = [item for item in found if span.start_ms <= item.time_ms < span.end_ms]
        return sorted(found, key=lambda item: item.time_ms)

    def _scale(self, symbol: str, span: Span) -> Scale:
        """The fewest decimals that hold every value of the symbol's files: one scale for all pages."""
        known = self._scales.get((symbol, span))
        if known is None:
            scales = [scale_of(path) for path in self._files("trades", symbol, span)] or [Scale(0, 0)]
            known = self._scales[symbol, span] = Scale(*map(max, zip(*scales, strict=True)))
        return known

    def _files(self, name: str, symbol: str, span: Span) -> list[Path]:
        """The days' files that the span touches, oldest first."""
        first = dt.datetime.fromtimestamp(span.start_ms / 1000, dt.UTC).date()
        last = dt.datetime.fromtimestamp((span.end_ms - 1) / 1000, dt.UTC).date()
        folders = sorted((self.folder / name / f"symbol={symbol}").glob("day=*"))
        paths = (folder / f"{name}.parquet" for folder in folders)
        return [path for path in paths if first <= _day_of(path) <= last]


def _day_of(path: Path) -> dt.date:
    text = path.parent.name.removeprefix("day=")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UnreadableFile(
            f"{text!r} is no day", where=str(path.parent), todo="name folders as `perpstream data export` does"
        ) from None


def _read(path: Path, columns: list[str] | None) -> pa.Table:
    try:
        return parquet.read_table(path, columns=columns, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from None


def _rows_of(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    table = _read(path, None)
    if missing := set(columns) - set(table.column_names):
        raise UnreadableFile(f"there is no column {', '.join(sorted(missing))}", where=str(path), todo=AGAIN)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _ms(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)


def _events(
    path: Path, symbol: str, rows: Iterable[dict[str, Any]], make: Callable[[str, dict[str, Any]], PlacedEvent]
) -> list[PlacedEvent]:
    try:
        return [make(symbol, row) for row in rows]
    except ArithmeticError:
        raise _no_number(path) from None


def _settled(
    path: Path, rows: Iterable[dict[str, Any]], make: Callable[[dict[str, Any]], Settlement]
) -> list[Settlement]:
    try:
        return [make(row) for row in rows]
    except ArithmeticError:
        raise _no_number(path) from None


def _imported(row: dict[str, Any]) -> Settlement:
    return Settlement(_ms(row["funding_time"]), Decimal(row["funding_rate"]), None)


def _observed(row: dict[str, Any]) -> Settlement:
    values = dict(row["values"])
    mark = values.get("mark_price")
    return Settlement(_ms(row["event_time"]), Decimal(values["funding_rate"]), None if mark is None else Decimal(mark))


def _no_number(path: Path) -> UnreadableFile:
    return UnreadableFile("one of its numbers is none", where=str(path), todo=AGAIN)


def _indicator(symbol: str, row: dict[str, Any]) -> PlacedEvent:
    known = row["available_at"] or row["event_time"]
    event = MarketIndicatorObserved(
        event_id=row["event_id"],
        event_time_ms=_ms(row["event_time"]),
        symbol=symbol,
        kind=row["kind"],
        period=row["period"],
        values={key: Decimal(value) for key, value in row["values"]},
        source=row["source"],
    )
    return PlacedEvent(known_from(_ms(known)), event)


def _liquidation(symbol: str, row: dict[str, Any]) -> PlacedEvent:
    names = ("event_id", "side", "quantity", "average_price", "order_price", "last_filled_quantity", "status")
    event = LiquidationObserved(
        event_time_ms=_ms(row["event_time"]),
        symbol=symbol,
        trade_time_ms=_ms(row["trade_time"]),
        **{name: row[name] for name in names},
    )
    return PlacedEvent(known_from(_ms(row["event_time"])), event)


def _mark_price(symbol: str, row: dict[str, Any]) -> PlacedEvent:
    at_ms = _ms(row["event_time"])
    known = {name: None if row[name] is None else Decimal(row[name]) for name in _MARK_COLUMNS[1:-1]}
    event = MarkPriceObserved(
        event_id=rate_id(symbol, at_ms),
        event_time_ms=at_ms,
        symbol=symbol,
        next_funding_time_ms=_ms(row["next_funding_time"]),
        mark_price=Decimal(row["mark_price"]),
        index_price=Decimal(row["index_price"]),
        **{name: value for name, value in known.items() if name not in ("mark_price", "index_price")},
    )
    return PlacedEvent(known_from(at_ms), event)
