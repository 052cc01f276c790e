"""One timeline partition as the recorder sees it: which records and rows count, and what the gates dropped.

Decoding is remembered until the transaction has committed, because the same records may come again (the database was away,
or a bad record made the consumer halve its batch) while the gates must see each record once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from libs.contracts.codec import decode
from libs.contracts.control import StrategyActivated
from libs.contracts.frames import read_columns
from libs.contracts.market import (
    AggTradeFrame,
    FeedStatusChanged,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    TradeGapChanged,
    TradesBootstrapped,
)
from libs.contracts.timeline import PlacedHole
from libs.contracts.topics import TIMELINE
from libs.kit.clock import BELIEVABLE_AHEAD_MS
from libs.kit.errors import BadMessage
from libs.kit.metrics import counter
from libs.store.log_places import ActivationPlace
from libs.store.market_facts import Placed
from libs.store.trade_batches import FrameRows
from libs.streaming.deadletter import DeadLetters
from libs.streaming.records import Record
from libs.streaming.timeline import Accepted, TimelineCursor, Watermarks, prime_cursor

_FACTS = (LiquidationObserved, MarketIndicatorObserved, MarkPriceObserved, FeedStatusChanged, TradeGapChanged)


@dataclass(slots=True)
class Reading:
    """What one record gives to the tables."""

    rows: FrameRows | None = None
    dropped: FrameRows | None = None
    fact: Placed | None = None
    holes: tuple[PlacedHole, ...] = ()
    activation: ActivationPlace | None = None
    bars: tuple[TradesBootstrapped, int] | None = None


@dataclass(slots=True)
class PartitionReader:
    """The gates of one partition and the readings that are not committed yet, by offset.

    `real_time`: the venue's clock runs as fast as the broker's. A recording played faster may be ahead of it, and is believed.
    """

    bootstrap: str
    partition: int
    dead_letters: DeadLetters
    real_time: bool = True
    _cursor: TimelineCursor | None = None
    _watermarks: Watermarks = field(default_factory=Watermarks)
    _next_offset: int = -1
    _pending: dict[int, Reading | None] = field(default_factory=dict)

    async def read(self, records: Sequence[Record]) -> list[Reading]:
        """The readings of consecutive records; unreadable ones are on the dead-letter topic when this returns."""
        await self._stand_at(records[0].offset)
        for record in records:
            if record.offset not in self._pending:
                self._pending[record.offset] = await self._read_one(record)
                self._next_offset = record.offset + 1
        return [reading for record in records if (reading := self._pending[record.offset]) is not None]

    def committed(self, next_offset: int) -> None:
        """Forget the readings below `next_offset`: their rows are in the tables."""
        for offset in [offset for offset in self._pending if offset < next_offset]:
            del self._pending[offset]

    async def _stand_at(self, offset: int) -> None:
        if self._cursor is not None and (offset in self._pending or offset == self._next_offset):
            return
        # Somebody else has read this partition in between, or we have just started: gates as if we had read all of it.
        self._cursor, self._watermarks = await prime_cursor(self.bootstrap, self.partition, offset)
        self._pending = {}

    async def _read_one(self, record: Record) -> Reading | None:
        assert self._cursor is not None
        dropped_before = self._cursor.frames.dropped
        try:
            taken = self._cursor.accept(record)
            reading = None if taken is None else self._reading(taken)
            if self.real_time and taken is not None:
                _believe(taken, record)
            if self._cursor.frames.dropped != dropped_before:
                reading = reading or Reading()
                reading.dropped = _dropped_rows(record, taken)
        except BadMessage as error:
            await self.dead_letters.put(record, error)
            return None
        if reading is None:
            counter("perpstream_records_dropped_total").labels(record.topic, "stale_or_repeated").inc()
        return reading

    def _reading(self, taken: Accepted) -> Reading:
        """What a record gives, with its place: the watermarks before it."""
        event, known = taken.event, self._watermarks
        reading = Reading()
        if isinstance(event, AggTradeFrame) and taken.columns is not None:
            holes = tuple(PlacedHole(known.of(hole.symbol), hole) for hole in event.holes)
            reading = Reading(rows=FrameRows(event, taken.columns), holes=holes)
        elif isinstance(event, _FACTS):
            reading = Reading(fact=Placed(event, taken.effective_at_ms, taken.record.offset))
        elif isinstance(event, StrategyActivated):
            place = ActivationPlace(event, self.partition, taken.record.offset, dict(known.by_symbol))
            reading = Reading(activation=place)
        elif isinstance(event, TradesBootstrapped):
            reading = Reading(bars=(event, taken.effective_at_ms))
        known.follow(taken)
        return reading


def _believe(taken: Accepted, record: Record) -> None:
    """Raises `BadMessage` for a report that says to be from later than it was written: it would be the newest for ever."""
    report, latest_ms = taken.event, record.timestamp_ms + BELIEVABLE_AHEAD_MS
    if isinstance(report, FeedStatusChanged) and max(report.event_time_ms, report.since_ms) > latest_ms:
        raise BadMessage("implausible", f"{report.feed} of {report.symbol} is reported from beyond {latest_ms}")


def _dropped_rows(record: Record, taken: Accepted | None) -> FrameRows | None:
    """The rows of a frame that the frame gate held back as duplicates; the tables may disagree with their content."""
    frame = decode(record.value, record.headers, TIMELINE.events) if taken is None else taken.event
    if not isinstance(frame, AggTradeFrame):
        return None
    every = read_columns(frame)
    if taken is None or taken.columns is None:
        held_back = np.ones(len(every), bool)
    else:
        pairs = np.stack((every.symbol_index.astype(np.int64), every.agg_id), axis=1)
        kept = {
            (int(index), int(number))
            for index, number in zip(taken.columns.symbol_index, taken.columns.agg_id, strict=True)
        }
        held_back = np.array([(int(index), int(number)) not in kept for index, number in pairs], bool)
    rows = every.select(held_back)
    counter("perpstream_records_dropped_total").labels(record.topic, "repeated_trades").inc(len(rows))
    return FrameRows(frame, rows)
