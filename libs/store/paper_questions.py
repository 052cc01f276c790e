"""What people ask of paper trading: accounts now, what is ordered and open, and profit by any of its sides."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import text

from libs.store.engine import Engine, read_session

ProfitSide = Literal["day", "week", "month", "strategy", "symbol", "reason"]
_ACCOUNTS = text(
    "SELECT a.strategy, a.starting_balance, a.risk_per_trade, a.balance, a.unrealised, a.open_positions, a.level, a.day_over,"
    " a.market_time, CASE WHEN a.day = (a.market_time AT TIME ZONE 'UTC')::date THEN a.day_realised ELSE 0 END AS day_realised,"
    " count(t.trade_id) FILTER (WHERE t.state = 'closed') AS closed_today,"
    " count(t.trade_id) FILTER (WHERE t.state = 'closed' AND t.net > 0) AS won_today,"
    " coalesce(sum(t.net) FILTER (WHERE t.state = 'closed'), 0) AS net_today,"
    " coalesce(sum(t.net_r) FILTER (WHERE t.state = 'closed'), 0)::float8 AS net_r_today"
    " FROM paper_accounts a LEFT JOIN paper_trades t ON t.strategy = a.strategy"
    "  AND t.exit_time >= date_trunc('day', a.market_time, 'UTC')"
    " GROUP BY a.strategy ORDER BY a.strategy"
)
_HELD = text(
    "SELECT trade_id, signal_id, strategy, symbol, direction, state, entry_time, entry_price, quantity, quantity_left, stop_loss,"
    " stop_now, take_profit_1, take_profit_2, risk, net, price, unrealised, hold_until, market_time"
    " FROM paper_trades WHERE state IN ('ordered', 'open') ORDER BY strategy, symbol"
)
_SIDES: dict[ProfitSide, str] = {
    "day": "to_char(exit_time AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "week": "to_char(exit_time AT TIME ZONE 'UTC', 'IYYY-\"W\"IW')",
    "month": "to_char(exit_time AT TIME ZONE 'UTC', 'YYYY-MM')",
    "strategy": "strategy",
    "symbol": "symbol",
    "reason": "reason",
}
_PROFIT = (
    "SELECT {side} AS name, count(*) AS trades, count(*) FILTER (WHERE net > 0) AS won, sum(net) AS net, sum(gross) AS gross,"
    " sum(fees) AS fees, sum(slippage) AS slippage, sum(funding) AS funding, sum(net_r)::float8 AS net_r"
    " FROM paper_trades WHERE state = 'closed' AND exit_time >= :start AND exit_time < :stop"
    " AND (CAST(:strategy AS text) IS NULL OR strategy = :strategy) GROUP BY 1 ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class AccountNow:
    """An account in quote units; `…_today`: of trades that closed on the UTC day of `market_time`, whole trades each.

    `day_realised` is what the account's limits of the day count: also what a trade that is still open has realised by parts. It
    has no figure in R and is not to stand beside one: `net_today` is.
    """

    strategy: str
    starting_balance: Decimal
    risk_per_trade: Decimal
    balance: Decimal
    unrealised: Decimal
    open_positions: int
    level: str
    day_over: bool
    market_time: dt.datetime
    day_realised: Decimal
    closed_today: int
    won_today: int
    net_today: Decimal
    net_r_today: float


@dataclass(frozen=True, slots=True)
class HeldTrade:
    """A trade that is ordered or open; `net`: realised so far, costs included; `price`: the last trade's at `market_time`."""

    trade_id: str
    signal_id: str
    strategy: str
    symbol: str
    direction: str
    state: str
    entry_time: dt.datetime | None
    entry_price: Decimal | None
    quantity: Decimal
    quantity_left: Decimal
    stop_loss: Decimal
    stop_now: Decimal
    take_profit_1: Decimal
    take_profit_2: Decimal
    risk: Decimal | None
    net: Decimal
    price: Decimal
    unrealised: Decimal
    hold_until: dt.datetime
    market_time: dt.datetime

    @property
    def unrealised_r(self) -> float | None:
        """What the rest would make at the last price, in R; None while it is ordered."""
        return float(self.unrealised / self.risk) if self.risk else None

    def distance_percent(self, level: Decimal) -> float | None:
        """From the last price to a level, in percent of the price; above 0: the level is above. None before any price."""
        return float((level / self.price - 1) * 100) if self.price else None


@dataclass(frozen=True, slots=True)
class Profit:
    """Closed trades of one day, week, month, strategy, symbol or exit reason, in quote units and R."""

    name: str
    trades: int
    won: int
    net: Decimal
    gross: Decimal
    fees: Decimal
    slippage: Decimal
    funding: Decimal
    net_r: float


@dataclass(frozen=True, slots=True)
class ProfitRange:
    """Exits in [start, stop), of one strategy or of all."""

    start: dt.datetime
    stop: dt.datetime
    strategy: str | None = None


async def paper_accounts_now(engine: Engine) -> list[AccountNow]:
    """Every account, by name. Raises `UnreachableError`."""
    return [AccountNow(**row) for row in await _rows(engine, _ACCOUNTS, {})]


async def held_paper_trades(engine: Engine) -> list[HeldTrade]:
    """What is ordered and open, by strategy and symbol. Raises `UnreachableError`."""
    return [HeldTrade(**row) for row in await _rows(engine, _HELD, {})]


async def paper_profit(engine: Engine, side: ProfitSide, asked: ProfitRange) -> list[Profit]:
    """Profit of closed trades by one side, in its order. Raises `UnreachableError`."""
    parameters = {"start": asked.start, "stop": asked.stop, "strategy": asked.strategy}
    return [Profit(**row) for row in await _rows(engine, text(_PROFIT.format(side=_SIDES[side])), parameters)]


async def _rows(engine: Engine, question: Any, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    async with read_session(engine) as session:
        return [dict(row._mapping) for row in (await session.connection.execute(question, parameters)).all()]
