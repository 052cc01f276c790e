"""The kernel's input: frames of the timeline as one sequence of rows, holes and watermarks at their place among the trades."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from libs.contracts.frames import TradeColumns
from libs.contracts.market import AggTradeFrame, Hole, TradesBootstrapped
from libs.contracts.plausible import LATEST_MS
from libs.contracts.timeline import PlacedHole
from libs.indicators import layout as at
from libs.indicators.settings import HOUR_MS, MINUTE_MS, OverflowRisk, check_scale
from libs.kit.errors import BadMessage

# Bars are taken one candle after the other, gaps too: thousands, not millions.
_LONGEST_BARS_MS = 31 * 24 * HOUR_MS
Int64 = NDArray[np.int64]
Columns = tuple[NDArray[np.int32], Int64, Int64, Int64, Int64, NDArray[np.uint8]]


class Scaled(Protocol):
    """A symbol's name and the decimals of its integers."""

    @property
    def symbol(self) -> str: ...
    @property
    def price_decimals(self) -> int: ...
    @property
    def quantity_decimals(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TradeRows:
    """Trades of one symbol with one scale, ids strictly rising; equally long columns.

    `time`: the effective time (ms), which never falls from row to row; `price` and `quantity` scaled by `10**decimals`;
    `buyer_is_maker`: 1 for a taker who sold.
    """

    symbol: str
    price_decimals: int
    quantity_decimals: int
    agg_id: Int64
    time: Int64
    price: Int64
    quantity: Int64
    buyer_is_maker: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.agg_id)

    def rows(self, start: int, stop: int) -> "TradeRows":
        """The rows [start, stop) as views."""
        chosen = slice(start, stop)
        return TradeRows(
            symbol=self.symbol,
            price_decimals=self.price_decimals,
            quantity_decimals=self.quantity_decimals,
            agg_id=self.agg_id[chosen],
            time=self.time[chosen],
            price=self.price[chosen],
            quantity=self.quantity[chosen],
            buyer_is_maker=self.buyer_is_maker[chosen],
        )

    def before(self, time_ms: int) -> int:
        """How many rows have an effective time below `time_ms`."""
        return int(np.searchsorted(self.time, time_ms))


def rows_of_frame(frame: AggTradeFrame, columns: TradeColumns) -> list[TradeRows]:
    """The rows of each symbol of a frame among those that count (`columns`); a symbol without rows is left out."""
    found = []
    for index, part in enumerate(frame.slices):
        mine = columns.symbol_index == index
        if mine.any():
            names = ("agg_id", "time", "price", "quantity", "buyer_is_maker")
            chosen = {name: getattr(columns, name)[mine] for name in names}
            found.append(TradeRows(part.symbol, part.price_decimals, part.quantity_decimals, **chosen))
    return found


def joined_rows(parts: Sequence[TradeRows]) -> TradeRows:
    """Parts of one symbol, one after the other. Raises `ValueError` when they have several scales."""
    last = parts[-1]
    if len({(part.price_decimals, part.quantity_decimals) for part in parts}) > 1:
        raise ValueError(f"{last.symbol}: the parts have several scales")
    names = ("agg_id", "time", "price", "quantity", "buyer_is_maker")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return TradeRows(last.symbol, last.price_decimals, last.quantity_decimals, **columns)


@dataclass(slots=True)
class SymbolTable:
    """Symbols in the order in which they were first seen, with the scale in which the kernel keeps them (the finest seen)."""

    names: list[str] = field(default_factory=list)
    price_decimals: list[int] = field(default_factory=list)
    quantity_decimals: list[int] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, price_decimals: int, quantity_decimals: int) -> int:
        """The index of `name`, new if needed. Raises `OverflowRisk` when its scale does not fit."""
        if name not in self.index:
            check_scale(name, price_decimals, quantity_decimals)
            self.index[name] = len(self.names)
            self.names.append(name)
            self.price_decimals.append(price_decimals)
            self.quantity_decimals.append(quantity_decimals)
        return self.index[name]

    def refine(self, index: int, price_decimals: int, quantity_decimals: int) -> tuple[int, int]:
        """Keep the finer of both scales; returns the factors by which state must be multiplied. Raises `OverflowRisk`."""
        finer_price = max(0, price_decimals - self.price_decimals[index])
        finer_quantity = max(0, quantity_decimals - self.quantity_decimals[index])
        price, quantity = self.price_decimals[index] + finer_price, self.quantity_decimals[index] + finer_quantity
        check_scale(self.names[index], price, quantity)
        self.price_decimals[index], self.quantity_decimals[index] = price, quantity
        return int(10**finer_price), int(10**finer_quantity)

    def row(self, index: int) -> tuple[str, int, int]:
        """Name and decimals of a symbol."""
        return self.names[index], self.price_decimals[index], self.quantity_decimals[index]

    def rows(self) -> list[tuple[str, int, int]]:
        return list(zip(self.names, self.price_decimals, self.quantity_decimals, strict=True))


