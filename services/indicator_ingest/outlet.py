"""Where values become events: checked, each once, with the instant from which they could be known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from libs.contracts.identity import digest
from libs.contracts.market import IndicatorHistoryCompleted, MarketIndicatorObserved
from libs.contracts.topics import INDICATOR, INDICATOR_HISTORY
from libs.exchanges import IndicatorValue
from libs.kit.clock import VenueClock
from libs.kit.errors import BadMessage
from libs.kit.logging import get_logger
from libs.kit.metrics import counter
from libs.streaming.ordered import OrderedPublisher, Outgoing
from services.indicator_ingest.facts import Novelty, Series, indicator_event, series_of
from services.indicator_ingest.history import History
from services.indicator_ingest.schedules import Schedule

CHUNK = 50
"""Events of history that are handed over at once: a live value waits behind no more than these."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where events go: the ordered publisher, the partitions of the symbols that are followed now, what was published, and the
    name of the source."""

    publisher: OrderedPublisher
    partitions: dict[str, int]
    novelty: Novelty
    source: str
    clock: VenueClock
    history: History = field(default_factory=History)

    def publish(self, values: Sequence[IndicatorValue], schedule: Schedule) -> list[IndicatorValue]:
        """Publish what is new; returns what can be used. A value that cannot be, or whose time the venue cannot have seen, is
        counted and left out, and never remembered as the newest.

        Raises `BadMessage` "unusable_answer" when there were values and all of them were such.
        """
        events = self._usable(values, schedule)
        usable = [value for value in values if id(value) in events]
        for value in self.novelty.select(usable):
            self._put(events[id(value)])
        if schedule.assumed_delay_seconds is not None:
            self._note_answer(usable)
        return usable

    async def publish_history(self, values: Sequence[IndicatorValue], schedule: Schedule) -> int:
        """Publish values of the past that are not known to be on the topic, and wait until Kafka has them; returns how many.

        Raises as `publish` does.
        """
        events = [event for event in self._usable(values, schedule).values() if not self.novelty.knows(event.event_id)]
        for start in range(0, len(events), CHUNK):
            if any(event.symbol not in self.partitions for event in events[start:]):
                raise BadMessage("unknown_symbol", "nobody follows it any more")
            for event in events[start : start + CHUNK]:
                self._put(event)
            await self.publisher.settled()
        return len(events)

    def mark(self, series: Series) -> None:
        """Tell how far a series is complete."""
        symbol, kind, period = series
        until, live_from, live_to = self.history.mark(series)
        event = IndicatorHistoryCompleted(
            event_id=digest("indicator_history", symbol, kind, period or "", until, live_from, live_to),
            event_time_ms=max(until, live_to),
            symbol=symbol,
            kind=kind,
            period=period,
            complete_until_ms=until,
            live_from_ms=live_from,
            live_to_ms=live_to,
        )
        self.publisher.put(Outgoing(INDICATOR_HISTORY, event, f"{symbol}:{kind}:{period or ''}", 0))

    def _note_answer(self, usable: Sequence[IndicatorValue]) -> None:
        by_series: dict[Series, list[int]] = {}
        for value in usable:
            by_series.setdefault(series_of(value), []).append(value.time)
        for series, times in by_series.items():
            if self.history.answered(series, times):
                self.mark(series)

    def _put(self, event: MarketIndicatorObserved) -> None:
        self.publisher.put(Outgoing(INDICATOR, event, event.symbol, self.partitions[event.symbol]))

    def _usable(self, values: Iterable[IndicatorValue], schedule: Schedule) -> dict[int, MarketIndicatorObserved]:
        """The events by the identity of their value."""
        events, asked = {}, 0
        for value in values:
            asked += 1
            try:
                events[id(value)] = self._event(value, schedule)
            except BadMessage as error:
                counter("perpstream_records_dropped_total").labels(INDICATOR.name, error.reason).inc()
                get_logger("polling").warning("a value cannot be read", reason=error.reason, detail=error.detail)
        if asked and not events:
            raise BadMessage("unusable_answer", f"none of {asked} values can be used")
        return events

    def _event(self, value: IndicatorValue, schedule: Schedule) -> MarketIndicatorObserved:
        if value.symbol not in self.partitions:
            raise BadMessage("unknown_symbol", f"{value.symbol[:40]!r} was not asked for")
        available, assumed = schedule.availability(value.time, self.clock.now_ms())
        event = indicator_event(value, self.source, available, assumed=assumed)
        if not self.clock.believes(value.time):
            raise BadMessage("absurd_time", f"{value.symbol} {value.kind} at {value.time}")
        return event
