"""Questions on a schedule in venue time: ask each symbol, publish what is new, say how the feed is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from libs.contracts.market import FeedState
from libs.contracts.topics import FEEDSTATUS
from libs.exchanges import IndicatorValue
from libs.exchanges.errors import VenueError
from libs.exchanges.feed_status import FeedStatus, Figures
from libs.kit.errors import BadMessage
from libs.kit.logging import get_logger
from libs.kit.metrics import gauge
from libs.streaming.ordered import Outgoing
from services.indicator_ingest.outlet import Outlet
from services.indicator_ingest.schedules import Schedule

AT_ONCE = 4
# How often ages are looked at: in venue time, but not more often than so many real seconds.
WATCH_SECONDS, SHORTEST_SECONDS = 10.0, 0.1


class StaleAnswer(Exception):
    """The venue answered, and what it said is too old to be a value of now."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One kind of question. `ask(symbol, due)` returns values, none when the venue has nothing usable (`due`: the instant
    of the schedule, ms); raises `VenueError`, `BadMessage` or `StaleAnswer`."""

    schedule: Schedule
    ask: Callable[[str, int], Awaitable[Sequence[IndicatorValue]]]

    @property
    def feed(self) -> str:
        return self.schedule.feed


def next_due(now_ms: int, every_ms: int, offset_ms: int) -> int:
    """The next instant after `now_ms` that lies `offset_ms` behind a multiple of `every_ms`."""
    return ((now_ms - offset_ms) // every_ms + 1) * every_ms + offset_ms


class Poller:
    """Runs one poll for all symbols until cancelled; the first round is at once, with history where the venue has some."""

    def __init__(self, poll: Poll, outlet: Outlet, first_round: Callable[[], None]) -> None:
        self._poll = poll
        self._schedule = poll.schedule
        self._outlet = outlet
        self._first_round = first_round
        self._status = FeedStatus(poll.feed, outlet.partitions)
        self._newest: dict[str, int] = {}
        self._log = get_logger(f"polling.{poll.feed}")

    def follow(self, symbols: Sequence[str]) -> None:
        """These have come; `begin` asks for them at once."""
        for symbol in symbols:
            self._status.follow(symbol)

    async def begin(self, symbols: Sequence[str]) -> None:
        """A round at once for symbols that have just come."""
        now, every = self._outlet.clock.now_ms(), int(self._schedule.every_seconds * 1000)
        await self._round(symbols, next_due(now, every, int(self._schedule.offset_seconds * 1000)) - every)

    def end(self, symbol: str) -> None:
        """The symbol is followed no more: say so, before the outlet forgets it."""
        now = self._outlet.clock.now_ms()
        self._status.end(symbol, now)
        self._tell(symbol, now, Figures())
        self._status.forget(symbol)
        gauge("perpstream_feed_age_seconds").remove(self._poll.feed, symbol)

    async def run(self) -> None:
        await asyncio.gather(self._rounds(), self._watch())

    async def _watch(self) -> None:
        """A value grows too old without an answer, too: a question waits for as long as the venue bans the whole address."""
        clock = self._outlet.clock
        while clock.paced:
            await clock.sleep(max(WATCH_SECONDS, SHORTEST_SECONDS * clock.speed))
            for symbol in self._newest:
                newest = self._newest[symbol]
                if self._status.state_of(symbol) == "live" and self._age_seconds(newest) > self._schedule.stale_seconds:
                    self._judge(symbol, newest)

    async def _rounds(self) -> None:
        clock = self._outlet.clock
        every, offset = int(self._schedule.every_seconds * 1000), int(self._schedule.offset_seconds * 1000)
        due = next_due(clock.now_ms(), every, offset) - every
        await self._round(list(self._outlet.partitions), due)
        self._first_round()
        while True:
            due = next_due(max(clock.now_ms(), due), every, offset)
            await clock.sleep((due - clock.now_ms()) / 1000)
            await self._until_complete(due, due + every)

    async def _until_complete(self, due: int, next_round: int) -> None:
        """A round, and more of them for the symbols that had no answer or not yet this period's value."""
        waiting, pause = list(self._outlet.partitions), self._schedule.retry_seconds
        for _ in range(self._schedule.retries + 1):
            waiting = await self._round(waiting, due)
            if not waiting or self._outlet.clock.now_ms() + pause * 1000 >= next_round:
                return
            await self._outlet.clock.sleep(pause)

    async def _round(self, symbols: Sequence[str], due: int) -> list[str]:
        """Ask for each; returns the symbols that need another try."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(symbol: str) -> bool:
            async with limit:
                return await self._ask(symbol, due)

        complete = await asyncio.gather(*(one(symbol) for symbol in symbols))
        return [symbol for symbol, done in zip(symbols, complete, strict=True) if not done]

    async def _ask(self, symbol: str, due: int) -> bool:
        period_end = due - int(self._schedule.offset_seconds * 1000)
        try:
            values = self._outlet.publish(await self._poll.ask(symbol, due), self._schedule)
        except StaleAnswer as error:
            self._report(symbol, "stale", str(error)[:200])
            return True
        except (VenueError, BadMessage) as error:
            if symbol in self._outlet.partitions and self._status.state_of(symbol) != "down":
                self._log.warning("no answer", symbol=symbol, error=str(error))
            self._report(symbol, "down", str(error)[:200])
            return False
        if not values:
            self._report(symbol, "silent", "the venue has no current value")
            return True
        newest = max(value.time for value in values)
        self._newest[symbol] = max(newest, self._newest.get(symbol, newest))
        self._judge(symbol, newest)
        return not self._schedule.awaits_period or newest >= period_end

    def _age_seconds(self, instant_ms: int) -> float:
        return (self._outlet.clock.now_ms() - instant_ms) / 1000

    def _judge(self, symbol: str, newest_ms: int) -> None:
        """Live or stale, by the age of the newest value of an answer, or of all."""
        age, limit = self._age_seconds(newest_ms), self._schedule.stale_seconds
        gauge("perpstream_feed_age_seconds").labels(self._poll.feed, symbol).set(age)
        if age > limit:
            self._report(symbol, "stale", f"the newest value is {age:.0f} s old, the limit is {limit:g} s")
        else:
            self._report(symbol, "live", "")

    def _report(self, symbol: str, state: FeedState, detail: str) -> None:
        """The state, with the figures of this answer."""
        if symbol not in self._outlet.partitions:
            return  # removed while the venue was asked
        now, last = self._outlet.clock.now_ms(), self._newest.get(symbol, -1)
        self._status.enter(symbol, state, now, detail)
        self._tell(symbol, now, Figures(delay_ms=float(now - last) if last >= 0 else None))

    def _tell(self, symbol: str, now_ms: int, figures: Figures) -> None:
        event = self._status.report(symbol, now_ms, self._newest.get(symbol, -1), figures)
        if event is not None:
            self._outlet.publisher.put(Outgoing(FEEDSTATUS, event, symbol, self._outlet.partitions[symbol]))