class LogBatch:
    """Collects log rows; `Kernel.process` takes them. Positions (`len`) before and after a frame tell whose row released what."""

    def __init__(self, symbols: SymbolTable) -> None:
        self.symbols = symbols
        self._parts: list[Columns] = []
        self._left: list[tuple[int, int, tuple[str, int, int]]] = []
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def add_frame(self, frame: AggTradeFrame, columns: TradeColumns) -> tuple[OverflowRisk, ...]:
        """Append the rows of a frame that count (`FrameGate.accept`), its holes before the first later id, its watermarks last.

        Returns the symbols whose scale does not fit: their rows are left out, as a hole where the symbol is known.
        """
        indexes = np.full(len(frame.slices), -1, np.int32)
        price, quantity = columns.price, columns.quantity
        risks: list[OverflowRisk] = []
        for position, part in enumerate(frame.slices):
            try:
                indexes[position] = index = self._scaled(part)
            except OverflowRisk as risk:
                risks.append(risk)
                self._leave_out(part.symbol, columns.select(columns.symbol_index == position))
                continue
            coarse_price = self.symbols.price_decimals[index] - part.price_decimals
            coarse_quantity = self.symbols.quantity_decimals[index] - part.quantity_decimals
            if (coarse_price or coarse_quantity) and part.rows:
                mine = columns.symbol_index == position
                price = np.where(mine, _scaled_up(price, coarse_price), price)
                quantity = np.where(mine, _scaled_up(quantity, coarse_quantity), quantity)
        symbol = indexes[columns.symbol_index]
        whole: Columns = (symbol, columns.agg_id, columns.time, price, quantity, columns.buyer_is_maker)
        if risks:
            whole = tuple(column[symbol >= 0] for column in whole)  # type: ignore[assignment]
        self._add_between_holes(frame.holes, whole)
        watermarks = np.array([part.watermark_ms for part in frame.slices], np.int64)
        self.add_watermarks(indexes[indexes >= 0], watermarks[indexes >= 0])
        return tuple(risks)

    def add_trades(self, trades: TradeRows, holes: Sequence[PlacedHole] = ()) -> None:
        """Append one symbol's rows as a table has them, each hole before the first later id, after what its place had proven.

        Raises `OverflowRisk` when the scale does not fit; nothing has changed then.
        """
        index = self._scaled(trades)
        symbols = self.symbols
        price = _scaled_up(trades.price, symbols.price_decimals[index] - trades.price_decimals)
        quantity = _scaled_up(trades.quantity, symbols.quantity_decimals[index] - trades.quantity_decimals)
        symbol = np.full(len(trades), index, np.int32)
        columns: Columns = (symbol, trades.agg_id, trades.time, price, quantity, trades.buyer_is_maker)
        start = 0
        for proven_ms, hole in holes:
            cut = int(np.searchsorted(trades.agg_id, hole.last_missing_id, side="right"))
            self._append(tuple(column[start:cut] for column in columns))
            self.add_watermarks(np.array([index], np.int32), np.array([proven_ms], np.int64))
            self._hole(index, hole)
            start = cut
        self._append(tuple(column[start:] for column in columns))

    def add_watermarks(self, symbols: NDArray[np.int32], times_ms: Int64) -> None:
        """Append one watermark per symbol; negative times (nothing proven yet) count for nothing."""
        zeros = np.zeros(len(symbols), np.int64)
        kinds = np.full(len(symbols), at.WATERMARK, np.uint8)
        self._append((symbols.astype(np.int32), zeros, times_ms, zeros, zeros, kinds))

    def columns(self) -> Columns:
        """All rows as contiguous columns: symbol, aggregate id, time, price, quantity, kind."""
        dtypes: tuple[type[np.integer[Any]], ...] = (np.int32, *(np.int64,) * 4, np.uint8)
        parts = zip(*self._parts, strict=True) if self._parts else ((),) * 6
        symbol, agg_id, time, price, quantity, kind = (
            _whole(column, dtype) for dtype, column in zip(dtypes, parts, strict=True)
        )
        return symbol, agg_id, time, price, quantity, kind

    def scale_at(self, symbol: int, place: int) -> tuple[str, int, int]:
        """A symbol's name and decimals as of a row: the table has the finest that this batch brought."""
        left = (scale for end, index, scale in self._left if index == symbol and place < end)
        return next(left, None) or self.symbols.row(symbol)

    def _scaled(self, part: Scaled) -> int:
        """The symbol's index; a finer scale than before becomes a row. Raises `OverflowRisk`, and nothing has changed."""
        symbols, price_decimals, quantity_decimals = self.symbols, part.price_decimals, part.quantity_decimals
        index = symbols.add(part.symbol, price_decimals, quantity_decimals)
        if price_decimals > symbols.price_decimals[index] or quantity_decimals > symbols.quantity_decimals[index]:
            before = symbols.row(index)
            factors = symbols.refine(index, price_decimals, quantity_decimals)
            self._left.append((len(self), index, before))
            self._marker(at.RESCALE, index, (0, 0, *factors))
        return index

    def _leave_out(self, symbol: str, rows: TradeColumns) -> None:
        if symbol in self.symbols.index and len(rows):
            gap = (int(rows.agg_id.max()), int(rows.time.min()), int(rows.time.max()), len(rows))
            self._marker(at.HOLE, self.symbols.index[symbol], gap)

    def _add_between_holes(self, holes: tuple[Hole, ...], whole: Columns) -> None:
        """Trades of `whole` with each hole before the first trade of its symbol that has a higher id."""
        symbol, agg_id = whole[0], whole[1]
        cuts: list[tuple[int, Hole, int]] = []
        for hole in holes:
            index = self.symbols.index.get(hole.symbol, -1)
            later = np.flatnonzero((symbol == index) & (agg_id > hole.last_missing_id))
            if index >= 0:
                cuts.append((int(later[0]) if len(later) else len(symbol), hole, index))
        start = 0
        for cut, hole, index in sorted(cuts, key=lambda item: item[0]):
            self._append(tuple(column[start:cut] for column in whole))
            self._hole(index, hole)
            start = cut
        self._append(tuple(column[start:] for column in whole))

    def _hole(self, index: int, hole: Hole) -> None:
        missing = hole.last_missing_id - hole.first_missing_id + 1
        self._marker(at.HOLE, index, (hole.last_missing_id, hole.from_ms, hole.to_ms, missing))

    def _marker(self, kind: int, symbol: int, values: tuple[int, int, int, int]) -> None:
        wide = (np.array([value], np.int64) for value in values)
        self._append((np.array([symbol], np.int32), *wide, np.array([kind], np.uint8)))

    def _append(self, columns: tuple[NDArray[np.generic], ...]) -> None:
        if len(columns[0]):
            self._parts.append(columns)  # type: ignore[arg-type]
            self._rows += len(columns[0])


