"""Which days a drift check is due for, and whether they are recorded to their end: pure, of what is stored and the time."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from libs.kit.durations import DAY_MS

# The evaluations and the signals come over two topics: when evaluations of minutes later are stored, so are the day's signals.
MARGIN_MS = 300_000
Bounds = Mapping[str, tuple[int, int]]
"""The first and the last recorded evaluation (ms) by symbol."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """`after_ms`: how long after its end a day is checked. `most`: only so many of the newest days are."""

    after_ms: int
    most: int


def due_days(bounds: Bounds, checked: Collection[dt.date], now_ms: int, schedule: Schedule) -> list[dt.date]:
    """The UTC days without a result, oldest first: between the first and the last evaluation, also those without any.

    A recording of another year is as due as yesterday, and a venue whose clock runs ahead of ours has its own now.
    """
    if not bounds:
        return []
    first = min(low for low, _ in bounds.values()) // DAY_MS
    newest_ms = max(high for _, high in bounds.values())
    ended = (max(now_ms, newest_ms) - schedule.after_ms) // DAY_MS - 1
    newest = min(newest_ms // DAY_MS, ended)
    days = (_date(number) for number in range(max(first, newest - schedule.most + 1), newest + 1))
    return [day for day in days if day not in checked]


def behind(bounds: Bounds, day: dt.date) -> dict[str, int]:
    """The symbols of the day whose evaluations are not recorded beyond its end, with the last one (ms)."""
    start_ms = day_ms(day)
    return {
        symbol: last
        for symbol, (first, last) in sorted(bounds.items())
        if first < start_ms + DAY_MS and start_ms <= last < start_ms + DAY_MS + MARGIN_MS
    }


def day_ms(day: dt.date) -> int:
    """The start of the UTC day, ms."""
    return (day - dt.date(1970, 1, 1)).days * DAY_MS


def day_span(day: dt.date) -> tuple[int, int]:
    """The UTC day, ms [start, end)."""
    return day_ms(day), day_ms(day) + DAY_MS


def _date(number: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=number)
