"""What the timeline has said beside trades, per symbol: latest values, liquidations and open interest over windows, feeds.

A value counts from its place in the log on, and only for evaluations that are not before the instant it describes: while
trades are still being fetched the log holds slow inputs from their future, which wait until the evaluations have come there.
"""

from bisect import bisect_left, bisect_right, insort_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import NamedTuple, Protocol

from libs.contracts.market import (
    LIVE_STATES,
    UNKNOWN_TIME,
    FeedState,
    FeedStatusChanged,
    FormerFeedState,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
)
from libs.contracts.plausible import wrong_decimal
from libs.contracts.signals import SlowInput
from libs.trading.inputs import FEED_OF_INPUT, LIQUIDATION_FEED, TRADE_FEED
from libs.trading.inputs import Reading as ReadingSeen

MINUTE_MS = 60_000
LIQUIDATION_WINDOW_MS = 5 * MINUTE_MS
OPEN_INTEREST_WINDOW_MS = 30 * MINUTE_MS
MOST_KEPT = 600
"""Instants kept of one input: twenty minutes of mark prices (one in two seconds), ten hours of open interest.

They heap up only while no evaluation comes, for as long as trades lag behind: a fetch after a start or a gap takes minutes.
The oldest give way, so an instant that lies far in the future by mistake displaces nothing for long.
"""
MOST_LIQUIDATIONS = 3_600
"""Forced orders kept: an hour of the most that the venue reports, one a second."""
# The field of `MarketIndicatorObserved.values` that stands for the kind.
_FIELD_OF_KIND = {
    "open_interest": "open_interest",
    "global_long_short_account_ratio": "long_short_ratio",
    "top_long_short_account_ratio": "long_short_ratio",
    "top_long_short_position_ratio": "long_short_ratio",
    "taker_long_short_ratio": "buy_sell_ratio",
    "coinbase_premium": "premium_percent",
    "funding_rate": "funding_rate",
}
_FEEDS = frozenset((TRADE_FEED, *FEED_OF_INPUT.values()))
_PERCENT = Decimal(100)
_CHANGE_DIGITS = Decimal("0.00000001")
_instant = attrgetter("as_of_ms")


class Reading(NamedTuple):
    """A value and the instant it describes (ms)."""

    value: Decimal
    as_of_ms: int


class Liquidation(NamedTuple):
    """A forced order's notional (quote units) and time (ms); `long` when a long was closed."""

    as_of_ms: int
    long: bool
    notional: Decimal


class FeedReport(NamedTuple):
    """The state of a feed from an instant on (ms)."""

    as_of_ms: int
    state: FeedState | FormerFeedState

    @property
    def live(self) -> bool:
        """Whether it delivers what the venue has."""
        return self.state in LIVE_STATES


class _Dated(Protocol):
    @property
    def as_of_ms(self) -> int: ...


