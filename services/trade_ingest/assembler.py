"""The pure heart: batches of trades in, frames out, one continuity and one watermark per symbol; no clock, no I/O.

The shell calls `take`, `fill`, `abandon` and `flush`, and sends what `drain` returns, in that order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from libs.contracts.frames import MOST_NOTIONAL
from libs.contracts.market import NEVER_EXISTED, UNKNOWN_TIME, AggTradeFrame, Hole
from libs.contracts.partitioning import partition_of
from libs.contracts.plausible import LATEST_MS
from libs.exchanges import AggTrade, Instrument
from libs.kit.errors import BadMessage, UserError
from services.trade_ingest.continuity import UNKNOWN_ID, Continuity, ContinuityTracker, Missing, Release, Told
from services.trade_ingest.frame_builder import LARGE_NOTIONAL, FrameBuilder, OpenSlice, Origin
from services.trade_ingest.watermark import Watermark

GRID_MS = 1000
HELD_BACK = (Continuity.WAITING, Continuity.FILLING)


@dataclass(frozen=True, slots=True)
class AssemblerOptions:
    """`rows_per_frame` cuts a frame at once; `grace_ms` is how far a quiet symbol's watermark stays behind the newest venue
    event time of its connection; `held_limit` bounds the newer trades kept per symbol while a gap is filled."""

    market_partitions: int
    rows_per_frame: int = 250
    grace_ms: int = 1000
    held_limit: int = 50_000


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a symbol's rows on the topic end: last id, raw time of that trade (or -1) and published watermark."""

    last_id: int = UNKNOWN_ID
    last_time: int = UNKNOWN_TIME
    watermark: int = UNKNOWN_TIME


