"""The routes about a live account: what may trade, what it holds, and every trade, order and event of it."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.contracts.trading import PositionChanged, RuleMeasure
from libs.kit.durations import DAY_MS
from libs.store.instants import instant, milliseconds
from libs.store.listing import LIVE_EVENTS, LIVE_ORDERS, LIVE_TRADES, shown
from libs.store.live_curve import AccountSpan, live_curve, stated_sums
from libs.store.live_profit import LiveProfit, known_statement, live_profit
from libs.store.live_questions import ConfigVersion, LiveTrade, config_history, open_live_trades
from libs.store.paper_questions import ProfitRange
from libs.trading.execution.config import LiveConfig
from services.gateway.asking import PLAIN, Shared, Text, TimeMs, check_span, kept
from services.gateway.live_accounts import AccountQuery, heartbeat, known_account
from services.gateway.models.live import (
    LiveBalance,
    LiveConfigAnswer,
    LiveConfigHistory,
    LiveCurve,
    LiveCurvePoint,
    LiveEventAnswer,
    LiveEventPage,
    LiveOrderAnswer,
    LiveOrderPage,
    LivePosition,
    LivePositions,
    LiveSummary,
    LiveTradeAnswer,
    LiveTradePage,
    LiveTradeState,
    StatedAnswer,
)
from services.gateway.newest import Heard
from services.gateway.paging import LISTED, Asked, PageQuery, Table, csv_of, send_list, wants_csv
from services.gateway.problems import RESPONSES
from services.gateway.shared import Gateway

Page = Annotated[PageQuery, Depends()]
TradeId = Annotated[Text | None, Query(max_length=80, examples=["7d1c9f"])]
Symbol = Annotated[Text | None, Query(max_length=40, examples=["BTCUSDT"])]
_TRADES = Table(LIVE_TRADES, LiveTradeAnswer, LiveTradePage)
_ORDERS = Table(LIVE_ORDERS, LiveOrderAnswer, LiveOrderPage)
_EVENTS = Table(LIVE_EVENTS, LiveEventAnswer, LiveEventPage)
router = APIRouter(prefix="/api/live", responses=RESPONSES, tags=["live"])


@dataclass(frozen=True, slots=True)
class TradeQuery:
    """Filters of live trades, as asked."""

    strategy: Annotated[Text | None, Query(max_length=80, examples=["v51"])] = None
    symbol: Symbol = None
    state: Annotated[LiveTradeState | None, Query(examples=["closed"])] = None


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """Filters of orders, as asked."""

    trade_id: TradeId = None
    symbol: Symbol = None


@dataclass(frozen=True, slots=True)
class CurveQuery:
    """Which exits, as asked."""

    start: Annotated[TimeMs | None, Query(alias="from", description="First exit, ms; default: of all")] = None
    end: Annotated[TimeMs | None, Query(alias="to", description="After the last exit, ms; default: of all")] = None
    limit: Annotated[int, Query(ge=1, le=5000, description="The newest so many"), PLAIN] = 1000
    format: Annotated[str | None, Query(pattern="^(json|csv)$")] = None


@router.get("/config", operation_id="getLiveConfig", response_model=LiveConfigAnswer)
async def config(request: Request, shared: Shared, account: AccountQuery = None) -> Response:
    """What may trade on an account now, and who said so; as shipped where nobody has changed anything."""

    async def found() -> LiveConfigAnswer:
        name = await known_account(shared, account)
        async with shared.turn() as engine:
            versions = await config_history(engine, name, 1)
        return _config(versions[0]) if versions else _as_shipped(name)

    return await kept(request, shared, 1, found)


@router.get("/config/history", operation_id="getLiveConfigHistory", response_model=LiveConfigHistory)
async def config_versions(request: Request, shared: Shared, account: AccountQuery = None) -> Response:
    """Every version of what may trade: who changed it, when and why; newest first."""

    async def found() -> LiveConfigHistory:
        name = await known_account(shared, account)
        async with shared.turn() as engine:
            return LiveConfigHistory(rows=tuple(map(_config, await config_history(engine, name))))

    return await kept(request, shared, 1, found)


@router.get("/summary", operation_id="getLiveSummary", response_model=LiveSummary)
async def summary(request: Request, shared: Shared, account: AccountQuery = None) -> Response:
    """An account in one look: who lives, what allows or blocks entries, what is open, and the day."""

    async def found() -> LiveSummary:
        name = await known_account(shared, account)
        today = _today(shared)
        async with shared.turn() as engine:
            trades = await open_live_trades(engine, name)
            closed = await live_profit(engine, name, "day", ProfitRange(today, today + dt.timedelta(days=1)))
        held = [row.said for key, row in shared.words.positions.items() if key[0] == name]
        return LiveSummary(
            **_who_allows(shared, name),
            open_trades=len(trades),
            unrealised_quote=sum((row.unrealised_pnl for row in held), Decimal(0)) if held else None,
            day=today.date().isoformat(),
            closed_today=sum(row.trades for row in closed),
            won_today=sum(row.won for row in closed),
            net_today=sum((row.net for row in closed), Decimal(0)),
            net_r_today=_all_in_r(closed),
        )

    return await kept(request, shared, 1, found)


@router.get("/balance", operation_id="getLiveBalance", response_model=LiveBalance)
async def balance(request: Request, shared: Shared, account: AccountQuery = None) -> Response:
    """The balance as the guard measures it, and what the venue's statement says moved it today."""

    async def found() -> LiveBalance:
        name = await known_account(shared, account)
        today = _today(shared)
        async with shared.turn() as engine:
            span = await known_statement(engine, name)
            stated = await stated_sums(engine, AccountSpan(name, today, today + dt.timedelta(days=1)))
        guard = shared.words.risk.get(name)
        measured = _measured(guard.said.measures if guard else (), "balance_floor")
        held = [row.said.unrealised_pnl for key, row in shared.words.positions.items() if key[0] == name]
        unrealised = sum(held, Decimal(0)) if held else None
        return LiveBalance(
            account=name,
            balance=measured,
            unrealised=unrealised,
            equity=None if measured is None else measured + (unrealised or 0),
            measured=heartbeat(shared, guard),
            statement_from_ms=None if span is None else milliseconds(span.start),
            statement_until_ms=None if span is None else milliseconds(span.stop),
            stated_today=tuple(StatedAnswer(**shown(asdict(row))) for row in stated),
        )

    return await kept(request, shared, 1, found)