def _scaled_up(values: Int64, decimals: int) -> Int64:
    """Values (not negative) in a finer scale. What fits no scale stays too large to be taken, and does not wrap around."""
    factor = 10**decimals
    if factor == 1:
        return values
    scaled: Int64 = np.minimum(values, at.SUM_LIMIT // factor + 1) * factor
    return scaled


def bootstrap_bars(bars: TradesBootstrapped, symbols: SymbolTable, candle_ms: int) -> tuple[int, Int64, Int64]:
    """The symbol's index, its minute bars (n, 4) and its candles (m, 5) in the kernel's scale.

    Raises `BadMessage` ("bad_bootstrap") when bars are cut, off their grid, out of order or far apart, and `OverflowRisk` when
    their scale or what they carry does not fit.
    """
    check_scale(bars.symbol, bars.price_decimals, bars.quantity_decimals)
    if len(bars.minute_bars) % 32 or len(bars.candle_bars) % 40:
        raise BadMessage("bad_bootstrap", f"{bars.symbol}: a bar is cut")
    minutes = np.frombuffer(bars.minute_bars, "<i8").reshape(-1, 4).astype(np.int64)
    candles = np.frombuffer(bars.candle_bars, "<i8").reshape(-1, 5).astype(np.int64)
    for rows, grid in ((minutes, MINUTE_MS), (candles, candle_ms)):
        if np.any(rows < 0) or np.any(rows[:, 0] % grid) or np.any(np.diff(rows[:, 0]) <= 0):
            raise BadMessage("bad_bootstrap", f"{bars.symbol}: bars must be in time order on a grid of {grid} ms")
    times = [int(rows[place, 0]) for rows in (minutes, candles) if len(rows) for place in (0, -1)]
    if times and (max(times) >= LATEST_MS or max(times) - min(times) > _LONGEST_BARS_MS):
        raise BadMessage("bad_bootstrap", f"{bars.symbol}: bars must lie in 1970 to 2100 and within 31 days")
    if np.any(minutes[:, 2] > minutes[:, 1]) or np.any(candles[:, 1:] == 0):
        raise BadMessage("bad_bootstrap", f"{bars.symbol}: takers bought more than was traded, or a price is 0")
    index = symbols.add(bars.symbol, bars.price_decimals, bars.quantity_decimals)
    price_shift = symbols.price_decimals[index] - bars.price_decimals
    quantity_shift = symbols.quantity_decimals[index] - bars.quantity_decimals
    if price_shift < 0 or quantity_shift < 0:
        raise BadMessage("bad_bootstrap", f"{bars.symbol}: finer scale than the trades before it")
    minutes[:, 1:3] = _scaled_up(minutes[:, 1:3], quantity_shift)
    minutes[:, 3] = _scaled_up(minutes[:, 3], price_shift + quantity_shift)
    candles[:, 1:] = _scaled_up(candles[:, 1:], price_shift)
    # Sums of Python integers: those of the columns could wrap around.
    most = max(sum(minutes[:, column].tolist()) for column in (1, 3))
    if most >= at.SUM_LIMIT or np.any(candles[:, 1:] >= at.PRICE_LIMIT):
        raise OverflowRisk(bars.symbol, "its bars do not fit 64-bit sums of notional, or a price does not")
    return index, minutes, candles


def _whole(parts: Sequence[NDArray[Any]], dtype: type[np.integer[Any]]) -> NDArray[Any]:
    """The parts in one piece; a single one that is so already as it is."""
    if len(parts) == 1:
        return np.ascontiguousarray(parts[0], dtype)
    return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype, copy=False)
