"""Fetching by REST what the stream did not bring: fresh starts, restarts, gaps; one symbol never blocks another."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from libs.exchanges import AggTrade, MarketData
from libs.exchanges.budget import Priority
from libs.exchanges.errors import RateLimited, VenueError, VenueUnavailable
from libs.exchanges.venue import synchronise
from libs.kit.clock import VenueClock, wall_us
from libs.kit.logging import get_logger
from services.trade_ingest.assembler import Assembler, SymbolFeed
from services.trade_ingest.attempts import NOT_ASKED, Attempt, Line
from services.trade_ingest.continuity import UNKNOWN_ID, Continuity, Told

PAGE = 1000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
NOT_BELIEVED = "not_believed"
NOT_ANSWERED = "not_answered"
REFUSED = "refused"
HISTORY_MS = 24 * HOUR_MS - 5 * MINUTE_MS
WORKERS = 4
# Of one turn: a long history is no reason for another symbol to wait.
PAGES = 10
LOOK_SECONDS = 1.0
# Only REST can end these.
UNSETTLED = (Continuity.DOUBT, Continuity.FILLING)
# A hole is due already: what speaks against it must not take long.
CONFIRM_SECONDS = 5.0


class FillHost(Protocol):
    """What the filler needs of the running service."""

    @property
    def assembler(self) -> Assembler: ...

    async def bootstrap(self, symbol: str, until_ms: int) -> None:
        """Fetch and publish the bars that end at `until_ms`."""
        ...

    def fill(self, symbol: str, rows: Sequence[AggTrade], told: Told) -> None:
        """Rows by REST into the assembler, and what comes of them into the queue."""
        ...

    def abandon(self, symbol: str, cause: str) -> None:
        """Declare the gap before the oldest held trade as a hole."""
        ...

    def pump(self) -> None:
        """Queue what the assembler has cut."""
        ...

    async def room(self) -> None:
        """Wait while the queue to Kafka is full."""
        ...

    def connected(self, symbol: str) -> bool:
        """Whether the symbol's stream is open."""
        ...

    def settled(self, symbol: str) -> None:
        """The symbol's continuity is proven."""
        ...


@dataclass(frozen=True, slots=True)
class FillRules:
    """`patience_seconds`: real time without progress before a gap is given up. `history_ms`: how much a fresh symbol fetches
    before the open minute. `rows_begin`: symbols whose bootstrap is on the topic already, with the start of their rows.
    `positions`: the symbols that somebody holds a position in now; theirs are served first."""

    patience_seconds: float = 60.0
    history_ms: int = 0
    rows_begin: dict[str, int] = field(default_factory=dict)
    positions: Callable[[], frozenset[str]] = frozenset


