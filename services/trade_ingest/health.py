"""What is told of each symbol's trade feed: its state with figures, and its gaps; a restarted process goes on from that."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from libs.contracts.event import Event
from libs.contracts.market import (
    NEVER_EXISTED,
    UNKNOWN_TIME,
    FeedState,
    FeedStatusChanged,
    Hole,
    IdMark,
    OpenGap,
    TradeGapChanged,
)
from libs.exchanges import AggTrade
from libs.exchanges.feed_status import REPORT_MS, FeedStatus, Figures, Meter
from libs.kit.durations import DAY_MS, HOUR_MS
from libs.kit.metrics import counter, gauge
from services.trade_ingest.assembler import Assembler, SymbolFeed
from services.trade_ingest.completeness import Completeness
from services.trade_ingest.continuity import UNKNOWN_ID, Continuity, Missing
from services.trade_ingest.gaps import GapBook, counted

FEED = "trades"
# Real seconds between two reports of a symbol at least, however fast the venue's time runs.
SHORTEST_SECONDS = 1.0
# Real seconds that another line has for what one jumped over and REST brought: some times what it is waited for before that.
OWED_SECONDS = 5.0
# Of the gauge, as labels.
COMPLETENESS_SPANS = ("1h", "24h")
# In one report; what lies beyond is told gap by gap.
MOST_OPEN = 200


@dataclass(slots=True)
class FeedMemory:
    """What a symbol's feed has last said of itself. `missing_behind`: lost ids of holes that it did not come to say."""

    open_gaps: list[OpenGap] = field(default_factory=list)
    gaps_filled: int = 0
    marks: tuple[IdMark, ...] = ()
    missing_behind: int = 0

    def absorb_holes(self, holes: Sequence[Hole]) -> None:
        """Of the holes on the topic, those that its last report did not know: the process was killed before the next one."""
        if not self.marks:
            return
        for hole in holes:
            ids = hole.last_missing_id - hole.first_missing_id + 1
            if hole.first_missing_id >= self.marks[-1].next_id:
                self.missing_behind += ids if hole.cause != NEVER_EXISTED else 0
                missing = Missing(hole.first_missing_id, hole.last_missing_id, hole.cause)
                self.open_gaps = [counted(gap, [missing]) for gap in self.open_gaps]

    def absorb(self, event: FeedStatusChanged | TradeGapChanged) -> None:
        """One of its events, in log order."""
        if isinstance(event, FeedStatusChanged):
            listed = list(event.open_gaps)
            if event.gaps_open > len(listed):  # a report has room for the oldest ones only
                last = listed[-1].last_missing_id if listed else UNKNOWN_ID
                listed += [gap for gap in self.open_gaps if gap.first_missing_id > last]
            self.open_gaps, self.gaps_filled, self.marks = listed, event.gaps_filled, event.marks
            return
        first, last = event.first_missing_id, event.last_missing_id
        known = [gap for gap in self.open_gaps if (gap.first_missing_id, gap.last_missing_id) != (first, last)]
        if event.outcome == "open":
            known.append(OpenGap(first, last, event.from_ms, event.to_ms, event.cause, event.found_ms, event.unfilled))
        elif event.outcome == "filled" and len(known) < len(self.open_gaps):
            self.gaps_filled += 1
        self.open_gaps = known


@dataclass(slots=True)
class _Symbol:
    feed: SymbolFeed
    book: GapBook
    completeness: Completeness
    missing_before: int
    begun: bool
    meter: Meter = field(default_factory=Meter)
    cause: str = "restart"
    reported_at: float = 0.0
    reported_ms: int = UNKNOWN_TIME
    published: int = 0
    # Since when (monotonic seconds) ids up to the second are owed by some line.
    owed: tuple[float, int] | None = None

    @property
    def next_id(self) -> int:
        return self.feed.tracker.expected