@dataclass(slots=True)
class SymbolInputs:
    """The slow inputs of one symbol at a place of the log; every list is in order of instants, in log order where they are equal.

    `readings` by name. What no later evaluation can use is dropped by evaluations; `MOST_KEPT` bounds the rest.
    `feeds`: the changes of state by feed; `told`: what each said last.
    `forgotten_ms` is the instant of the newest liquidation no longer kept: no window that reaches back to it has a sum.
    """

    readings: dict[str, list[Reading]] = field(default_factory=dict)
    liquidations: list[Liquidation] = field(default_factory=list)
    feeds: dict[str, list[FeedReport]] = field(default_factory=dict)
    told: dict[str, FeedReport] = field(default_factory=dict)
    forgotten_ms: int | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing of this symbol has been said yet."""
        return not (self.readings or self.liquidations or self.feeds)

    def take_indicator(self, event: MarketIndicatorObserved) -> None:
        """Keep a value at its instant, whatever arrived before; one for the same instant replaces it."""
        value = event.values.get(_FIELD_OF_KIND[event.kind])
        if value is not None:
            self._take(event.kind, Reading(value, event.event_time_ms))

    def take_mark_price(self, event: MarkPriceObserved) -> None:
        """Mark and index price, and the running funding estimate where the venue gives one."""
        self._take("mark_price", Reading(event.mark_price, event.event_time_ms))
        self._take("index_price", Reading(event.index_price, event.event_time_ms))
        if event.funding_rate is not None:
            self._take("estimated_funding_rate", Reading(event.funding_rate, event.event_time_ms))

    def take_liquidation(self, event: LiquidationObserved) -> None:
        """Add a forced order to the rolling sums (lower bounds: the venue samples)."""
        notional = event.quantity * event.average_price
        insort_right(self.liquidations, Liquidation(event.trade_time_ms, event.side == "SELL", notional), key=_instant)
        self._forget_liquidations(len(self.liquidations) - MOST_LIQUIDATIONS)

    def is_news(self, event: FeedStatusChanged) -> bool:
        """Whether a report says anything but what the one before said; most only repeat a state with new figures.

        It looks at nothing that an evaluation changes, so that it may be asked while some are still pending.
        """
        return event.feed in _FEEDS and self.told.get(event.feed) != _told(event)

    def take_feed(self, event: FeedStatusChanged) -> None:
        """Keep since when a feed that some factor depends on is in a state: since it began, unless something else was told of
        the time since then; then since it is told."""
        if not self.is_news(event):
            return
        self.told[event.feed] = report = _told(event)
        known = self.feeds.setdefault(event.feed, [])
        newest = _newest(known, event.event_time_ms)
        if newest >= 0 and known[newest].as_of_ms > report.as_of_ms:
            report = FeedReport(event.event_time_ms, event.state)
        insort_right(known, report, key=_instant)
        del known[:-MOST_KEPT]

    def feeds_at(self, evaluation_ms: int) -> dict[str, FeedReport]:
        """The state of each feed at the evaluation; a state that began after it does not count. Evaluations as for `at`."""
        found: dict[str, FeedReport] = {}
        for feed, known in self.feeds.items():
            newest = _newest(known, evaluation_ms)
            if newest < 0:
                continue
            found[feed] = known[newest]
            if feed != LIQUIDATION_FEED:
                del known[:newest]
        return found

    def at(self, evaluation_ms: int) -> dict[str, Reading]:
        """Every input known at the evaluation by name, each from the newest instant up to it; drops what later ones cannot use.

        Evaluations must come in time order. Liquidations are summed over [evaluation - window, evaluation), as trades are, and
        only when the feed received throughout: a part of the window would look like calm.
        """
        found: dict[str, Reading] = {}
        for name, known in self.readings.items():
            newest = _newest(known, evaluation_ms)
            if newest < 0:
                continue
            found[name] = known[newest]
            if name != "open_interest":
                del known[:newest]
            elif (change := _change_over_window(known, known[newest])) is not None:
                found["open_interest_change_percent"] = change
        start = evaluation_ms - LIQUIDATION_WINDOW_MS
        self._forget_liquidations(bisect_left(self.liquidations, start, key=_instant))
        whole = self.forgotten_ms is None or self.forgotten_ms < start
        if whole and self._received(start, evaluation_ms):
            inside = self.liquidations[: bisect_left(self.liquidations, evaluation_ms, key=_instant)]
            for name, long in (("long_liquidations", True), ("short_liquidations", False)):
                total = sum((item.notional for item in inside if item.long == long), Decimal(0))
                found[name] = Reading(total, evaluation_ms)
        return found

    def _take(self, name: str, reading: Reading) -> None:
        known = self.readings.setdefault(name, [])
        place = bisect_right(known, reading.as_of_ms, key=_instant)
        if place and known[place - 1].as_of_ms == reading.as_of_ms:
            known[place - 1] = reading
            return
        known.insert(place, reading)
        del known[:-MOST_KEPT]

    def _received(self, start_ms: int, end_ms: int) -> bool:
        """Whether the liquidation feed's newest report up to the start, and every one up to the end, says that it receives.

        Without that, no liquidations is not a fact but ignorance.
        """
        reports = self.feeds.get(LIQUIDATION_FEED, [])
        last_before = _newest(reports, start_ms)
        if last_before < 0:
            return False
        del reports[:last_before]
        return all(report.live for report in reports[: _newest(reports, end_ms) + 1])

    def _forget_liquidations(self, count: int) -> None:
        """Drop the `count` oldest, if that is above 0."""
        if count > 0:
            newest = self.liquidations[count - 1].as_of_ms
            self.forgotten_ms = newest if self.forgotten_ms is None else max(self.forgotten_ms, newest)
            del self.liquidations[:count]


def _told(event: FeedStatusChanged) -> FeedReport:
    """The state and when it began, at the latest when it was told."""
    since_ms = event.event_time_ms if event.since_ms == UNKNOWN_TIME else min(event.since_ms, event.event_time_ms)
    return FeedReport(since_ms, event.state)


def _newest(known: Sequence[_Dated], until_ms: int) -> int:
    """The place of the newest one up to an instant, -1 when all are newer."""
    return bisect_right(known, until_ms, key=_instant) - 1


def _change_over_window(known: list[Reading], new: Reading) -> Reading | None:
    """Percent over half an hour, from the newest value at least that old (older ones go); None while there is none.

    None too for a change that a decimal of 28 digits cannot state: no market moves so, but whoever writes the topic could say it.
    """
    base = _newest(known, new.as_of_ms - OPEN_INTEREST_WINDOW_MS)
    if base < 0:
        return None
    del known[:base]
    old = known[0].value
    if old <= 0:
        return None
    try:
        return Reading(((new.value / old - 1) * _PERCENT).quantize(_CHANGE_DIGITS), new.as_of_ms)
    except InvalidOperation:
        return None


def leave_out_implausible(readings: dict[str, Reading]) -> tuple[dict[str, Reading], list[str]]:
    """The readings that an event may carry, and the names of the others, which count as unknown.

    What came in was plausible, but a sum or a change of it need not be, and nobody could read the event.
    """
    wrong = [name for name, reading in readings.items() if wrong_decimal(reading.value) is not None]
    return ({name: readings[name] for name in readings if name not in wrong}, wrong) if wrong else (readings, [])


def as_events(readings: Mapping[str, ReadingSeen], evaluation_ms: int) -> tuple[SlowInput, ...]:
    """The inputs as they stand in the indicator event, by name."""
    return tuple(
        SlowInput(name=name, value=reading.value, as_of_ms=reading.as_of_ms, age_ms=evaluation_ms - reading.as_of_ms)
        for name, reading in sorted(readings.items())
    )