@router.get("/positions", operation_id="getLivePositions", response_model=LivePositions)
async def positions(request: Request, shared: Shared, account: AccountQuery = None) -> Response:
    """What the account holds at the venue, as the executor last told it, beside the trades that it belongs to."""

    async def found() -> LivePositions:
        name = await known_account(shared, account)
        async with shared.turn() as engine:
            trades = {trade.symbol: trade for trade in await open_live_trades(engine, name)}
        held = sorted(
            (row for key, row in shared.words.positions.items() if key[0] == name), key=lambda row: row.said.symbol
        )
        rows = (_position(shared, row, trades.get(row.said.symbol)) for row in held if row.said.quantity)
        return LivePositions(rows=tuple(rows))

    return await kept(request, shared, 1, found)


@router.get("/trades", operation_id="getLiveTrades", response_model=LiveTradePage, responses=LISTED)
async def trades(
    request: Request, shared: Shared, page: Page, asked: Annotated[TradeQuery, Depends()], account: AccountQuery = None
) -> Response:
    """What became of each signal on the account, refused ones included, newest first; page by `cursor`."""
    name = await known_account(shared, account)
    return await send_list(request, shared, _TRADES, Asked(page, {"account": name, **asdict(asked)}))


@router.get("/orders", operation_id="getLiveOrders", response_model=LiveOrderPage, responses=LISTED)
async def orders(
    request: Request, shared: Shared, page: Page, asked: Annotated[OrderQuery, Depends()], account: AccountQuery = None
) -> Response:
    """Every order of ours from its intent on, newest first; page by `cursor`."""
    name = await known_account(shared, account)
    return await send_list(request, shared, _ORDERS, Asked(page, {"account": name, **asdict(asked)}))


@router.get("/events", operation_id="getLiveEvents", response_model=LiveEventPage, responses=LISTED)
async def events(
    request: Request, shared: Shared, page: Page, account: AccountQuery = None, trade_id: TradeId = None
) -> Response:
    """What happened to trades and to the account, newest first; page by `cursor`."""
    name = await known_account(shared, account)
    return await send_list(request, shared, _EVENTS, Asked(page, {"account": name, "trade_id": trade_id}))


