"""Is a quiet symbol quiet at the venue too? One cheap REST question for all symbols decides, and only its answer moves the
watermarks of quiet symbols: a stream that is subscribed but silent proves nothing.

The question is asked when a grid edge could be passed, at most once a second of venue time (weight 2 of 2,400 a minute).
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Protocol

from libs.contracts.market import UNKNOWN_TIME
from libs.exchanges import AggTrade, MarketData, Ticker
from libs.exchanges.errors import VenueError
from libs.kit.clock import END_OF_TIME_MS, VenueClock
from libs.kit.logging import get_logger
from services.trade_ingest.assembler import Assembler, SymbolFeed
from services.trade_ingest.continuity import Continuity

GRID_MS = 1000
LOOK_SECONDS = 0.05
# Real seconds between two questions at least, however fast the venue's time runs.
SHORTEST_SECONDS = 0.2
# A trade that REST knows may be on its way to us until its own connection has come so much further (venue time), and a
# second of real time has passed. Measured on the connection, so one that we read slowly is not taken for a silent one.
ON_ITS_WAY_MS, ON_ITS_WAY_SECONDS = 3000, 1.0
REPLACE_MS, REPLACE_SECONDS = 30_000, 10.0
STATUS_MS = 30_000
QUIET_MS = 10_000
# Nobody trades for so long, and for so many of its usual intervals, while others trade: halted, whatever its status says.
HALTED_MS, HALTED_INTERVALS = 30_000, 100
LEARNT_FROM, LEARN_SECONDS = 10, 0.5
TRADING = "TRADING"
# So many questions of weight 20 at most before the next look; a stream that is silent as a whole is replaced after the first.
MOST_VERDICTS = 10
EMPTY_PAGES = 2


class Watched(Protocol):
    """What the watch needs of the running service."""

    @property
    def assembler(self) -> Assembler: ...

    def connected(self, symbol: str) -> bool: ...

    def heard_until(self, symbol: str) -> int:
        """The newest venue event time on the symbol's healthy connection (ms), 0 before the first."""
        ...

    def silent(self, symbol: str, detail: str) -> None:
        """The venue has trades that the stream did not bring."""
        ...

    def halted(self, symbol: str, detail: str) -> None:
        """Nobody can trade, or does."""
        ...

    def recovered(self, symbol: str) -> None:
        """What was halted is traded again, or may be."""
        ...

    def replace(self, symbol: str) -> None:
        """Put another connection in the place of the one that should bring the symbol."""
        ...


@dataclass(slots=True)
class _Look:
    """What is known of one symbol. `excused_ms`: a last price of that time stands for no aggregate trade of ours."""

    suspected_ms: int = -1
    suspected_at: float = 0.0
    suspected_id: int = -1
    empty_id: int = -1
    empty_pages: int = 0
    excused_ms: int = -1
    interval_ms: float = 0.0
    ids: int = -1
    ids_at_ms: int = 0


