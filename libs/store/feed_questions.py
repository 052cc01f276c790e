"""How is each feed, and what is missing: the questions of screens and programs about the proof of data."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text

from libs.contracts.market import LIVE_STATES
from libs.store.engine import ReadSession
from libs.store.instants import instant, milliseconds

_FEEDS = text("""
SELECT *, CASE WHEN feed = 'trades' THEN (
  SELECT coalesce(sum(CASE WHEN closed_at IS NULL THEN last_missing_id - first_missing_id + 1
    ELSE coalesce(unfilled_count, last_missing_id - first_missing_id + 1) END), 0)::bigint FROM market_data_gaps AS gap
  WHERE gap.symbol = feed_health.symbol AND gap.in_band AND gap.outcome = 'lost'
    AND gap.to_time >= feed_health.event_time - interval '24 hours'
) END AS lost_24h
FROM feed_health
WHERE (CAST(:feed AS text) IS NULL OR feed = :feed) AND (CAST(:symbol AS text) IS NULL OR symbol = :symbol)
ORDER BY feed, symbol
""")
_KNOWN = text("SELECT DISTINCT feed FROM feed_health ORDER BY feed")
# A gap whose beginning nobody knows begins at the epoch, so that pages have an order.
_BEGINNING = "greatest(from_time, timestamptz 'epoch')"
_GAPS = """
SELECT symbol, first_missing_id, last_missing_id, {beginning} AS from_time, to_time, cause, outcome, in_band, found_at, closed_at,
  unfilled_count
FROM market_data_gaps {where}
ORDER BY {beginning} DESC, symbol DESC, first_missing_id DESC, last_missing_id DESC LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class FeedNow:
    """The last report of a feed and symbol. Times are the venue's in ms: `reported_ms` when it was told, `last_event_ms` of the
    newest event. Rates and delays are means since the report before; completeness is in parts per million. `lost_24h`: aggregate
    ids of the last 24 hours that stand in the timeline as missing and in no table (of the feed of trades)."""

    feed: str
    symbol: str
    state: str
    since_ms: int | None
    detail: str
    reported_ms: int
    last_event_ms: int | None
    events_per_second: float | None
    delay_ms: float | None
    clock_offset_ms: float | None
    gaps_open: int
    gaps_filled: int
    completeness_1h_ppm: int | None
    completeness_24h_ppm: int | None
    lost_24h: int | None

    @property
    def live(self) -> bool:
        """Whether it delivers what the venue has."""
        return self.state in LIVE_STATES


@dataclass(frozen=True, slots=True)
class GapPlace:
    """Where a gap stands among all of them, newest first: when it begins (ms), its symbol and its ids."""

    from_ms: int
    symbol: str
    first_missing_id: int
    last_missing_id: int


@dataclass(frozen=True, slots=True)
class GapFilter:
    """Which gaps; None filters nothing. The gap touches [start_ms, end_ms); `before` continues a page after its last row."""

    symbol: str | None = None
    outcome: str | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    before: GapPlace | None = None
    most: int = 100


@dataclass(frozen=True, slots=True)
class KnownGap:
    """Aggregate ids (both inclusive) that the stream did not bring. `from_ms`, `to_ms`: the known trades around it, exclusive.

    `hole`: it was published as missing, so every replay of the timeline lacks these ids. `unfilled`: how many of a filled gap's
    ids have holes of their own. `found_ms` and `closed_ms` (venue time) are None where nobody saw it begin or end.
    """

    symbol: str
    first_missing_id: int
    last_missing_id: int
    from_ms: int
    to_ms: int
    cause: str
    outcome: str
    hole: bool
    found_ms: int | None
    closed_ms: int | None
    unfilled: int

    @property
    def place(self) -> GapPlace:
        """Where a following page goes on."""
        return GapPlace(self.from_ms, self.symbol, self.first_missing_id, self.last_missing_id)


async def feeds_now(session: ReadSession, feed: str | None = None, symbol: str | None = None) -> list[FeedNow]:
    """The last report of every feed and symbol (or of those named), by name."""
    rows = await session.connection.execute(_FEEDS, {"feed": feed, "symbol": symbol})
    return [
        FeedNow(
            row.feed,
            row.symbol,
            row.state,
            _milliseconds(row.since),
            row.detail,
            milliseconds(row.event_time),
            _milliseconds(row.last_event_time),
            row.events_per_second,
            row.delay_ms,
            row.clock_offset_ms,
            row.gaps_open,
            row.gaps_filled,
            row.completeness_1h_ppm,
            row.completeness_24h_ppm,
            row.lost_24h,
        )
        for row in rows
    ]


async def known_feeds(session: ReadSession) -> list[str]:
    """The names of the feeds that have ever reported."""
    return list((await session.connection.execute(_KNOWN)).scalars())


async def known_gaps(session: ReadSession, wanted: GapFilter) -> list[KnownGap]:
    """Gaps and holes of the trade streams, those that begin last first."""
    parameters: dict[str, object] = {"most": wanted.most}
    conditions = []
    for column, value in (("symbol", wanted.symbol), ("outcome", wanted.outcome)):
        if value is not None:
            conditions.append(f"{column} = :{column}")
            parameters[column] = value
    if wanted.start_ms is not None:
        conditions.append("to_time >= :start")
        parameters["start"] = instant(wanted.start_ms)
    if wanted.end_ms is not None:
        conditions.append("from_time < :end")
        parameters["end"] = instant(wanted.end_ms)
    if (place := wanted.before) is not None:
        conditions.append(
            f"({_BEGINNING}, symbol, first_missing_id, last_missing_id) < (:at, :of, CAST(:first AS int8), CAST(:last AS int8))"
        )
        parameters |= {"at": instant(place.from_ms), "of": place.symbol}
        parameters |= {"first": place.first_missing_id, "last": place.last_missing_id}
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    statement = text(_GAPS.format(where=where, beginning=_BEGINNING))
    return [_gap(row) for row in await session.connection.execute(statement, parameters)]


def _gap(row: Row[Any]) -> KnownGap:
    return KnownGap(
        row.symbol,
        row.first_missing_id,
        row.last_missing_id,
        milliseconds(row.from_time),
        milliseconds(row.to_time),
        row.cause,
        row.outcome,
        row.in_band,
        _milliseconds(row.found_at),
        _milliseconds(row.closed_at),
        row.unfilled_count or 0,
    )


def _milliseconds(value: Any) -> int | None:
    return None if value is None else milliseconds(value)