@router.get("/equity", operation_id="getLiveEquity", response_model=LiveCurve, responses=LISTED)
async def equity(
    request: Request, shared: Shared, asked: Annotated[CurveQuery, Depends()], account: AccountQuery = None
) -> Response:
    """What the account's closed trades made, trade by trade, costs included."""
    check_span(asked.start, asked.end)

    async def found() -> LiveCurve:
        name = await known_account(shared, account)
        end = instant(shared.words.clock.now_ms() + DAY_MS if asked.end is None else asked.end)
        async with shared.turn() as engine:
            points = await live_curve(engine, AccountSpan(name, instant(asked.start or 0), end, asked.limit))
        return LiveCurve(account=name, rows=tuple(LiveCurvePoint(**shown(asdict(point))) for point in points))

    if wants_csv(request, asked.format):
        return csv_of(LiveCurvePoint, (await found()).rows, "live_equity")
    return await kept(request, shared, 1, found)


def _config(version: ConfigVersion) -> LiveConfigAnswer:
    return LiveConfigAnswer(**shown(asdict(version)))


def _as_shipped(account: str) -> LiveConfigAnswer:
    document = LiveConfig().model_dump(mode="json")
    nobody = dict.fromkeys(("changed_by", "reason", "command_id", "changed_at_ms"))
    return LiveConfigAnswer(account=account, version=0, document=document, **nobody)


def _today(shared: Gateway) -> dt.datetime:
    """The UTC day of our clock: an account trades now, whatever a recording plays."""
    return instant(shared.words.clock.now_ms() // DAY_MS * DAY_MS)


def _all_in_r(closed: Sequence[LiveProfit]) -> float | None:
    """In R what the same trades made in quote units; None where one has no R: the two would speak of different trades."""
    return None if any(row.without_r for row in closed) else sum(row.net_r or 0.0 for row in closed)


def _who_allows(shared: Gateway, account: str) -> dict[str, Any]:
    executor, guard = shared.words.executors.get(account), shared.words.risk.get(account)
    beats = {"executor": heartbeat(shared, executor), "guard": heartbeat(shared, guard)}
    reasons = [f"the {name.replace('guard', 'risk guard')} is silent" for name, beat in beats.items() if beat.silent]
    reasons += [reason for one in (guard, executor) if one is not None for reason in one.said.reasons]
    allowed = (
        executor is not None and guard is not None and executor.said.entries_allowed and guard.said.entries_allowed
    )
    said = None if executor is None else executor.said
    return {
        "account": account,
        **beats,
        "entries_allowed": allowed and not any(beat.silent for beat in beats.values()),
        "reasons": tuple(dict.fromkeys(reasons)),
        "level": None if guard is None else guard.said.level,
        "mode": None if said is None else said.mode,
        "config_version": None if said is None else said.config_version,
        "reconciled_at_ms": None if said is None else said.reconciled_at_ms or None,
        "reconciliation_clean": None if said is None else said.reconciliation_clean,
    }


def _measured(measures: Sequence[RuleMeasure], rule: str) -> Decimal | None:
    return next((one.value for one in measures if one.rule == rule), None)


def _position(shared: Gateway, row: Heard[PositionChanged], trade: LiveTrade | None) -> LivePosition:
    said = row.said
    names = ("strategy", "state", "stop", "take_profit_1", "take_profit_2", "initial_risk")
    of_trade = {name: getattr(trade, name, None) for name in names}
    risk = None if trade is None else trade.initial_risk
    return LivePosition(
        account=said.account,
        symbol=said.symbol,
        quantity=said.quantity,
        entry_price=said.entry_price,
        mark_price=said.mark_price,
        unrealised=said.unrealised_pnl,
        protected=said.protected,
        told_at_ms=row.at_ms,
        trade_id=None if trade is None else trade.trade_id,
        **of_trade,
        unrealised_r=float(said.unrealised_pnl / risk) if risk else None,
        hold_until_ms=None if trade is None or trade.hold_until is None else milliseconds(trade.hold_until),
    )
