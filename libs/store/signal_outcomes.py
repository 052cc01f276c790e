"""What became of signals, on paper and on each account: beside a page of them, where a trade each would be too much."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sqlalchemy import text

from libs.store.engine import ReadSession

# A trade that never had an entry has made nothing, which is not a result of 0.
SIGNAL_OUTCOMES = text("""
SELECT signal_id, 'paper' AS books, NULL AS account, trade_id, state, reason,
  CASE WHEN entry_time IS NOT NULL THEN net END AS net, CASE WHEN entry_time IS NOT NULL THEN net_r END AS net_r
FROM paper_trades WHERE signal_id = ANY(CAST(:signals AS text[]))
UNION ALL
SELECT signal_id, 'live', account, trade_id, state, coalesce(exit_reason, reason),
  CASE WHEN entry_time IS NOT NULL THEN pnl_quote END, CASE WHEN entry_time IS NOT NULL THEN pnl_r::float8 END
FROM live_trades WHERE signal_id = ANY(CAST(:signals AS text[]))
ORDER BY 1, 2, 3, 4
""")


@dataclass(frozen=True, slots=True)
class SignalOutcome:
    """A trade that a signal led to, or why it led to none. `net` in quote units and `net_r`: realised so far, costs included."""

    signal_id: str
    books: Literal["paper", "live"]
    account: str | None
    trade_id: str
    state: str
    reason: str | None
    net: Decimal | None
    net_r: float | None


async def outcomes_of(session: ReadSession, signals: Sequence[str]) -> dict[str, list[SignalOutcome]]:
    """By the ids of the signals, those of accounts first; signals of which nothing is known are left out."""
    found: dict[str, list[SignalOutcome]] = {}
    if signals:
        for row in await session.connection.execute(SIGNAL_OUTCOMES, {"signals": list(signals)}):
            found.setdefault(row.signal_id, []).append(SignalOutcome(**row._mapping))
    return found