class FeedHealth:
    """`send` publishes an event of a symbol; `now_ms` is the venue's time. What is fetched before a symbol is live for the first
    time is its beginning, and no gap. `clock_offset_ms`: our clock less the venue's, where that can be said. `publish`: put all
    that was taken of a symbol into the queue; what is said to be filled stands before it on the topic."""

    def __init__(
        self,
        assembler: Assembler,
        memories: dict[str, FeedMemory],
        now_ms: Callable[[], int],
        send: Callable[[Event, str], None],
    ) -> None:
        self._assembler = assembler
        self._now_ms = now_ms
        self._send = send
        self._status = FeedStatus(FEED, assembler.feeds)
        self.clock_offset_ms: float | None = None
        self.publish: Callable[[str], None] = assembler.cut
        self._symbols: dict[str, _Symbol] = {}
        for symbol in assembler.feeds:
            self.add(symbol, memories.get(symbol, FeedMemory()))

    def add(self, symbol: str, memory: FeedMemory) -> None:
        """One more symbol of the assembler's, which goes on from what its feed has last said."""
        feed = self._assembler.feeds[symbol]
        book = GapBook(symbol, list(memory.open_gaps), memory.gaps_filled)
        missing = (memory.marks[-1].missing if memory.marks else 0) + memory.missing_behind
        begun = feed.tracker.expected != UNKNOWN_ID
        self._symbols[symbol] = _Symbol(feed, book, Completeness(memory.marks), missing, begun)
        self._status.follow(symbol)

    def remove(self, symbol: str) -> None:
        """Report the symbol for the last time."""
        self._status.end(symbol, self._now_ms())
        self._report(symbol)
        self._status.forget(symbol)
        del self._symbols[symbol]

    def say(self, symbol: str, state: FeedState, detail: str = "", since_ms: int | None = None) -> None:
        """Publish the state, with figures, if it is another than before; it holds since now, or since `since_ms`."""
        if self._status.enter(symbol, state, self._now_ms() if since_ms is None else since_ms, detail):
            self._report(symbol)

    def say_starting(self, symbol: str) -> None:
        """Before the first connection; afterwards, what was wrong is more to know than that we try again."""
        if self._status.state_of(symbol) is None:
            self.say(symbol, "starting")

    def doubt(self, symbol: str, cause: str) -> None:
        """Why trades may be missing from now on; what was skipped before that had another cause."""
        self._note_skipped(symbol)
        self._symbols[symbol].cause = cause

    def delayed(self, symbol: str, delay_ms: float) -> None:
        """A message of the symbol came so long after its event time."""
        if (known := self._symbols.get(symbol)) is not None:
            known.meter.delayed(delay_ms)

    def note_gaps(self, symbol: str, *, given_up: bool = False) -> None:
        """Look at what the symbol's tracker misses; tell what is new. `given_up`: nobody waits for the first gap any more."""
        known = self._symbols[symbol]
        news: list[TradeGapChanged] = []
        gaps = known.feed.tracker.gaps(given_up=given_up) if known.begun else []
        if gaps:
            known.feed.tracker.settle()  # each line has told something newer
        # First, because the book counts upwards: what lies below a gap that it knows is no news to it.
        self._note_skipped(symbol)
        for first, last, before, after in gaps:
            from_ms = known.feed.last_time if before is None else before.trade_time
            news += known.book.found(first, last, (from_ms, after.trade_time), known.cause, self._now_ms())
        self._tell(symbol, news)
        if news:
            self._report(symbol)

    def brought(self, symbol: str, last_time: int, rows: Sequence[AggTrade]) -> None:
        """REST gave rows that the stream should have told and did not. Told before the rows are published, so that a successor
        of ours knows of the gap whenever they are."""
        if not rows:
            return
        known, first, begin = self._symbols[symbol], rows[0].agg_id, last_time
        tracker = known.feed.tracker
        tracker.settle()  # no line will tell what is older than these either
        self._tell_skipped(symbol)
        if known.book.counted < first - 1 and tracker.told != UNKNOWN_ID:
            # Rows of earlier answers too, of which it was not certain then.
            first, begin = tracker.told + 1, tracker.told_time
        if begin == UNKNOWN_TIME:
            begin = rows[0].trade_time
        self._brought(symbol, (first, rows[-1].agg_id), (begin, rows[-1].trade_time))

    def interrupted(self, symbol: str) -> None:
        """The stream is lost: what REST had brought ahead of it, it will never tell."""
        known = self._symbols[symbol]
        tracker, last_time = known.feed.tracker, known.feed.last_time
        tracker.settle()
        self._note_skipped(symbol)
        begin = tracker.told_time if tracker.told_time != UNKNOWN_TIME else last_time
        self._brought(symbol, (tracker.told + 1, known.next_id - 1), (begin, last_time))

    def _note_skipped(self, symbol: str) -> None:
        """REST has told these ahead of the stream, and the stream went on behind them: it did not have them."""
        if self._tell_skipped(symbol):
            self.advanced(symbol)

    def _tell_skipped(self, symbol: str) -> bool:
        tracker = self._symbols[symbol].feed.tracker
        skipped, tracker.skipped = tracker.skipped, []
        for first, last, from_ms, to_ms in skipped:
            self._brought(symbol, (first, last), (from_ms, to_ms))
        return bool(skipped)

    def _wait_for_owed(self, symbol: str, now: float) -> None:
        """Of several lines that are kept for good, one may say nothing of a symbol for hours: it has its time, and no more."""
        known = self._symbols[symbol]
        tracker = known.feed.tracker
        if tracker.owed and known.owed is None:
            known.owed = now, tracker.owed[-1].last
        elif known.owed is not None and not tracker.owed:
            known.owed = None
            self.advanced(symbol)
        elif known.owed is not None and now - known.owed[0] > OWED_SECONDS:
            tracker.settle(known.owed[1])
            known.owed = None

    def _brought(self, symbol: str, ids: tuple[int, int], times: tuple[int, int]) -> None:
        known = self._symbols[symbol]
        if known.begun and known.book.brought(*ids, times, known.cause, self._now_ms()):
            self._report(symbol)

    def declared(self, holes: Sequence[Hole]) -> None:
        """These are published. What is one of an open gap is told at once: a successor would not know of it."""
        known = [
            hole.symbol
            for hole in holes
            if self._symbols[hole.symbol].book.missing(Missing(hole.first_missing_id, hole.last_missing_id, hole.cause))
        ]
        for symbol in dict.fromkeys(known):
            self._report(symbol)

    def advanced(self, symbol: str) -> None:
        """The symbol got further: tell which gaps ended."""
        known = self._symbols[symbol]
        tracker = known.feed.tracker
        whole = tracker.state is Continuity.LIVE
        if known.book.ends(tracker.expected, whole=whole):
            self.publish(symbol)
            whole = tracker.state is Continuity.LIVE  # not if a row of it is one that no frame can hold
        # What a stream still owes may become a gap later.
        told = min([tracker.told, *(part.first - 1 for part in (*tracker.owed, *tracker.skipped))])
        closed = known.book.advanced(tracker.expected, whole=whole, now_ms=self._now_ms(), told=told)
        self._tell(symbol, closed)
        if whole:
            if not known.begun:
                known.begun = True
                if tracker.told < tracker.expected - 1:
                    tracker.told, tracker.told_time = tracker.expected - 1, known.feed.last_time
            if tracker.owed or tracker.skipped:
                return  # these still have the cause
            # While the stream is silent, REST makes the symbol whole again and again, and the next gap has the same cause.
            known.cause = "silent" if self._status.state_of(symbol) == "silent" else "not_sent"

    def tick(self, now: float | None = None) -> None:
        """Report the figures of every symbol whose turn it is. `now`: real seconds, those of the monotonic clock if not given."""
        now_ms, now = self._now_ms(), time.monotonic() if now is None else now
        for symbol, known in self._symbols.items():
            self._wait_for_owed(symbol, now)
            self._note_skipped(symbol)
            if now_ms - known.reported_ms >= REPORT_MS and now - known.reported_at >= SHORTEST_SECONDS:
                self._report(symbol)

    def _tell(self, symbol: str, changes: Sequence[TradeGapChanged]) -> None:
        for change in changes:
            counter("perpstream_gaps_total").labels(symbol, change.outcome).inc()
            self._send(change, symbol)

    def _report(self, symbol: str) -> None:
        known, now_ms = self._symbols[symbol], self._now_ms()
        known.reported_at, known.reported_ms = time.monotonic(), now_ms
        counts = self._assembler.counts
        lost = counts.missing.get(symbol, 0) - counts.never_existed.get(symbol, 0)
        # How far the frames have come that are sent: a successor takes holes beyond for such as this report does not know.
        next_id = known.next_id
        for hole in self._assembler.waiting_holes(symbol):
            next_id = min(next_id, hole.first_missing_id)
            lost -= hole.last_missing_id - hole.first_missing_id + 1 if hole.cause != NEVER_EXISTED else 0
        published = counts.published.get(symbol, 0)
        known.meter.count(published - known.published)
        known.published = published
        mark = IdMark(max(0, now_ms), next_id, known.missing_before + lost)
        if next_id != UNKNOWN_ID:
            known.completeness.mark(mark)
        rate, delay = known.meter.take(now_ms)
        hour, day = known.completeness.ppm(HOUR_MS, mark), known.completeness.ppm(DAY_MS, mark)
        figures = Figures(
            events_per_second=None if rate is None else round(rate, 3),
            delay_ms=None if delay is None else round(delay, 1),
            clock_offset_ms=self.clock_offset_ms,
            gaps_open=len(known.book.open),
            gaps_filled=known.book.filled,
            completeness_1h_ppm=hour,
            completeness_24h_ppm=day,
            open_gaps=known.book.listed(MOST_OPEN),
            marks=known.completeness.marks(mark),
        )
        gauge("perpstream_gaps_open").labels(symbol).set(len(known.book.open))
        for span, ppm in zip(COMPLETENESS_SPANS, (hour, day), strict=True):
            if ppm is not None:
                gauge("perpstream_completeness_ratio").labels(symbol, span).set(ppm / 1_000_000)
        event = self._status.report(symbol, now_ms, known.feed.last_time, figures)
        if event is not None:
            self._send(event, symbol)