class GapFiller:
    """Works through the symbols asked for with `want`, a few at a time and a few pages each, until each is live or its stream is
    gone. Who is refused waits for its next turn outside the workers, so that nobody waits behind it."""

    def __init__(self, host: FillHost, market_data: MarketData, clock: VenueClock, rules: FillRules) -> None:
        self._host = host
        self._market_data = market_data
        self._clock = clock
        self._rules = rules
        # Lines of work: hundreds of fresh symbols are no reason for a gap to wait, and no gap is one for a position.
        self._positions: Line = asyncio.Queue()
        self._gaps: Line = asyncio.Queue()
        self._starts: Line = asyncio.Queue()
        # By feed, not by name: a symbol that was removed and added again is another one.
        self._since: dict[SymbolFeed, Attempt] = {}
        self._waiting: set[SymbolFeed] = set()
        self._fresh: set[SymbolFeed] = set()
        self._log = get_logger("gapfill")

    def _asking(self, feed: SymbolFeed, patience_seconds: float | None = None) -> MarketData:
        """The venue, asked with what the symbol is worth. A turn that does not come within our patience is no answer: a hole is
        declared then, so that the symbol goes on. What a fresh one owes is nobody's loss yet, and waits."""
        if feed.symbol in self._rules.positions():
            priority = Priority.POSITIONS
        elif feed in self._fresh:
            return self._market_data.at(Priority.WARM_UP)
        else:
            priority = Priority.GAPS
        return self._market_data.at(priority, patience_seconds or self._rules.patience_seconds)

    def want(self, symbol: str) -> None:
        """Ask for a symbol; asking again while it waits or is worked on changes nothing."""
        feed = self._host.assembler.feeds[symbol]
        if feed not in self._waiting:
            self._waiting.add(feed)
            self._queue(feed, self._since.setdefault(feed, Attempt(feed.tracker.expected)))

    def owes(self, symbol: str, begin_ms: int) -> None:
        """The symbol's bootstrap is on the topic, and its trades are owed since then."""
        self._rules.rows_begin[symbol] = begin_ms

    def forget(self, feed: SymbolFeed) -> None:
        """The symbol was removed: nothing of it is kept. A worker that has it still clears the rest when it ends."""
        attempt = self._since.pop(feed, None)
        if attempt is not None and not attempt.in_hand:
            attempt.stop()
            self._waiting.discard(feed)
        self._fresh.discard(feed)

    def _followed(self, feed: SymbolFeed) -> bool:
        """Whether nobody has removed the symbol meanwhile: after each answer, what came belongs to this feed or to none."""
        return self._host.assembler.feeds.get(feed.symbol) is feed

    def _needs(self, feed: SymbolFeed) -> bool:
        """Whether REST can do something for it now."""
        return feed.tracker.state in UNSETTLED and self._followed(feed) and self._host.connected(feed.symbol)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for line in (self._positions, self._gaps, self._starts):
                for _ in range(WORKERS):
                    workers.create_task(self._work(line))
            workers.create_task(self._watch())

    def _queue(self, feed: SymbolFeed, attempt: Attempt) -> None:
        attempt.stop()
        if feed.symbol in self._rules.positions():
            attempt.line = self._positions
        elif feed in self._fresh or feed.tracker.expected == UNKNOWN_ID:
            attempt.line = (
                self._starts
            )  # until it has once run: what it asks for waits for what gaps leave of the weight
        else:
            attempt.line = self._gaps
        attempt.line.put_nowait(feed)

    async def _work(self, line: Line) -> None:
        while True:
            feed = await line.get()
            attempt = self._since.get(feed)
            if attempt is None or attempt.line is not line:
                continue  # removed, or it waits in another line now
            attempt.line, attempt.in_hand = None, True
            seconds = await self._serve(feed, attempt)
            attempt.in_hand = False
            if not self._needs(feed):
                self._leave(feed, attempt)
            elif seconds:
                attempt.timer = asyncio.get_running_loop().call_later(seconds, self._queue, feed, attempt)
            else:
                self._queue(feed, attempt)

    async def _serve(self, feed: SymbolFeed, attempt: Attempt) -> float:
        """A few pages; how many seconds later the symbol shall be asked for again."""
        try:
            if feed.tracker.expected == UNKNOWN_ID and self._followed(feed):
                await self._start_fresh(feed)
            for _ in range(PAGES):
                if not self._needs(feed):
                    break
                await self._host.room()
                problem = await self._ask_once(feed)
                if not attempt.progressed(feed.tracker.expected):
                    return attempt.failed(problem)
        except VenueError as error:
            problem = _problem(error)
            self._log.warning("cannot fill yet", symbol=feed.symbol, problem=problem, error=str(error))
            return attempt.failed(problem, refused=not isinstance(error, RateLimited | VenueUnavailable))
        return 0.0

    def _leave(self, feed: SymbolFeed, attempt: Attempt) -> None:
        """REST can do nothing more for it now."""
        attempt.stop()
        self._waiting.discard(feed)
        state, followed = feed.tracker.state, self._followed(feed)
        if state not in UNSETTLED or not followed:
            self._since.pop(feed, None)
        if state is Continuity.LIVE or not followed:
            self._fresh.discard(feed)
        if state is Continuity.LIVE and followed:
            self._host.settled(feed.symbol)

    async def _watch(self) -> None:
        """Whoever waits without progress longer than our patience goes on with a hole, whether it had a turn or not."""
        at = time.monotonic()
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._rules.patience_seconds / 4))
            now = time.monotonic()
            passed, at = now - at, now
            overdue = [feed for feed in tuple(self._waiting) if self._overdue(feed, passed)]
            await asyncio.gather(*(self._give_up(feed) for feed in overdue))

    def _overdue(self, feed: SymbolFeed, passed: float) -> bool:
        attempt = self._since.get(feed)
        if attempt is None:
            return False
        attempt.waited += passed
        if attempt.in_hand:
            return False
        if not self._needs(feed):
            self._leave(feed, attempt)
            return False
        progressed = attempt.progressed(feed.tracker.expected)
        moves = attempt.line in (self._gaps, self._starts) and feed.symbol in self._rules.positions()
        if moves or (progressed and attempt.line is None):
            self._queue(feed, attempt)
        # A fresh symbol that had no turn yet has lost nothing.
        waits = feed in self._fresh and attempt.problem == NOT_ASKED
        return attempt.waited > self._rules.patience_seconds and not waits

    async def _start_fresh(self, feed: SymbolFeed) -> None:
        """Bootstrap bars up to M, then the first trade at or after M is the first row."""
        symbol = feed.symbol
        self._fresh.add(feed)
        begin_ms = self._rules.rows_begin.get(symbol)
        if begin_ms is None:
            begin_ms = (await self._begun_ms(feed) - self._rules.history_ms) // MINUTE_MS * MINUTE_MS
            if not self._followed(feed):
                return
            await self._host.bootstrap(symbol, begin_ms)
            if not self._followed(feed):
                return
            self._rules.rows_begin[symbol] = begin_ms
        expected = await self._first_id(feed, begin_ms)
        if not self._followed(feed):
            return
        self._log.info("fresh start", symbol=symbol, rows_begin_ms=begin_ms, first_id=expected)
        self._host.assembler.begin(symbol, expected, begin_ms - 1, wall_us())
        self._host.pump()

    async def _begun_ms(self, feed: SymbolFeed) -> int:
        """Venue time since when the stream has told everything: its first trade, or now where none has come.

        Asked, not taken from our clock: a recording's time stands still until it has a reader, and one that is told as fast
        as possible is elsewhere at once.
        """
        now = await self._asking(feed).server_time()
        held = feed.tracker.first_held
        return now if held is None else min(now, held.trade_time)

    async def _first_id(self, feed: SymbolFeed, begin_ms: int) -> int:
        """The first id at or after `begin_ms`; the id after the newest when nothing was traded since."""
        symbol, asking = feed.symbol, self._asking(feed)
        if rows := await asking.agg_trades_between(symbol, begin_ms, begin_ms + HOUR_MS - 1, 1):
            return rows[0].agg_id
        newest = await asking.newest_agg_trades(symbol)
        if not newest:
            return UNKNOWN_ID
        if newest[-1].trade_time < begin_ms:
            return newest[-1].agg_id + 1
        rows = await _first_rows(asking, symbol, begin_ms, newest[-1].trade_time)
        return (rows or newest)[0].agg_id

    async def _ask_once(self, feed: SymbolFeed) -> str:
        """One page into the assembler; what is wrong if that brings us no further. Raises `VenueError` when there was none."""
        tracker = feed.tracker
        generation, expected = tracker.generation, tracker.expected
        try:
            rows = await self._asking(feed).agg_trades_from(feed.symbol, expected, PAGE)
        except VenueError as error:
            if _problem(error) != REFUSED:
                raise
            self._log.warning("the venue refuses these ids", symbol=feed.symbol, first=expected, error=str(error))
            if not await self._ask_oldest(feed):
                raise
            return NOT_BELIEVED
        if not rows and await self._expired(feed):
            return NOT_BELIEVED
        await self._fill(feed, rows, Told(len(rows) < PAGE, generation, asked=expected))
        # That an answer has nothing is no proof that there is nothing: only a newer row proves it.
        return NOT_BELIEVED if rows else NOT_ANSWERED

    async def _expired(self, feed: SymbolFeed) -> bool:
        """Whether the venue may have forgotten the ids, and had older trades for us to go on with."""
        if self._clock.now_ms() - max(feed.last_time, feed.watermark.value) <= HISTORY_MS:
            return False
        try:
            return await self._ask_oldest(feed)
        except VenueError:
            return False

    async def _ask_oldest(self, feed: SymbolFeed) -> bool:
        """The ids are older than the venue's history: go on with the oldest trade that it still has. False: it has none that is
        newer."""
        now, expected = self._clock.now_ms(), feed.tracker.expected
        rows = await _first_rows(self._asking(feed), feed.symbol, now - HISTORY_MS, now)
        if not rows or rows[0].agg_id <= feed.tracker.expected:
            return False
        await self._fill(feed, rows, Told(False, feed.tracker.generation, "history_expired", expected))
        return True

    async def _fill(self, feed: SymbolFeed, rows: Sequence[AggTrade], told: Told) -> None:
        """A time that our clock does not believe has the clock compared first: then it is the clock, or the venue, that errs."""
        newest = max((row.trade_time for row in rows), default=0)
        if not self._clock.believes(newest):
            await synchronise(self._asking(feed), self._clock)
            if not self._clock.believes(newest):
                self._log.error("the venue's history has an absurd time", symbol=feed.symbol, time_ms=newest)
        if not self._followed(feed):
            return
        self._host.assembler.believed_until = self._clock.latest_believable_ms()
        self._host.fill(feed.symbol, rows, told)

    async def _give_up(self, feed: SymbolFeed) -> None:
        tracker, attempt = feed.tracker, self._since.get(feed)
        first, expected = tracker.first_held, tracker.expected
        if attempt is None or first is None or expected == UNKNOWN_ID:
            return  # removed since the look, or nothing is held that a hole would let go
        cause = attempt.problem
        confirmed = await self._confirmed(feed, first)
        if not self._followed(feed) or (tracker.first_held, tracker.expected) != (first, expected):
            return  # removed, or an answer came after all
        if confirmed:
            self._log.error("a gap is declared", symbol=feed.symbol, first=expected, last=first.agg_id - 1, cause=cause)
            self._host.abandon(feed.symbol, cause)
        else:
            self._log.error("ids that the venue does not know are dropped", symbol=feed.symbol, first=first.agg_id)
            tracker.forget_held(feed.last_time)
        attempt.waited, attempt.expected = 0.0, tracker.expected
        if not attempt.in_hand and not self._needs(feed):
            self._leave(feed, attempt)

    async def _confirmed(self, feed: SymbolFeed, held: AggTrade) -> bool:
        """Whether the venue has come as far as a trade that its stream told; true when it does not say."""
        try:
            newest = await self._asking(feed, CONFIRM_SECONDS).newest_agg_trades(held.symbol)
        except VenueError:
            return True
        return not newest or newest[-1].agg_id >= held.agg_id


async def _first_rows(asking: MarketData, symbol: str, start: int, until: int) -> Sequence[AggTrade]:
    """The oldest trades in [start, until], an hour at a time (the venue answers less than one)."""
    for hour in range(start, until + 1, HOUR_MS):
        if rows := await asking.agg_trades_between(symbol, hour, hour + HOUR_MS - 1, PAGE):
            return rows
    return ()


def _problem(error: VenueError) -> str:
    """The cause of a hole that no other answer than this explains."""
    if isinstance(error, RateLimited):
        return "rate_limited"
    return REFUSED if error.code < 0 and error.status < 500 else "venue_unavailable"
