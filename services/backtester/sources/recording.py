"""Raw recordings of the exchange's streams, read with what live ingestion reads them with: the same bytes, the same trades."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np

from libs.contracts.timeline import PlacedEvent, PlacedHole
from libs.exchanges import MarkPrice, StreamBatch
from libs.exchanges.decimals import decimals_of_step, scaled_column
from libs.exchanges.forced_orders import LiquidationSelection
from libs.exchanges.mark_prices import MarkPriceSampler, number
from libs.exchanges.recordings import RecordedEvent, RecordedRows, RecordedTrade, read_recording, slow_messages
from libs.indicators.log import TradeRows
from libs.kit.durations import DAY_MS
from libs.kit.errors import BadMessage, ConfigurationError
from libs.store.instants import instant
from services.backtester.result import View
from services.backtester.sources import Settlement, Span, Stored, empty_days
from services.backtester.sources.assumed import known_from, liquidations_received
from services.backtester.sources.merging import each

_RECEIVED = "the recording holds the stream of forced orders"


@dataclass(frozen=True, slots=True)
class RecordingSource:
    """One recording in memory: trades by rising id, events at the places from which on they could be known."""

    description: str
    rows: dict[str, TradeRows]
    placed: dict[str, list[PlacedEvent]]
    settled: dict[str, list[Settlement]]
    lost: dict[str, int]

    @property
    def view(self) -> View:
        return "repaired"

    @property
    def has_mark_prices(self) -> bool:
        return True

    async def symbols(self) -> list[str]:
        return sorted(self.rows)

    async def stored(self, symbol: str, span: Span) -> Stored | None:
        inside = self._inside(symbol, span)
        if inside is None:
            return None
        ids = inside.agg_id
        missing = int(ids[-1] - ids[0]) + 1 - len(ids) + self.lost.get(symbol, 0)
        days = [instant(day * DAY_MS).date() for day in np.unique(inside.time // DAY_MS).tolist()]
        known = Span(int(inside.time[0]), int(inside.time[-1]) + 1)
        return Stored(symbol, len(ids), missing, empty_days(span, days), span, known)

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]:
        return ()

    async def trades(self, symbol: str, span: Span) -> AsyncIterator[TradeRows]:
        inside = self._inside(symbol, span)
        if inside is not None:
            yield inside

    async def holes(self, symbol: str, span: Span) -> Sequence[PlacedHole] | None:
        return None

    async def events(self, symbol: str, span: Span) -> AsyncIterator[PlacedEvent]:
        async for event in each(self.placed.get(symbol, ())):
            yield event

    async def funding(self, symbol: str, span: Span) -> Sequence[Settlement]:
        return [row for row in self.settled.get(symbol, ()) if span.start_ms <= row.time_ms < span.end_ms]

    def _inside(self, symbol: str, span: Span) -> TradeRows | None:
        rows = self.rows.get(symbol)
        if rows is None:
            return None
        inside = rows.rows(rows.before(span.start_ms), rows.before(span.end_ms))
        return inside if len(inside) else None


def open_recordings(paths: Sequence[Path]) -> RecordingSource:
    """The files as one recording. Raises `ConfigurationError`, one line that names the file, for one that is damaged, cut off or
    none at all."""
    recorded = read_recording(paths)
    where = ", ".join(map(str, paths))
    rows = {symbol: _trade_rows(symbol, trades, where) for symbol, trades in recorded.trades.items() if trades}
    try:
        batch = slow_messages(recorded.events)
        placed, settled = _placed(recorded, batch, rows), _settled(batch.mark_prices)
    except BadMessage as error:
        raise _damaged(error.detail, where) from None
    return RecordingSource(_description(paths, rows), rows, placed, settled, recorded.lost)


def _trade_rows(symbol: str, trades: Iterable[RecordedTrade], where: str) -> TradeRows:
    """By rising id, each once, in the decimals that the values have; a trade that came late counts when it came."""
    by_id = {trade.agg_id: trade for trade in trades}
    kept = [by_id[agg_id] for agg_id in sorted(by_id)]
    prices, quantities = [trade.price for trade in kept], [trade.quantity for trade in kept]
    price_decimals, quantity_decimals = _decimals(prices), _decimals(quantities)
    try:
        return TradeRows(
            symbol=symbol,
            price_decimals=price_decimals,
            quantity_decimals=quantity_decimals,
            agg_id=np.array([trade.agg_id for trade in kept], np.int64),
            time=np.maximum.accumulate(np.array([trade.trade_ms for trade in kept], np.int64)),
            price=np.array(scaled_column(prices, price_decimals), np.int64),
            quantity=np.array(scaled_column(quantities, quantity_decimals), np.int64),
            buyer_is_maker=np.array([trade.maker for trade in kept], np.uint8),
        )
    except OverflowError:
        raise _damaged(f"amounts of {symbol} do not fit 64 bits in their most decimals", where) from None


def _decimals(texts: Sequence[str]) -> int:
    return max(decimals_of_step(text) for text in set(texts))


def _placed(recorded: RecordedRows, batch: StreamBatch, rows: dict[str, TradeRows]) -> dict[str, list[PlacedEvent]]:
    found: dict[str, list[PlacedEvent]] = {symbol: [] for symbol in rows}
    for symbol in _received(recorded.events, rows):
        from_ms = int(rows[symbol].time[0])
        found[symbol].append(PlacedEvent(known_from(from_ms), liquidations_received(symbol, from_ms, _RECEIVED)))
    sampler, selection = MarkPriceSampler(), LiquidationSelection(rows)
    for mark in batch.mark_prices:
        if mark.symbol in found and (event := sampler.select(mark)) is not None:
            found[mark.symbol].append(PlacedEvent(known_from(mark.event_time), event))
    for order in batch.forced_orders:
        if (liquidation := selection.select(order)) is not None:
            found[order.symbol].append(PlacedEvent(known_from(order.event_time), liquidation))
    for events in found.values():
        events.sort(key=lambda placed: placed.effective_at_ms)
    return found


def _received(events: Sequence[RecordedEvent], symbols: Iterable[str]) -> list[str]:
    """The symbols whose forced orders are recorded: a window without one is calm, and not merely unknown."""
    streams = {item.stream for item in events if "forceOrder" in item.stream}
    every = any(stream.startswith("!forceOrder") for stream in streams)
    return [symbol for symbol in symbols if every or f"{symbol.lower()}@forceOrder" in streams]


def _settled(marks: Sequence[MarkPrice]) -> dict[str, list[Settlement]]:
    """Where the next funding time moves on, the one before it has settled, at the last rate that was told for it."""
    by_symbol: dict[str, list[MarkPrice]] = {}
    for mark in sorted(marks, key=lambda mark: mark.event_time):
        by_symbol.setdefault(mark.symbol, []).append(mark)
    return {
        symbol: [
            Settlement(before.next_funding_time, _rate(before), number(before.mark_price, "mark price"))
            for before, after in pairwise(told)
            if after.next_funding_time > before.next_funding_time > 0 and before.funding_rate
        ]
        for symbol, told in by_symbol.items()
    }


def _rate(mark: MarkPrice) -> Decimal:
    return number(mark.funding_rate or "", "funding rate")


def _description(paths: Sequence[Path], rows: dict[str, TradeRows]) -> str:
    names = ", ".join(path.name for path in paths)
    if not rows:
        return f"recording {names}"
    first, last = min(int(part.time[0]) for part in rows.values()), max(int(part.time[-1]) for part in rows.values())
    return f"recording {names}, {instant(first):%Y-%m-%d %H:%M:%S} to {instant(last):%Y-%m-%d %H:%M:%S}"


def _damaged(why: str, where: str) -> ConfigurationError:
    return ConfigurationError(
        f"the recording cannot be read: {why}", where=where, todo="record it again, or name another"
    )