@dataclass(slots=True)
class SilenceWatch:
    """Runs until cancelled; `want` asks the filler for a symbol."""

    host: Watched
    market_data: MarketData
    clock: VenueClock
    want: Callable[[str], None]
    silent: set[str] = field(default_factory=set)
    halted: set[str] = field(default_factory=set)
    _looks: dict[str, _Look] = field(default_factory=dict)
    _replaced_ms: int = -REPLACE_MS
    _replaced_at: float = -REPLACE_SECONDS
    _statuses: dict[str, str] = field(default_factory=dict)
    _statuses_ms: int = -STATUS_MS

    async def run(self) -> None:
        """Look again and again."""
        log, asked_at, learnt_at, edge = get_logger("silence"), 0.0, 0.0, -1
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if time.monotonic() - learnt_at >= LEARN_SECONDS:
                learnt_at = time.monotonic()
                self._learn_intervals()
            quiet = self._quiet()
            newest = max((self.host.heard_until(feed.symbol) for feed in quiet), default=0)
            if self.clock.paced:
                newest = min(newest, self.clock.now_ms())  # one stamp from the future must not be the last that counts
            if not quiet or newest // GRID_MS == edge or time.monotonic() - asked_at < SHORTEST_SECONDS:
                continue
            edge, asked_at = newest // GRID_MS, time.monotonic()
            try:
                await self._look(quiet)
            except VenueError as error:
                log.warning("quiet symbols cannot be judged: their watermarks stand", error=str(error))
                await asyncio.sleep(1)

    def heard(self, trades: Iterable[AggTrade]) -> None:
        """Trades of the stream: what was silent or halted is not any more."""
        for symbol in {trade.symbol for trade in trades} & (self.silent | self.halted):
            self._recovered(symbol)

    def forget(self, symbols: Iterable[str]) -> None:
        """Their stream is gone: what was known of it is no longer so."""
        self.silent.difference_update(symbols)
        self.halted.difference_update(symbols)

    def _recovered(self, symbol: str) -> None:
        self.silent.discard(symbol)
        self.halted.discard(symbol)
        self.host.recovered(symbol)

    def _quiet(self) -> list[SymbolFeed]:
        """Connected symbols that could pass a grid edge if their quietness were proven."""
        grace = self.host.assembler.grace_ms
        return [
            feed
            for feed in self.host.assembler.feeds.values()
            if feed.next_edge - 1 <= self.host.heard_until(feed.symbol) - grace
            and feed.tracker.state is Continuity.LIVE
            and self.host.connected(feed.symbol)
        ]

    async def _look(self, quiet: Sequence[SymbolFeed]) -> None:
        """Ask once, and judge each symbol by what was heard of it before."""
        latest = self.clock.now_ms() if self.clock.paced else END_OF_TIME_MS
        before = {feed.symbol: min(self.host.heard_until(feed.symbol), latest) for feed in quiet}
        prices = await self.market_data.last_prices()
        quiet = [feed for feed in quiet if self._followed(feed)]
        proven: dict[int, list[str]] = {}
        overdue: list[tuple[SymbolFeed, Ticker]] = []
        for feed in quiet:
            ticker = prices.get(feed.symbol)
            if ticker is None:
                continue
            if not self._is_behind(feed, ticker):
                proven.setdefault(before[feed.symbol], []).append(feed.symbol)
            elif self._is_overdue(feed):
                overdue.append((feed, ticker))
        for heard, symbols in proven.items():
            self.host.assembler.follow(symbols, heard)
        for feed, ticker in overdue[:MOST_VERDICTS]:
            await self._verdict(feed, ticker)
        await self._judge_halts(quiet, prices)

    def _followed(self, feed: SymbolFeed) -> bool:
        """Whether nobody has removed the symbol while we asked."""
        return self.host.assembler.feeds.get(feed.symbol) is feed

    def _is_behind(self, feed: SymbolFeed, ticker: Ticker) -> bool:
        """Whether the venue has a newer price than we have a trade: on its way to us, or not told. Trades of one millisecond are
        told apart by their price."""
        look = self._looks.setdefault(feed.symbol, _Look())
        newest = max(feed.last_time, look.excused_ms)
        # After a restart the price of the last trade is not known.
        same_price = look.excused_ms >= feed.last_time or not feed.last_price or _same(ticker.price, feed.last_price)
        if ticker.time < newest or (ticker.time == newest and same_price):
            look.suspected_ms = -1
            return False
        if look.suspected_ms < 0 or feed.tracker.expected != look.suspected_id:
            look.suspected_ms, look.suspected_at = ticker.time, time.monotonic()
            look.suspected_id = feed.tracker.expected
        return True

    def _is_overdue(self, feed: SymbolFeed) -> bool:
        look = self._looks[feed.symbol]
        overtaken_ms = self.host.heard_until(feed.symbol) - look.suspected_ms
        return time.monotonic() - look.suspected_at >= ON_ITS_WAY_SECONDS and overtaken_ms >= ON_ITS_WAY_MS

    async def _verdict(self, feed: SymbolFeed, ticker: Ticker) -> None:
        """Only aggregate trades count: fills of the insurance fund change the last price, but have no id of ours. One empty page
        is no proof of that; a second one, at another look, is."""
        look, expected = self._looks[feed.symbol], feed.tracker.expected
        look.suspected_ms = -1
        rows = await self.market_data.agg_trades_from(feed.symbol, expected, 1)
        if not rows:
            look.empty_pages = look.empty_pages + 1 if look.empty_id == expected else 1
            look.empty_id = expected
            if look.empty_pages >= EMPTY_PAGES:
                look.excused_ms = ticker.time
            return
        if feed.tracker.expected != expected:
            return  # it came meanwhile
        if not self._followed(feed):
            return
        self.silent.add(feed.symbol)
        self.host.silent(
            feed.symbol,
            f"subscribed, but the venue has id {rows[0].agg_id} of {rows[0].trade_time} and it did not come",
        )
        if feed.tracker.distrust():
            self.want(feed.symbol)
        self._replace(feed.symbol)

    def _replace(self, symbol: str) -> None:
        """A new connection may bring what this one does not; not again and again."""
        now, heard = time.monotonic(), self.host.heard_until(symbol)
        if now - self._replaced_at >= REPLACE_SECONDS and heard - self._replaced_ms >= REPLACE_MS:
            self._replaced_at, self._replaced_ms = now, heard
            self.host.replace(symbol)

    async def _judge_halts(self, quiet: Sequence[SymbolFeed], prices: dict[str, Ticker]) -> None:
        quiet_ms = {feed.symbol: self.host.heard_until(feed.symbol) - feed.last_time for feed in quiet}
        still = [symbol for symbol, ms in quiet_ms.items() if ms >= QUIET_MS and symbol not in self.silent]
        if not still:
            return
        now = max(self.host.heard_until(symbol) for symbol in still)
        if now - self._statuses_ms >= STATUS_MS:
            self._statuses, self._statuses_ms = await self.market_data.statuses(), now
        others_trade = now - max((ticker.time for ticker in prices.values()), default=0) < QUIET_MS
        for symbol in (symbol for symbol in still if symbol in self.host.assembler.feeds):
            status, usual = self._statuses.get(symbol, TRADING), self._looks[symbol].interval_ms
            if status != TRADING:
                self._halt(symbol, f"the venue says {status}")
            elif usual and others_trade and quiet_ms[symbol] >= max(HALTED_MS, HALTED_INTERVALS * usual):
                self._halt(symbol, f"nobody has traded it for {quiet_ms[symbol] // 1000} s, while others are traded")
            elif symbol in self.halted and others_trade:
                self._recovered(symbol)

    def _halt(self, symbol: str, detail: str) -> None:
        if symbol not in self.halted:
            self.halted.add(symbol)
            self.host.halted(symbol, detail)

    def _learn_intervals(self) -> None:
        """The mean time between two trades, over spans in which there were some; slow to forget."""
        for symbol, feed in self.host.assembler.feeds.items():
            look = self._looks.setdefault(symbol, _Look())
            expected, time_ms = feed.tracker.expected, feed.last_time
            if time_ms == UNKNOWN_TIME:
                continue
            if look.ids < 0 or expected < look.ids:
                look.ids, look.ids_at_ms = expected, time_ms
            elif expected >= look.ids + LEARNT_FROM:
                interval = max(0.0, (time_ms - look.ids_at_ms) / (expected - look.ids))
                look.interval_ms = interval if not look.interval_ms else 0.8 * look.interval_ms + 0.2 * interval
                look.ids, look.ids_at_ms = expected, time_ms


def _same(price: str, other: str) -> bool:
    try:
        return price == other or Decimal(price) == Decimal(other)
    except InvalidOperation:
        return False
