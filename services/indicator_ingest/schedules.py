"""When each slow input is asked for, what its time means, and when its newest value is too old: one table, also in the README.

Times are venue time. The venue documents no delay for any of them. What it had not yet told at the last try of a round, a live
system would not have had either: so the delay that is assumed for fetched history covers all tries of a round.
"""

from dataclasses import dataclass

HEADER = "| feed | asked | tries after that | its instant | stale after | history available |"
PERIOD = "5m"
PERIOD_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """One feed. Asked `offset_seconds` after each multiple of `every_seconds`; a symbol without an answer, or without the value
    of that period (`awaits_period`), again each `retry_seconds`, `retries` times.

    `stamp` says which instant a value describes. A newest value older than `stale_seconds` makes the feed stale.
    `assumed_delay_seconds`: after its instant, when a value that was fetched as history counts as known; None: no history.
    """

    feed: str
    every_seconds: float
    offset_seconds: float
    stamp: str
    stale_seconds: float
    assumed_delay_seconds: float | None = None
    awaits_period: bool = False
    retry_seconds: float = 15.0
    retries: int = 5

    @property
    def seen_seconds(self) -> float:
        """So long after its instant at most does a value come by the schedule; what comes later was fetched as history."""
        return self.every_seconds + self.offset_seconds + self.retries * self.retry_seconds

    def availability(self, instant_ms: int, now_ms: int) -> tuple[int, bool]:
        """From when on a value that we have now could be known (ms), and whether that is assumed."""
        if self.assumed_delay_seconds is None or now_ms - instant_ms <= self.seen_seconds * 1000:
            return max(now_ms, instant_ms), False
        return instant_ms + int(self.assumed_delay_seconds * 1000), True


def _of_periods(feed: str, stamp: str = "end of the period") -> Schedule:
    return Schedule(feed, PERIOD_SECONDS, 6.0, stamp, 900.0, assumed_delay_seconds=120.0, awaits_period=True)


SCHEDULES: dict[str, Schedule] = {
    schedule.feed: schedule
    for schedule in (
        Schedule("open_interest", 60.0, 1.0, "when the venue counted", 300.0),
        _of_periods("open_interest_history"),
        _of_periods("global_long_short_account_ratio"),
        _of_periods("top_long_short_account_ratio"),
        _of_periods("top_long_short_position_ratio"),
        _of_periods("taker_long_short_ratio", "end of the period (the venue stamps its start)"),
        # Settled each 8 hours at most, told within the hour in which it is asked for.
        Schedule("funding_rate", 3600.0, 20.0, "the settlement, to the second", 9.5 * 3600.0, 120.0),
        Schedule("coinbase_premium", 15.0, 0.0, "when it was due; each leg's last trade beside it", 60.0),
    )
}


def table() -> str:
    """The table in Markdown, as it stands in the README."""
    return "\n".join([HEADER, "|---|---|---|---|---|---|", *(_row(schedule) for schedule in SCHEDULES.values())])


def _row(schedule: Schedule) -> str:
    asked = f"each {schedule.every_seconds:g} s + {schedule.offset_seconds:g} s"
    tries = f"{schedule.retries}, each {schedule.retry_seconds:g} s"
    delay = schedule.assumed_delay_seconds
    known = "no history" if delay is None else f"instant + {delay:g} s (assumed)"
    return f"| `{schedule.feed}` | {asked} | {tries} | {schedule.stamp} | {schedule.stale_seconds:g} s | {known} |"
