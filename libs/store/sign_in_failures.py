"""Lock-out: failed attempts in a row by account and by address, each with a delay that doubles after the fifth.

An attempt is counted before it is made and forgiven when it succeeds, so that a hundred at once are no hundred free guesses.
"""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import text

from libs.store.engine import WriteSession

FREE_FAILURES = 5
FIRST_DELAY = dt.timedelta(seconds=5)
LONGEST_DELAY = dt.timedelta(minutes=15)
FORGOTTEN = dt.timedelta(hours=12)
"""After so long without a failure the count begins anew."""

_KNOW = text(
    "INSERT INTO sign_in_failures (subject, failures, last_at)"
    " SELECT unnest(CAST(:subjects AS text[])), 0, :at ON CONFLICT DO NOTHING"
)
_LOCK = text(
    "SELECT subject, failures, last_at, locked_until FROM sign_in_failures WHERE subject = ANY(:subjects)"
    " ORDER BY subject FOR UPDATE"
)
_COUNT = text(
    "UPDATE sign_in_failures SET failures = :failures, last_at = :at, locked_until = :locked_until WHERE subject = :subject"
)
_FORGIVE = text("DELETE FROM sign_in_failures WHERE subject = :subject")
_TAKE_BACK = text(
    "UPDATE sign_in_failures SET failures = greatest(failures - 1, 0), locked_until = NULL WHERE subject = :subject"
)
_OLD = text("DELETE FROM sign_in_failures WHERE last_at < :before")


def delay_after(failures: int) -> dt.timedelta | None:
    """How long nobody may try after so many failures in a row; None below the fifth."""
    if failures < FREE_FAILURES:
        return None
    # The exponent is bounded, since a count has no end and a duration has.
    doubled: int = 2 ** min(failures - FREE_FAILURES, 16)
    return min(LONGEST_DELAY, FIRST_DELAY * doubled)


async def begin_attempt(session: WriteSession, subjects: Sequence[str], at: dt.datetime) -> dt.datetime | None:
    """Count an attempt against each subject; if one of them is locked, count nothing and return until when."""
    ordered = sorted(set(subjects))  # always in one order: two attempts at once wait for each other instead of failing
    await session.connection.execute(_KNOW, {"subjects": ordered, "at": at})
    rows = (await session.connection.execute(_LOCK, {"subjects": ordered})).mappings().all()
    locked: list[dt.datetime] = [
        row["locked_until"] for row in rows if row["locked_until"] is not None and row["locked_until"] > at
    ]
    if locked:
        return max(locked)
    for row in rows:
        failures = 1 + (row["failures"] if at - row["last_at"] < FORGOTTEN else 0)
        delay = delay_after(failures)
        counted = {"subject": row["subject"], "failures": failures, "at": at}
        await session.connection.execute(_COUNT, counted | {"locked_until": None if delay is None else at + delay})
    return None


async def forgive(session: WriteSession, subject: str) -> None:
    """The attempt was a good one: count from 0 again."""
    await session.connection.execute(_FORGIVE, {"subject": subject})


async def take_back(session: WriteSession, subject: str) -> None:
    """The attempt was a good one and counts not, but those before it do: an address is not forgiven what it tried on others."""
    await session.connection.execute(_TAKE_BACK, {"subject": subject})


async def remove_old_failures(session: WriteSession, at: dt.datetime) -> None:
    """Remove what is forgotten."""
    await session.connection.execute(_OLD, {"before": at - FORGOTTEN})
