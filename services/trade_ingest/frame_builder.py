"""Columns of one partition between two flushes, and the frame they become."""

import sys
from array import array
from dataclasses import dataclass

from libs.contracts.market import AggTradeFrame, Hole, SymbolSlice


@dataclass(slots=True)
class SliceRows:
    """What the open frame holds of one symbol: its place in the slice list, row count and first and last id."""

    index: int
    rows: int = 0
    first_id: int = -1
    last_id: int = -1


@dataclass(frozen=True, slots=True)
class Origin:
    """Who makes frames, and its epoch (greater than that of every earlier process of that name)."""

    producer: str
    epoch: int


def _bytes(column: "array[int]") -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


class FrameBuilder:
    """Collects rows of any symbols of one partition; `cut` turns them into a frame and starts the next one."""

    def __init__(self, partition: int, origin: Origin) -> None:
        self.partition = partition
        self._origin = origin
        self._open()

    def _open(self) -> None:
        self.rows = 0
        self.slices: dict[str, SliceRows] = {}
        self.holes: list[Hole] = []
        self._greatest_time = -1
        self._symbol_index = array("H")
        self._agg_id, self._price, self._quantity = array("q"), array("q"), array("q")
        self._first, self._last, self._time = array("q"), array("q"), array("q")
        self._maker = array("B")
        self._late_row, self._late_time = array("I"), array("q")

    def slice_of(self, symbol: str) -> SliceRows:
        """The symbol's part of the open frame, made when it is asked for first."""
        part = self.slices.get(symbol)
        if part is None:
            part = self.slices[symbol] = SliceRows(len(self.slices))
        return part

    def append(self, symbol: str, row: tuple[int, int, int, int, int, int, bool], effective_time: int) -> None:
        """Add (agg id, price, quantity, first trade id, last trade id, trade time, buyer is maker); prices scaled."""
        part = self.slices.get(symbol) or self.slice_of(symbol)
        agg_id, price, quantity, first, last, trade_time, maker = row
        self._symbol_index.append(part.index)
        self._agg_id.append(agg_id)
        self._price.append(price)
        self._quantity.append(quantity)
        self._first.append(first)
        self._last.append(last)
        self._time.append(trade_time)
        self._maker.append(maker)
        if effective_time != trade_time:
            self._late_row.append(self.rows)
            self._late_time.append(effective_time)
        if trade_time > self._greatest_time:
            self._greatest_time = trade_time
        if not part.rows:
            part.first_id = agg_id
        part.rows += 1
        part.last_id = agg_id
        self.rows += 1

    def add_hole(self, hole: Hole) -> None:
        """Declare missing ids; call it before the first row with a higher id."""
        self.slice_of(hole.symbol)
        self.holes.append(hole)

    def cut(self, slices: tuple[SymbolSlice, ...], sequence: int, received_us: int) -> AggTradeFrame:
        """The frame of everything since the last cut; `slices` in the order of `self.slices`."""
        time = self._greatest_time
        if time < 0:
            time = max((part.watermark_ms for part in slices), default=0)
        frame = AggTradeFrame(
            event_id=f"{self._origin.producer}:{self._origin.epoch}:{sequence}",
            event_time_ms=max(time, 0),
            partition=self.partition,
            producer=self._origin.producer,
            epoch=self._origin.epoch,
            sequence=sequence,
            received_us=received_us,
            slices=slices,
            holes=tuple(self.holes),
            symbol_index=_bytes(self._symbol_index),
            agg_id=_bytes(self._agg_id),
            price=_bytes(self._price),
            quantity=_bytes(self._quantity),
            first_trade_id=_bytes(self._first),
            last_trade_id=_bytes(self._last),
            trade_time=_bytes(self._time),
            buyer_is_maker=_bytes(self._maker),
            late_row=_bytes(self._late_row),
            late_time=_bytes(self._late_time),
        )
        self._open()
        return frame
