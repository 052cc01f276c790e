"""The venue's last 30 days of each slow input, fetched behind the live values: one question at a time, oldest first.

It begins when every feed has had its first round, so readiness does not wait for it. It asks with the lowest priority of the
shared request budget, and hands its values over in small pieces, so that live ones do not wait behind them. Where it stands is
on the topic, so it goes on after a restart.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from libs.contracts.market import IndicatorKind
from libs.exchanges import RATIO_KINDS, HistorySpan, IndicatorValue
from libs.exchanges.errors import VenueError
from libs.kit.errors import BadMessage
from libs.kit.logging import get_logger
from libs.kit.metrics import gauge
from services.indicator_ingest.facts import Series
from services.indicator_ingest.outlet import Outlet
from services.indicator_ingest.schedules import PERIOD, SCHEDULES

SERIES: dict[tuple[IndicatorKind, str | None], str] = {
    ("open_interest", PERIOD): "open_interest_history",
    **{(kind, PERIOD): kind for kind in RATIO_KINDS},
    ("funding_rate", None): "funding_rate",
}
"""What has a history, and the feed whose schedule it goes by."""
# Venue time between two questions; the request budget slows them further, since the past comes last there.
PAGE_SECONDS = 1.0
# However fast the venue's clock runs, this machine's does not: a page is 500 records for every reader behind us.
FASTEST_REAL_SECONDS = 0.5
IDLE_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 3600.0


class HistorySource(Protocol):
    """What is asked of the venue's `MarketData`."""

    async def indicator_history(
        self, symbol: str, kind: IndicatorKind, period: str | None, span: HistorySpan
    ) -> list[IndicatorValue]: ...


@dataclass(slots=True)
class Backfill:
    """Fetches what is missing until cancelled; `begin` is set when it may, `more` when a symbol has come. A series that
    fails waits, twice as long each time."""

    source: HistorySource
    outlet: Outlet
    begin: asyncio.Event
    more: asyncio.Event = field(default_factory=asyncio.Event)
    _pause: dict[Series, float] = field(default_factory=dict)
    _not_before: dict[Series, int] = field(default_factory=dict)

    async def run(self) -> None:
        await self.begin.wait()
        clock, log = self.outlet.clock, get_logger("backfill")
        seconds = max(PAGE_SECONDS, FASTEST_REAL_SECONDS * clock.speed)
        told = False
        while True:
            todo = self._todo([(symbol, *kind) for symbol in self.outlet.partitions for kind in SERIES])
            if bool(todo) != told:
                told = bool(todo)
                log.info("fetching history" if told else "history is complete", series=len(todo))
            for series in todo:
                await self._page(series)
                await clock.sleep(seconds)
            if not todo:
                self.more.clear()
                await self._idle()

    async def _idle(self) -> None:
        """A minute of the venue's, or until there is more to do."""
        waits = [asyncio.ensure_future(self.outlet.clock.sleep(IDLE_SECONDS)), asyncio.ensure_future(self.more.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _todo(self, everything: Sequence[Series]) -> list[Series]:
        """What is missing and may be asked for now; says how much there is."""
        now, remaining = self.outlet.clock.now_ms(), dict.fromkeys(SERIES.values(), 0)
        todo = []
        for series in everything:
            width = self.outlet.history.remaining_ms(series, now)
            remaining[SERIES[series[1:]]] += width
            if width and now >= self._not_before.get(series, 0):
                todo.append(series)
        for feed, width in remaining.items():
            gauge("perpstream_history_remaining_seconds").labels(feed).set(width / 1000)
        return todo

    async def _page(self, series: Series) -> None:
        symbol, kind, period = series
        span = self.outlet.history.missing(series, self.outlet.clock.now_ms())
        if span is None:
            return
        try:
            values = await self.source.indicator_history(symbol, kind, period, span)
            await self.outlet.publish_history(values, SCHEDULES[SERIES[kind, period]])
        except (VenueError, BadMessage) as error:
            pause = min(self._pause.get(series, FIRST_PAUSE_SECONDS / 2) * 2, LONGEST_PAUSE_SECONDS)
            self._pause[series] = pause
            self._not_before[series] = self.outlet.clock.now_ms() + int(pause * 1000)
            log = get_logger("backfill")
            log.warning("no history", symbol=symbol, kind=kind, error=str(error), again_after_seconds=pause)
            return
        self._pause.pop(series, None)
        # Behind the values, which Kafka has by now: a mark never stands for what is lost.
        self.outlet.history.filled(series, span.end_ms)
        self.outlet.mark(series)
