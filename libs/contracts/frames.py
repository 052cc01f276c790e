"""Columns of trade frames: reading them as numpy views, and the one function by which every reader drops duplicates.

Kept apart from `libs.contracts.market` so that only those who read columns import numpy.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from libs.contracts.market import AggTradeFrame, Hole, SymbolSlice
from libs.contracts.plausible import LATEST_MS, MOST_DECIMALS
from libs.kit.errors import BadMessage

Int64 = NDArray[np.int64]
# Scaled units that the trades of one frame may be worth; what many such frames add up to is the kernel's to judge.
MOST_NOTIONAL = 1 << 58
_MOST_MISSING_ID = 1 << 62


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """The rows of a frame as equally long arrays (read-only views where the frame allows).

    `time` is the effective time (ms): the venue's T except for late rows; `trade_time` is always the venue's T.
    """

    symbol_index: NDArray[np.uint16]
    agg_id: Int64
    price: Int64
    quantity: Int64
    first_trade_id: Int64
    last_trade_id: Int64
    trade_time: Int64
    time: Int64
    buyer_is_maker: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.agg_id)

    def select(self, mask: NDArray[np.bool_]) -> "TradeColumns":
        """The rows where `mask` is true."""
        return TradeColumns(
            symbol_index=self.symbol_index[mask],
            agg_id=self.agg_id[mask],
            price=self.price[mask],
            quantity=self.quantity[mask],
            first_trade_id=self.first_trade_id[mask],
            last_trade_id=self.last_trade_id[mask],
            trade_time=self.trade_time[mask],
            time=self.time[mask],
            buyer_is_maker=self.buyer_is_maker[mask],
        )


def read_columns(frame: AggTradeFrame) -> TradeColumns:
    """Decode a frame's columns.

    Raises `BadMessage` ("bad_frame") when columns differ in length, an index names no slice, or what the slices state is
    not what their rows say (see `_check_slices`), when a hole names no ids, and when no trade can have such times or numbers:
    a frame is taken whole or not at all.
    """
    try:
        symbol_index = np.frombuffer(frame.symbol_index, "<u2")
        wide = [
            np.frombuffer(column, "<i8")
            for column in (
                frame.agg_id,
                frame.price,
                frame.quantity,
                frame.first_trade_id,
                frame.last_trade_id,
                frame.trade_time,
            )
        ]
        maker = np.frombuffer(frame.buyer_is_maker, "u1")
        late_row = np.frombuffer(frame.late_row, "<u4")
        late_time = np.frombuffer(frame.late_time, "<i8")
    except ValueError as error:
        raise BadMessage("bad_frame", str(error)) from None
    rows = len(symbol_index)
    if any(len(column) != rows for column in (*wide, maker)) or len(late_row) != len(late_time):
        raise BadMessage("bad_frame", "columns differ in length")
    _check_slices(frame.slices, symbol_index, wide[0])
    for hole in frame.holes:
        if not 0 <= hole.first_missing_id <= hole.last_missing_id < _MOST_MISSING_ID:
            raise BadMessage("bad_frame", f"{hole.symbol}: the missing ids are none")
    time = wide[5]
    if len(late_row):
        if int(late_row.max()) >= rows:
            raise BadMessage("bad_frame", "a late row lies outside the frame")
        time = time.copy()
        time[late_row] = late_time
    if rows:
        _check_values(wide[1], wide[2], (time,) if time is wide[5] else (time, wide[5]))
    return TradeColumns(symbol_index, wide[0], wide[1], wide[2], wide[3], wide[4], wide[5], time, maker)


def _check_slices(slices: tuple[SymbolSlice, ...], symbol_index: NDArray[np.uint16], agg_id: Int64) -> None:
    """The duplicate filter believes slices: each symbol once, its rows counted, in id order, from first to last id."""
    counts = np.bincount(symbol_index, minlength=len(slices)).tolist()
    if counts != [part.rows for part in slices]:
        raise BadMessage("bad_frame", "row counts of the slices do not match the symbol column")
    if len({part.symbol for part in slices}) != len(slices):
        raise BadMessage("bad_frame", "a symbol has two slices")
    if np.any(symbol_index[1:] < symbol_index[:-1]):
        order = np.argsort(symbol_index, kind="stable")
        symbol_index, agg_id = symbol_index[order], agg_id[order]
    if np.any((agg_id[1:] <= agg_id[:-1]) & (symbol_index[1:] == symbol_index[:-1])):
        raise BadMessage("bad_frame", "the rows of a symbol are not in id order")
    ids, start = agg_id.tolist(), 0
    for part in slices:
        end = start + part.rows
        if (part.first_id, part.last_id) != ((ids[start], ids[end - 1]) if part.rows else (-1, -1)):
            raise BadMessage("bad_frame", f"{part.symbol}: first and last id are not those of its rows")
        if not (0 <= part.price_decimals <= MOST_DECIMALS and 0 <= part.quantity_decimals <= MOST_DECIMALS):
            raise BadMessage("bad_frame", f"{part.symbol}: decimals are not 0 to {MOST_DECIMALS}")
        start = end


def _check_values(price: Int64, quantity: Int64, times: tuple[Int64, ...]) -> None:
    """Nobody trades at a negative price, outside of 1970 to 2100, or for more than 64-bit sums can hold."""
    # Seen as unsigned, a negative number is larger than every bound.
    if max(int(price.view("<u8").max()), int(quantity.view("<u8").max())) >= MOST_NOTIONAL:
        raise BadMessage("bad_frame", "a price or quantity is negative or too large")
    if float(np.dot(price.astype(float), quantity.astype(float))) >= MOST_NOTIONAL:
        raise BadMessage("bad_frame", "the notional is too large for 64-bit sums")
    if any(int(column.view("<u8").max()) >= LATEST_MS for column in times):
        raise BadMessage("bad_frame", "trade times are not all in 1970 to 2100")


@dataclass(slots=True)
class FrameGate:
    """Drops what a dead or doubled trade producer sent: frames of an older epoch, and rows whose id was seen before.

    State: greatest epoch by producer and last aggregate id by symbol. Holes advance the id too, so that a late copy of the
    missing trades cannot enter the timeline after the hole. One gate per partition; deterministic in log order.
    """

    epochs: dict[str, int] = field(default_factory=dict)
    last_ids: dict[str, int] = field(default_factory=dict)
    dropped: int = 0

    def admit_epoch(self, producer: str, epoch: int) -> bool:
        """Whether a frame or bootstrap of this producer and epoch counts; remembers the greatest epoch."""
        known = self.epochs.get(producer, -1)
        if epoch < known:
            return False
        self.epochs[producer] = epoch
        return True

    def accept(self, frame: AggTradeFrame) -> TradeColumns | None:
        """The rows that count, in frame order, or None when the whole frame is stale. Raises `BadMessage` on a bad frame."""
        columns = read_columns(frame)
        if not self.admit_epoch(frame.producer, frame.epoch):
            self.dropped += len(columns)
            return None
        keep: NDArray[np.bool_] | None = None
        for index, part in enumerate(frame.slices):
            last = self.last_ids.get(part.symbol, -1)
            if part.rows and part.first_id <= last:
                keep = np.ones(len(columns), bool) if keep is None else keep
                keep &= (columns.symbol_index != index) | (columns.agg_id > last)
            self.last_ids[part.symbol] = max(last, part.last_id)
        for hole in frame.holes:
            self.last_ids[hole.symbol] = max(self.last_ids.get(hole.symbol, -1), hole.last_missing_id)
        if keep is None:
            return columns
        self.dropped += int(len(columns) - np.count_nonzero(keep))
        return columns.select(keep)


def holes_of(frame: AggTradeFrame, symbol: str) -> Iterator[Hole]:
    """The holes of one symbol, in id order."""
    return (hole for hole in frame.holes if hole.symbol == symbol)


def slice_of(frame: AggTradeFrame, symbol: str) -> SymbolSlice | None:
    """What the frame says about `symbol`, or None when it does not mention it."""
    return next((part for part in frame.slices if part.symbol == symbol), None)
