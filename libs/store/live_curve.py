"""What an account made, trade by trade, and what the venue's statement says moved its balance."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text

from libs.store.engine import Engine, read_session

LIVE_CURVE = text("""
SELECT exit_time, trade_id, symbol, pnl_quote, sum(pnl_quote) OVER by_exit AS made,
  (sum(pnl_r) OVER by_exit)::float8 AS made_r
FROM live_trades WHERE account = :account AND state = 'closed' AND exit_time >= :start AND exit_time < :stop
WINDOW by_exit AS (ORDER BY exit_time, trade_id) ORDER BY exit_time DESC, trade_id DESC LIMIT :most
""")
STATED = text("""
SELECT kind, asset, sum(amount) AS amount, count(*) AS lines, max(entry_time) AS last_at FROM account_statement
WHERE account = :account AND entry_time >= :start AND entry_time < :stop GROUP BY kind, asset ORDER BY kind, asset
""")


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A closed trade, and what all of the span up to it made, in quote units and R."""

    exit_time: dt.datetime
    trade_id: str
    symbol: str
    pnl_quote: Decimal
    made: Decimal
    made_r: float | None


@dataclass(frozen=True, slots=True)
class StatedSum:
    """Lines of one kind in the venue's statement, in units of their asset."""

    kind: str
    asset: str
    amount: Decimal
    lines: int
    last_at: dt.datetime


@dataclass(frozen=True, slots=True)
class AccountSpan:
    """[start, stop) of an account; at most `most` points, the newest."""

    account: str
    start: dt.datetime
    stop: dt.datetime
    most: int = 1000

    @property
    def parameters(self) -> dict[str, object]:
        return {"account": self.account, "start": self.start, "stop": self.stop}


async def live_curve(engine: Engine, span: AccountSpan) -> list[CurvePoint]:
    """Closed trades by their exit, oldest first. Raises `UnreachableError`, as all questions do."""
    async with read_session(engine) as session:
        found = await session.connection.execute(LIVE_CURVE, span.parameters | {"most": span.most})
        return [CurvePoint(**row._mapping) for row in reversed(found.all())]


async def stated_sums(engine: Engine, span: AccountSpan) -> list[StatedSum]:
    """What the statement's lines of the span add up to."""
    async with read_session(engine) as session:
        return [StatedSum(**row._mapping) for row in (await session.connection.execute(STATED, span.parameters)).all()]
