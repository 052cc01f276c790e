"""A recording as a `MarketSource`: it answers only from what was recorded, and only up to the venue clock's now."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from libs.exchanges.recordings import RecordedEvent, RecordedRows, read_recording
from libs.kit.errors import ConfigurationError
from services.exchange_simulator.klines import bars_of, summary_row
from services.exchange_simulator.market import (
    EMPTY_TRADES,
    Bar,
    Funding,
    MarkPrice,
    Positioning,
    SideEvent,
    TradeColumns,
    TradeWindow,
)
from services.exchange_simulator.payloads import decimal_text
from services.exchange_simulator.recording.columns import columns_from, rules_from, shifted
from services.exchange_simulator.recording.sidestreams import RecordedSide
from services.exchange_simulator.symbols import SymbolRules
from services.exchange_simulator.trades_merge import merge_by_event

FUNDING_INTERVAL_MS = 8 * 3_600_000
_MINUTE_MS = 60_000


class _Mark(msgspec.Struct):
    p: str
    r: str
    T: int
    i: str = ""
    P: str = ""
    ap: str = ""


class RecordedMarket:
    """A recorded market (see `MarketSource` for the questions)."""

    def __init__(self, rows: RecordedRows, fingerprints: Sequence[str] = ()) -> None:
        self.fingerprints = list(fingerprints)
        self._symbols = tuple(sorted({*rows.trades, *(event.symbol for event in rows.events if event.symbol)}))
        self._rules = {symbol: rules_from(symbol, rows.trades.get(symbol, ())) for symbol in self._symbols}
        self._recorded = {
            symbol: columns_from(self._rules[symbol], rows.trades.get(symbol, ())) for symbol in self._symbols
        }
        self._trades = self._recorded
        self._marks = {symbol: _marks_of(rows.events, symbol) for symbol in self._symbols}
        self._side = RecordedSide(self, rows.events)
        self._shift = 0
        self._times = np.zeros(0, np.int64)
        self._index_times()
        # The clock begins one millisecond before the first event, so that "after" means the first event too.
        self._first_begin_ms = int(self._times[0]) - 1

    def _index_times(self) -> None:
        columns = [trades.event_ms for trades in self._trades.values()]
        self._times = np.unique(np.concatenate([*columns, self._side.times()]))

    def rebase(self, begin_ms: int) -> int:
        """Move the whole recording so that it begins at `begin_ms`; returns that."""
        self._shift = begin_ms - self._first_begin_ms
        self._trades = {symbol: shifted(trades, self._shift) for symbol, trades in self._recorded.items()}
        self._side.rebase(self._shift)
        self._index_times()
        return begin_ms

    @property
    def begin_ms(self) -> int:
        """Venue time just before the first event."""
        return self._first_begin_ms + self._shift

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._symbols

    @property
    def rules(self) -> Mapping[str, SymbolRules]:
        return self._rules

    def _visible(self, symbol: str, now_ms: int) -> TradeColumns:
        trades = self._trades[symbol]
        return trades.slice(0, int(np.searchsorted(trades.event_ms, now_ms, side="right")))

    def trades_from_id(self, symbol: str, first_id: int, limit: int, now_ms: int) -> TradeColumns:
        trades = self._visible(symbol, now_ms)
        low = int(np.searchsorted(trades.ids, first_id, side="left"))
        return trades.slice(low, min(low + limit, len(trades)))

    def trades_between(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> TradeColumns:
        trades = self._visible(symbol, now_ms)
        # Recorded trade times may be out of order by some milliseconds, so the range is a mask and not a search.
        inside = np.flatnonzero((trades.trade_ms >= start_ms) & (trades.trade_ms <= end_ms))
        return trades.take(inside) if len(inside) else EMPTY_TRADES

    def newest_trades(self, symbol: str, limit: int, now_ms: int) -> TradeColumns:
        trades = self._visible(symbol, now_ms)
        return trades.slice(max(0, len(trades) - limit), len(trades))

    def told_between(self, symbol: str, after_ms: int, until_ms: int) -> TradeColumns:
        """Trades of one symbol with after < event time <= until."""
        trades = self._trades[symbol]
        low, high = np.searchsorted(trades.event_ms, [after_ms, until_ms], side="right")
        return trades.slice(int(low), int(high))

    def window(self, after_ms: int, until_ms: int, wanted: Sequence[int]) -> TradeWindow:
        parts = [(index, self.told_between(self._symbols[index], after_ms, until_ms)) for index in wanted]
        return TradeWindow(*merge_by_event([part for part in parts if len(part[1])]))

    def prepare(self, until_ms: int, wanted: Sequence[int]) -> None:
        """Nothing to prepare: everything is in memory."""

    def next_event_ms(self, after_ms: int) -> int | None:
        place = int(np.searchsorted(self._times, after_ms, side="right"))
        return int(self._times[place]) if place < len(self._times) else None

    def side_events(self, after_ms: int, until_ms: int, wanted: frozenset[str]) -> list[SideEvent]:
        return self._side.events(after_ms, until_ms, wanted)

    def bars(self, symbol: str, interval: str, opens_ms: Sequence[int], now_ms: int) -> list[Bar]:
        def rows(first: int, stop: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
            found = self.trades_between(symbol, first * _MINUTE_MS, stop * _MINUTE_MS - 1, now_ms)
            return summary_row(found).reshape(1, -1)

        return bars_of(opens_ms, interval, rows, now_ms)

    def mark_price(self, symbol: str, now_ms: int) -> MarkPrice:
        """The last recorded mark, or the last trade's price where none was recorded."""
        marks = self._marks[symbol]
        place = int(np.searchsorted(marks[0], now_ms - self._shift, side="right"))
        if place:
            mark = marks[1][place - 1]
            next_ms = mark.T + self._shift
            return MarkPrice(symbol, mark.p, mark.ap or mark.p, mark.i or mark.p, mark.P or mark.p, mark.r, next_ms)
        trades = self.newest_trades(symbol, 1, now_ms)
        price = decimal_text(int(trades.prices[-1]), self._rules[symbol].price_decimals) if len(trades) else "0"
        next_funding = (now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
        return MarkPrice(symbol, price, price, price, price, "0.00010000", next_funding)

    def fundings(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> list[Funding]:
        """Settlements seen in the recording: where the next funding time moves on, the old one has settled."""
        times, marks = self._marks[symbol]
        found = []
        for event_ms, mark, following in zip(times[1:].tolist(), marks[:-1], marks[1:], strict=True):
            settled = mark.T + self._shift
            if following.T != mark.T and start_ms <= settled <= end_ms and event_ms + self._shift <= now_ms:
                found.append(Funding(symbol, mark.r, settled, mark.p))
        return found

    def positioning(self, symbol: str, time_ms: int) -> Positioning | None:
        return None

    def first_ms(self, symbol: str) -> int:
        trades = self._trades[symbol]
        return int(trades.trade_ms.min()) if len(trades) else self.begin_ms

    def spot_price(self, symbol: str, now_ms: int) -> str:
        return self.mark_price(symbol, now_ms).index

    def coinbase_price(self, product: str, now_ms: int) -> str | None:
        return None

    def last_event_ms(self) -> int:
        return int(self._times[-1])


_Marks = tuple[np.ndarray[tuple[int], np.dtype[np.int64]], list[_Mark]]


def _marks_of(events: Sequence[RecordedEvent], symbol: str) -> _Marks:
    found = [event for event in events if event.symbol == symbol and "@markPrice" in event.stream]
    found.sort(key=lambda event: event.event_ms)
    decode = msgspec.json.Decoder(_Mark).decode
    return np.array([event.event_ms for event in found], np.int64), [decode(event.payload) for event in found]


def open_recording(paths: Sequence[Path]) -> RecordedMarket:
    """Read files into a market; the fingerprints (name, size, checksum) are its identity in the state folder.

    Raises `ConfigurationError` naming the files when they cannot be read, or do not fit together.
    """
    rows = read_recording(paths)
    prints = []
    for path in paths:
        with path.open("rb") as file:
            prints.append(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()[:16]}")
    try:
        return RecordedMarket(rows, prints)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        raise ConfigurationError(
            f"the recording cannot be played: {error}",
            where=", ".join(map(str, paths)),
            todo="check the mark prices, and that prices and quantities of all rows fit 64 bits in their most decimals",
        ) from None
