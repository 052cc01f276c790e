"""Stored data published to the market topics again: trades as frames with proven watermarks, slow inputs beside them in time.

What the tables hold now is published: ids that a repair has brought are there, ids that no row has are holes in band.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from libs.contracts.event import Event
from libs.contracts.frames import read_columns
from libs.contracts.market import UNKNOWN_TIME, AggTradeFrame, Hole, SymbolSlice
from libs.contracts.partitioning import partition_of
from libs.contracts.topics import AGGTRADE, Topic
from libs.store.copy_format import SymbolTrades
from libs.streaming.producer import Publisher

WINDOW_MS = 50
MOST_FRAME_ROWS = 1000
PRODUCER = "replay"
NOT_STORED = "not_stored"


class TimedEvent(NamedTuple):
    """A slow input, and where it goes; `time_ms` decides between which trades it is published."""

    time_ms: int
    topic: Topic
    symbol: str
    event: Event


@dataclass(slots=True)
class TradeFeed:
    """One symbol's stored trades in id order, taken window by window. `decimals`: of price and quantity in all pages; `causes`
    says why ids are missing, by first id."""

    symbol: str
    pages: AsyncIterator[SymbolTrades]
    decimals: tuple[int, int]
    causes: Mapping[int, str]
    watermark: int = UNKNOWN_TIME
    last_id: int = -1
    last_time: int = UNKNOWN_TIME
    _page: SymbolTrades | None = None
    _newest: int = UNKNOWN_TIME
    _ended: bool = False

    async def next_time(self) -> int | None:
        """The effective time of the next trade; None when there is none."""
        while not self._ended and (self._page is None or not len(self._page)):
            page = await anext(self.pages, None)
            if page is None:
                self._ended = True
                break
            # Effective times never run backwards in id order: a trade that is earlier than what was proven counts later.
            time = np.maximum(np.maximum.accumulate(page.time), self._newest)
            self._newest = int(time[-1])
            self._page = replace(page, time=time)
        return None if self._ended or self._page is None else int(self._page.time[0])

    async def take(self, before_ms: int) -> list[SymbolTrades]:
        """The trades with effective times below `before_ms`, in pieces of at most `MOST_FRAME_ROWS`."""
        pieces = []
        while (time := await self.next_time()) is not None and time < before_ms:
            assert self._page is not None
            count = min(int(np.searchsorted(self._page.time, before_ms)), MOST_FRAME_ROWS)
            chosen = np.arange(len(self._page)) < count
            pieces.append(self._page.select(chosen))
            self._page = self._page.select(~chosen)
        return pieces

    def holes(self, piece: SymbolTrades) -> list[Hole]:
        """The ids that are missing before rows of the next piece."""
        ids, times = piece.agg_id, piece.trade_time
        before = self.last_id if self.last_id >= 0 else int(ids[0]) - 1
        found = []
        steps = np.diff(ids, prepend=before)
        for row in np.flatnonzero(steps > 1).tolist():
            first, last = int(ids[row] - steps[row] + 1), int(ids[row]) - 1
            known_before = int(times[row - 1]) if row else self.last_time
            cause = self.causes.get(first, NOT_STORED)
            found.append(Hole(self.symbol, first, last, known_before, int(times[row]), cause))
        self.last_id, self.last_time = int(ids[-1]), int(times[-1])
        return found


@dataclass(slots=True)
class Replayed:
    """What was published."""

    trades: int = 0
    frames: int = 0
    holes: int = 0
    slow_inputs: int = 0


@dataclass(slots=True)
class Replayer:
    """Publishes feeds window by window of `WINDOW_MS`, all symbols at the same time. `epoch` is greater than any before."""

    publisher: Publisher
    partitions: int
    epoch: int
    done: Replayed = field(default_factory=Replayed)
    _sequences: dict[int, int] = field(default_factory=dict)

    async def run(self, feeds: Sequence[TradeFeed], slow: AsyncIterator[TimedEvent]) -> Replayed:
        """Publish everything, and wait until Kafka has it. Raises `BadMessage` for rows that no frame can hold."""
        by_partition: dict[int, list[TradeFeed]] = {}
        for feed in feeds:
            by_partition.setdefault(partition_of(feed.symbol, self.partitions), []).append(feed)
        waiting = await anext(slow, None)
        while (first := await _first_time(feeds)) is not None:
            end = (first // WINDOW_MS + 1) * WINDOW_MS
            while waiting is not None and waiting.time_ms < end:
                await self._send_slow(waiting)
                waiting = await anext(slow, None)
            for partition, members in by_partition.items():
                await self._send_window(partition, members, end)
        while waiting is not None:
            await self._send_slow(waiting)
            waiting = await anext(slow, None)
        await self.publisher.flush()
        return self.done

    async def _send_slow(self, item: TimedEvent) -> None:
        partition = partition_of(item.symbol, self.partitions)
        await self.publisher.send(item.topic, item.event, key=item.symbol, partition=partition)
        self.done.slow_inputs += 1

    async def _send_window(self, partition: int, feeds: Sequence[TradeFeed], end: int) -> None:
        taken = [await feed.take(end) for feed in feeds]
        rounds = max(map(len, taken))
        for number in range(rounds):
            parts = [
                (feed, pieces[number] if number < len(pieces) else None)
                for feed, pieces in zip(feeds, taken, strict=True)
            ]
            if number == rounds - 1:
                # Everything below the window's end is out with this frame, of every symbol.
                for feed in feeds:
                    feed.watermark = end - 1
            frame = self._frame(partition, parts, end)
            await self.publisher.send(AGGTRADE, frame, key=str(partition), partition=partition)
            self.done.frames += 1

    def _frame(self, partition: int, parts: Sequence[tuple[TradeFeed, SymbolTrades | None]], end: int) -> AggTradeFrame:
        sequence = self._sequences.get(partition, 0)
        self._sequences[partition] = sequence + 1
        holes = [hole for feed, piece in parts if piece is not None for hole in feed.holes(piece)]
        pieces = [piece for _, piece in parts if piece is not None]
        rows = [0 if piece is None else len(piece) for _, piece in parts]
        late = np.concatenate([piece.time != piece.trade_time for piece in pieces])
        producer = f"{PRODUCER}/{partition}"
        frame = AggTradeFrame(
            event_id=f"{producer}:{self.epoch}:{sequence}",
            event_time_ms=max(int(piece.time[-1]) for piece in pieces),
            partition=partition,
            producer=producer,
            epoch=self.epoch,
            sequence=sequence,
            received_us=end * 1000,
            slices=tuple(_slice(feed, piece) for feed, piece in parts),
            holes=tuple(holes),
            symbol_index=np.repeat(np.arange(len(parts)), rows).astype("<u2").tobytes(),
            buyer_is_maker=np.concatenate([piece.buyer_is_maker for piece in pieces]).astype("u1").tobytes(),
            late_row=np.flatnonzero(late).astype("<u4").tobytes(),
            late_time=np.concatenate([piece.time for piece in pieces])[late].astype("<i8").tobytes(),
            **{name: _column(pieces, name) for name in _WIDE},
        )
        read_columns(frame)
        self.done.trades += sum(rows)
        self.done.holes += len(holes)
        return frame


_WIDE = ("agg_id", "price", "quantity", "first_trade_id", "last_trade_id", "trade_time")


def _column(pieces: Sequence[SymbolTrades], name: str) -> bytes:
    return np.concatenate([getattr(piece, name) for piece in pieces]).astype("<i8").tobytes()


def _slice(feed: TradeFeed, piece: SymbolTrades | None) -> SymbolSlice:
    if piece is None:
        return SymbolSlice(feed.symbol, *feed.decimals, 0, -1, -1, feed.watermark)
    first, last = int(piece.agg_id[0]), int(piece.agg_id[-1])
    return SymbolSlice(
        feed.symbol, piece.price_decimals, piece.quantity_decimals, len(piece), first, last, feed.watermark
    )


async def _first_time(feeds: Sequence[TradeFeed]) -> int | None:
    times = [time for feed in feeds if (time := await feed.next_time()) is not None]
    return min(times, default=None)
