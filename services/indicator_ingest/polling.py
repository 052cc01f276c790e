"""Questions on a schedule in venue time: ask each symbol, publish what is new, say how the feed is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from libs.contracts.market import FeedState, MarketIndicatorObserved
from libs.contracts.topics import FEEDSTATUS, INDICATOR
from libs.exchanges import IndicatorValue
from libs.exchanges.errors import VenueError
from libs.exchanges.feed_status import FeedStatus
from libs.kit.clock import VenueClock
from libs.kit.errors import BadMessage
from libs.kit.logging import get_logger
from libs.kit.metrics import counter, gauge
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.indicator_ingest.facts import Novelty, indicator_event, next_due

RETRY_SECONDS = 15.0
RETRIES = 6
AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Poll:
    """One kind of question. `ask(symbol, due)` returns values, none when the venue has nothing usable (`due`: the instant
    of the schedule, ms). `awaits_period`: a round is complete only when each symbol's value of `due`'s period is there.
    `every_seconds` and `offset_seconds` are venue time."""

    feed: str
    every_seconds: float
    offset_seconds: float
    ask: Callable[[str, int], Awaitable[Sequence[IndicatorValue]]]
    awaits_period: bool = False


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where events go: the ordered publisher, the symbols' partitions, what was published, and the name of the source."""

    publisher: OrderedPublisher
    partitions: dict[str, int]
    novelty: Novelty
    source: str
    clock: VenueClock

    def publish(self, values: Sequence[IndicatorValue]) -> list[IndicatorValue]:
        """Publish what is new; returns what can be used. A value that cannot be, or whose time the venue cannot have seen, is
        counted and left out, and never remembered as the newest.

        Raises `BadMessage` "unusable_answer" when there were values and all of them were such.
        """
        usable = []
        events: dict[int, MarketIndicatorObserved] = {}
        for value in values:
            try:
                events[id(value)] = self._event(value)
            except BadMessage as error:
                counter("perpstream_records_dropped_total").labels(INDICATOR.name, error.reason).inc()
                get_logger("polling").warning("a value cannot be read", reason=error.reason, detail=error.detail)
            else:
                usable.append(value)
        if values and not usable:
            raise BadMessage("unusable_answer", f"none of {len(values)} values can be used")
        for value in self.novelty.select(usable):
            event = events[id(value)]
            self.publisher.put(Outgoing(INDICATOR, event, event.symbol, self.partitions[event.symbol]))
        return usable

    def _event(self, value: IndicatorValue) -> MarketIndicatorObserved:
        if value.symbol not in self.partitions:
            raise BadMessage("unknown_symbol", f"{value.symbol[:40]!r} was not asked for")
        event = indicator_event(value, self.source)
        if not self.clock.believes(value.time):
            raise BadMessage("absurd_time", f"{value.symbol} {value.kind} at {value.time}")
        return event


class Poller:
    """Runs one poll for all symbols until cancelled; the first round is at once, with history where the venue has some."""

    def __init__(self, poll: Poll, outlet: Outlet, first_round: Callable[[], None]) -> None:
        self._poll = poll
        self._outlet = outlet
        self._first_round = first_round
        self._status = FeedStatus(poll.feed, outlet.partitions)
        self._newest: dict[str, int] = {}
        self._log = get_logger(f"polling.{poll.feed}")

    async def run(self) -> None:
        clock = self._outlet.clock
        every, offset = int(self._poll.every_seconds * 1000), int(self._poll.offset_seconds * 1000)
        due = next_due(clock.now_ms(), every, offset) - every
        await self._round(list(self._outlet.partitions), due)
        self._first_round()
        while True:
            due = next_due(max(clock.now_ms(), due), every, offset)
            await clock.sleep((due - clock.now_ms()) / 1000)
            await self._until_complete(due, due + every)

    async def _until_complete(self, due: int, next_round: int) -> None:
        """A round, and more of them for the symbols that had no answer or not yet this period's value."""
        waiting = list(self._outlet.partitions)
        for _ in range(RETRIES):
            waiting = await self._round(waiting, due)
            if not waiting or self._outlet.clock.now_ms() + RETRY_SECONDS * 1000 >= next_round:
                return
            await self._outlet.clock.sleep(RETRY_SECONDS)

    async def _round(self, symbols: Sequence[str], due: int) -> list[str]:
        """Ask for each; returns the symbols that need another try."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(symbol: str) -> bool:
            async with limit:
                return await self._ask(symbol, due)

        complete = await asyncio.gather(*(one(symbol) for symbol in symbols))
        return [symbol for symbol, done in zip(symbols, complete, strict=True) if not done]

    async def _ask(self, symbol: str, due: int) -> bool:
        period_end = due - int(self._poll.offset_seconds * 1000)
        try:
            values = self._outlet.publish(await self._poll.ask(symbol, due))
        except (VenueError, BadMessage) as error:
            if self._status.state_of(symbol) != "down":
                self._log.warning("no answer", symbol=symbol, error=str(error))
            self._report(symbol, "down", str(error)[:200])
            return False
        if not values:
            self._report(symbol, "silent", "the venue has no current value")
            return True
        newest = max(value.time for value in values)
        self._newest[symbol] = max(newest, self._newest.get(symbol, newest))
        age = (self._outlet.clock.now_ms() - newest) / 1000
        gauge("perpstream_feed_age_seconds").labels(self._poll.feed, symbol).set(age)
        self._report(symbol, "live", "")
        return not self._poll.awaits_period or newest >= period_end

    def _report(self, symbol: str, state: FeedState, detail: str) -> None:
        last = self._newest.get(symbol, -1)
        event = self._status.change(symbol, state, self._outlet.clock.now_ms(), detail, last)
        if event is not None:
            self._outlet.publisher.put(Outgoing(FEEDSTATUS, event, symbol, self._outlet.partitions[symbol]))
