"""Milliseconds since the epoch to PostgreSQL's timestamptz and back, exactly: no floating point in between."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_INSTANT_MS = 253_402_300_799_999  # the end of the year 9999
_MILLISECOND = timedelta(milliseconds=1)


def instant(time_ms: int) -> datetime:
    """The instant, UTC. Raises `OverflowError` beyond the year 9999."""
    return EPOCH + timedelta(milliseconds=time_ms)


def known_instant(time_ms: int | None) -> datetime | None:
    """The instant, or None for an unknown one (None or negative)."""
    return None if time_ms is None or time_ms < 0 else instant(time_ms)


def milliseconds(moment: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return (moment - EPOCH) // _MILLISECOND