class SymbolFeed:
    """One symbol: its scales, continuity, watermark, and the builder of its partition."""

    __slots__ = (
        "builder",
        "last_price",
        "last_time",
        "misread",
        "next_edge",
        "price_decimals",
        "published_watermark",
        "quantity_decimals",
        "symbol",
        "tracker",
        "watermark",
    )

    def __init__(self, instrument: Instrument, resume: Resume, builder: FrameBuilder, held_limit: int) -> None:
        self.symbol = instrument.symbol
        self.price_decimals = instrument.price_decimals
        self.quantity_decimals = instrument.quantity_decimals
        expected = resume.last_id + 1 if resume.last_id != UNKNOWN_ID else UNKNOWN_ID
        self.tracker = ContinuityTracker(expected, held_limit)
        self.tracker.told_time = resume.last_time
        self.watermark = Watermark(resume.watermark)
        self.published_watermark = resume.watermark
        self.last_time = resume.last_time
        self.last_price = ""
        self.builder = builder
        # The newest id that was told in a way that no frame can hold, and that REST was asked for.
        self.misread = UNKNOWN_ID
        self.next_edge = 0
        self.set_next_edge()

    def set_next_edge(self) -> None:
        """The first grid time that the watermark has not released yet: a trade at or after it crosses an edge."""
        self.next_edge = ((self.watermark.value + 1) // GRID_MS + 1) * GRID_MS

    def open_slice(self) -> OpenSlice:
        """The symbol's part of the open frame, made when it is asked for first."""
        part = self.builder.slices.get(self.symbol)
        if part is None:
            part = self.builder.slices[self.symbol] = OpenSlice(
                self.symbol, self.price_decimals, self.quantity_decimals, self.last_time
            )
        return part

    def publish(self, trade: AggTrade, believed_until: int) -> bool:
        """Put a trade into the open frame; True when it crosses a grid edge."""
        builder = self.builder
        part = builder.slices.get(self.symbol) or self.open_slice()
        time = trade.trade_time
        if time <= believed_until:
            self.last_time, self.last_price = time, trade.price
        effective = self.watermark.admit(time, believed_until)
        if effective != time:
            part.late.append((len(part.trades), effective))
        part.trades.append(trade)
        builder.rows += 1
        if effective < self.next_edge:
            return False
        self.set_next_edge()
        return True


@dataclass(slots=True)
class Counts:
    """Exact counts since start, by symbol."""

    published: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    never_existed: dict[str, int] = field(default_factory=dict)
    disbelieved: dict[str, int] = field(default_factory=dict)

    def forget(self, symbol: str) -> None:
        """Count the symbol from 0 again."""
        for counts in (self.published, self.missing, self.never_existed, self.disbelieved):
            counts.pop(symbol, None)


class Assembler:
    """All symbols of one process. Frames come out of `drain` in the order in which they must be sent.

    `in_doubt` is set for the shell when a time was not believed: it, or its own idea of the present, is wrong.
    `believed_until` (ms) is what the shell knows of the venue's present: a trade of the stream that is stamped later is not
    taken, REST is asked for it; one that REST stamps so too is published as late. One absurd stamp would otherwise move its
    symbol's watermark there, and every later trade would be late.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        resumes: dict[str, Resume],
        origin: Origin,
        options: AssemblerOptions,
    ) -> None:
        self._options = options
        self._sequence = 0
        self._received_us = 0
        self._frames: list[AggTradeFrame] = []
        # Frames that hold a trade beyond a grid edge, and when the first such trade was received (µs).
        self._edges: dict[FrameBuilder, int] = {}
        self._builders: dict[int, FrameBuilder] = {}
        self._members: dict[int, list[SymbolFeed]] = {}
        self.feeds: dict[str, SymbolFeed] = {}
        self.counts = Counts()
        self.newly_filling: list[str] = []
        self.in_doubt = False
        self.believed_until = LATEST_MS
        self.origin = origin
        for instrument in instruments:
            self.add(instrument, resumes.get(instrument.symbol, Resume()))

    def add(self, instrument: Instrument, resume: Resume) -> SymbolFeed:
        """One more symbol, which goes on where its rows on the topic end."""
        symbol = instrument.symbol
        partition = partition_of(symbol, self._options.market_partitions)
        builder = self._builders.setdefault(partition, FrameBuilder(partition, self.origin))
        feed = self.feeds[symbol] = SymbolFeed(instrument, resume, builder, self._options.held_limit)
        self._members.setdefault(partition, []).append(feed)
        return feed

    def remove(self, symbol: str) -> None:
        """The symbol is ours no more: what it has in the open frame is cut, what it holds back is REST's to tell again."""
        feed = self.feeds[symbol]
        if symbol in feed.builder.slices:
            self._cut(feed.builder)
        del self.feeds[symbol]
        self._members[feed.builder.partition].remove(feed)
        self.newly_filling = [other for other in self.newly_filling if other != symbol]
        self.counts.forget(symbol)

    @property
    def grace_ms(self) -> int:
        """How far a quiet symbol's watermark stays behind what is known of its connection."""
        return self._options.grace_ms

    def take(self, trades: Sequence[AggTrade], received_us: int, line: int = 0) -> None:
        """Trades of one socket read of one line, in arrival order. Trades of symbols that are not ours are ignored."""
        self._received_us = received_us
        feeds = self.feeds
        rows_per_frame, believed_until = self._options.rows_per_frame, min(self.believed_until, LATEST_MS - 1)
        for trade in trades:
            feed = feeds.get(trade.symbol)
            if feed is None:
                continue
            if trade.trade_time > believed_until:
                self._disbelieve(feed)
                continue
            tracker = feed.tracker
            before = tracker.state
            if tracker.offer(trade, line):
                if feed.publish(trade, believed_until):
                    self._edges.setdefault(feed.builder, received_us)
                if feed.builder.rows >= rows_per_frame:
                    self._cut(feed.builder)
                if before in HELD_BACK:
                    self._release(feed, tracker.follow_up(), received_us)
            elif before is not Continuity.FILLING and tracker.state is Continuity.FILLING:
                self.newly_filling.append(feed.symbol)

    def _disbelieve(self, feed: SymbolFeed) -> None:
        self.counts.disbelieved[feed.symbol] = self.counts.disbelieved.get(feed.symbol, 0) + 1
        self.in_doubt = True
        if feed.tracker.distrust():
            self.newly_filling.append(feed.symbol)

    @property
    def waits_beyond_an_edge(self) -> bool:
        """Whether a trade beyond a grid edge waits in an open frame."""
        return bool(self._edges)

    def cut_edges(self) -> None:
        """Cut the frames that a trade beyond a grid edge made urgent."""
        for builder in tuple(self._edges):
            self._cut(builder)

    def cut(self, symbol: str) -> None:
        """Cut the frame that has rows or holes of the symbol, so that what is told of them is told behind it."""
        builder = self.feeds[symbol].builder
        if symbol in builder.slices:
            self._cut(builder)

    def cut_holes(self) -> None:
        """Cut the frames that have holes, so that what is told of a hole is told behind it."""
        for builder in self._builders.values():
            if builder.holes:
                self._cut(builder)

    def waiting_holes(self, symbol: str) -> list[Hole]:
        """Holes of the symbol that are declared and in no frame that was drained."""
        frames = [hole for frame in self._frames for hole in frame.holes]
        return [hole for hole in (*frames, *self.feeds[symbol].builder.holes) if hole.symbol == symbol]

    def begin(self, symbol: str, expected: int, watermark: int, received_us: int) -> None:
        """A fresh symbol starts at `expected`; everything at or below `watermark` stands in its bootstrap."""
        feed = self.feeds[symbol]
        feed.watermark.follow(watermark)
        feed.set_next_edge()
        self._release(feed, feed.tracker.begin(expected), received_us)

    def fill(self, symbol: str, rows: Sequence[AggTrade], told: Told, received_us: int) -> None:
        """Rows by REST for a symbol in doubt or with a gap; see `ContinuityTracker.fill`."""
        feed = self.feeds[symbol]
        self._release(feed, feed.tracker.fill(rows, told), received_us)

    def abandon(self, symbol: str, cause: str, received_us: int) -> None:
        """Declare the gap before the oldest held trade as a hole and go on."""
        feed = self.feeds[symbol]
        self._release(feed, feed.tracker.abandon(cause), received_us)

    def interrupt(self, symbols: Iterable[str]) -> None:
        """Their connection is lost: watermarks stand still until each symbol's continuity is proven again."""
        for symbol in symbols:
            self.feeds[symbol].tracker.interrupt()

    def follow(self, symbols: Iterable[str], event_time: int) -> None:
        """The newest venue event time of their healthy connection: quiet symbols' watermarks follow it less the grace."""
        proven = event_time - self._options.grace_ms
        for symbol in symbols:
            feed = self.feeds[symbol]
            if feed.watermark.value < proven and feed.tracker.state is Continuity.LIVE:
                feed.watermark.follow(proven)
                if proven + 1 >= feed.next_edge:
                    feed.set_next_edge()

    def flush(self) -> None:
        """Cut every partition that has rows or holes, or a quiet symbol whose watermark passed a grid edge."""
        for partition, builder in self._builders.items():
            if builder.rows or builder.holes or any(self._due(feed) for feed in self._members[partition]):
                self._cut(builder)

    def drain(self) -> list[AggTradeFrame]:
        """The frames cut since the last call, oldest first."""
        frames, self._frames = self._frames, []
        return frames

    @staticmethod
    def _due(feed: SymbolFeed) -> bool:
        return (feed.watermark.value + 1) // GRID_MS > (feed.published_watermark + 1) // GRID_MS

    def _release(self, feed: SymbolFeed, items: Release, received_us: int) -> None:
        self._received_us = received_us
        for index, item in enumerate(items):
            if isinstance(item, Missing):
                self._declare(feed, item, items[index + 1 : index + 2])
                continue
            feed.publish(item, self.believed_until)
            if feed.builder.rows >= self._options.rows_per_frame:
                self._cut(feed.builder)
                if feed.tracker.expected <= item.agg_id:
                    # The cut took a row back, and REST will be asked from there: what follows must not overtake it.
                    return

    def _declare(self, feed: SymbolFeed, missing: Missing, following: "Sequence[AggTrade | Missing]") -> None:
        """A hole ends where the next trade says, unless nothing or nothing believable follows."""
        times = [item.trade_time for item in following if not isinstance(item, Missing)]
        to_ms = times[0] if times and times[0] <= self.believed_until else feed.last_time
        from_ms = feed.last_time if feed.last_time != UNKNOWN_TIME else to_ms
        feed.open_slice()
        feed.builder.holes.append(Hole(feed.symbol, missing.first, missing.last, from_ms, to_ms, missing.cause))
        self._count_missing(feed.symbol, missing.last - missing.first + 1, missing.cause)

    def _count_missing(self, symbol: str, ids: int, cause: str) -> None:
        counts = [self.counts.missing, self.counts.never_existed][: 2 if cause == NEVER_EXISTED else 1]
        for count in counts:
            count[symbol] = count.get(symbol, 0) + ids

    def _cut(self, builder: FrameBuilder) -> None:
        received_us = self._edges.pop(builder, self._received_us)
        frame = self._sealed(builder, received_us)
        while frame is None:
            frame = self._sealed(builder, received_us)
        self._frames.append(frame)
        self._sequence += 1
        published = self.counts.published
        for part in frame.slices:
            self.feeds[part.symbol].published_watermark = part.watermark_ms
            published[part.symbol] = published.get(part.symbol, 0) + part.rows

    def _sealed(self, builder: FrameBuilder, received_us: int) -> AggTradeFrame | None:
        """The frame, or None after trades that no frame can hold were taken out of it."""
        for feed in self._members[builder.partition]:
            if self._due(feed):
                feed.open_slice()
        for symbol, part in builder.slices.items():
            part.watermark = self.feeds[symbol].watermark.value
        try:
            return builder.cut(self._sequence, received_us)
        except BadMessage:
            for most_notional in (MOST_NOTIONAL, LARGE_NOTIONAL):
                # One at a time: what only their sum makes too large is no reason to take back all of them.
                if any(self._take_back(part, most_notional) for part in tuple(builder.slices.values())):
                    return None
            raise

    def _take_back(self, part: OpenSlice, most_notional: int) -> bool:
        """Take the symbol's rows from the first unreadable one on out of the open frame; false when there is none.

        What the stream told so, REST is asked for. What REST tells so too does not exist for us: a hole, unless only our
        scale is too coarse, which a restart mends.
        """
        feed = self.feeds[part.symbol]
        complaints = ((index, part.complaint(trade, most_notional)) for index, trade in enumerate(part.trades))
        index, complaint = next(((i, error) for i, error in complaints if error is not None), (0, None))
        if complaint is None:
            return False
        bad, newer = part.trades[index], part.trades[index + 1 :]
        holes = [
            hole for hole in feed.builder.holes if hole.symbol == feed.symbol and hole.first_missing_id > bad.agg_id
        ]
        self._start_over(feed, part, index)
        if feed.misread != bad.agg_id:
            feed.misread = bad.agg_id
            self.counts.disbelieved[feed.symbol] = self.counts.disbelieved.get(feed.symbol, 0) + 1
            self._undeclare(feed, holes)
            feed.tracker.take_back(bad.agg_id, newer)
            self.newly_filling.append(feed.symbol)
            return True
        if complaint.reason == "finer_than_scale":
            # The process is ending, and its last frames are still sent: nothing behind this trade may be among them, or the
            # next start would resume behind a trade that nobody has published.
            self._undeclare(feed, holes)
            feed.tracker.take_back(bad.agg_id, newer)
            raise UserError(
                f"a trade does not fit the scale of the venue's filters: {complaint.detail}",
                where=feed.symbol,
                todo="start trade_ingest again, so that it reads exchangeInfo anew",
            )
        self._declare(feed, Missing(bad.agg_id, bad.agg_id, complaint.reason), newer[:1])
        for trade in newer:
            feed.publish(trade, self.believed_until)
        return True

    def _start_over(self, feed: SymbolFeed, part: OpenSlice, rows: int) -> None:
        """Empty the symbol's part of the open frame, and put its first `rows` rows into it again."""
        builder = feed.builder
        builder.rows -= len(part.trades)
        del builder.slices[feed.symbol]
        feed.watermark.take_back(feed.published_watermark, len(part.late))
        feed.last_time = part.time_before
        feed.set_next_edge()
        feed.open_slice()
        for trade in part.trades[:rows]:
            feed.publish(trade, self.believed_until)

    def _undeclare(self, feed: SymbolFeed, holes: "Sequence[Hole]") -> None:
        """REST will be asked for what lies behind, and say again what it does not have."""
        for hole in holes:
            feed.builder.holes.remove(hole)
            self._count_missing(feed.symbol, hole.first_missing_id - hole.last_missing_id - 1, hole.cause)
