"""What a backtest reads beside trades: events at the places where the log had them, or from when on somebody could know them."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from sqlalchemy import text

from libs.contracts.control import StrategyActivated
from libs.contracts.event import Event
from libs.contracts.identity import rate_id
from libs.contracts.market import (
    FeedStatusChanged,
    Hole,
    LiquidationObserved,
    MarketIndicatorObserved,
    MarkPriceObserved,
    TradesBootstrapped,
)
from libs.contracts.timeline import KNOWN_BEFORE_MS, PlacedEvent, PlacedHole
from libs.store.engine import Engine, read_session
from libs.store.instants import EPOCH, milliseconds

View: TypeAlias = Literal["as-seen", "repaired"]
_TIMEOUT_MS = 600_000


@dataclass(frozen=True, slots=True)
class ReplaySpan:
    """A symbol and [start, stop), UTC: of instants, or of places in the log."""

    symbol: str
    start: dt.datetime
    stop: dt.datetime

    @property
    def asked(self) -> dict[str, object]:
        return {"symbol": self.symbol, "start": self.start, "stop": self.stop}


class _Kind(NamedTuple):
    """A table: its columns, where a row stands by view, what makes the order total, and how a row becomes an event."""

    columns: str
    repaired: str | None
    order: str
    read: Callable[[Any], Event]


_HOLES = text(
    "SELECT symbol, first_missing_id, last_missing_id, from_time, to_time, cause, effective_at FROM market_data_gaps"
    " WHERE symbol = :symbol AND in_band AND to_time >= :start AND from_time < :stop ORDER BY first_missing_id"
)
_ACTIVATIONS = text(
    "SELECT event_id, strategy, version, enabled, definition, activated_by, partition, generation, watermarks"
    " FROM strategy_activations ORDER BY min(recorded_at) OVER (PARTITION BY generation), generation, partition, log_offset"
)
_DAYS = text(
    "SELECT (trade_time AT TIME ZONE 'UTC')::date AS day, count(*) AS row_count, min(agg_id) AS first_id, max(agg_id) AS last_id,"
    " min(trade_time) AS first_time, max(trade_time) AS last_time"
    " FROM agg_trades WHERE symbol = :symbol AND trade_time >= :start AND trade_time < :stop GROUP BY day ORDER BY day"
)
# Each hole asks the index of the trades: there are few, and what a repair brought lies together.
_UNSEEN = text(
    "SELECT (trade_time AT TIME ZONE 'UTC')::date AS day, count(DISTINCT agg_id) AS row_count FROM market_data_gaps AS gap"
    " JOIN agg_trades AS trade ON trade.symbol = :symbol AND trade.agg_id BETWEEN gap.first_missing_id AND gap.last_missing_id"
    " AND trade_time >= :start AND trade_time < :stop"
    " WHERE gap.symbol = :symbol AND in_band AND to_time >= :start AND from_time < :stop GROUP BY day"
)
_NEVER = text(
    "SELECT coalesce(sum(least(last_missing_id, :last) - greatest(first_missing_id, :first) + 1), 0)::int8 FROM market_data_gaps"
    " WHERE symbol = :symbol AND outcome = 'never_existed' AND last_missing_id >= :first AND first_missing_id <= :last"
)
# Both tables may have a settlement, with stamps some milliseconds apart, and only one of them the price it was settled at.
_FUNDING = text(
    "SELECT DISTINCT ON (date_trunc('second', funding_time)) funding_time, funding_rate, mark_price FROM ("
    "SELECT funding_time, funding_rate, NULL::numeric AS mark_price FROM funding_rates"
    " WHERE symbol = :symbol AND funding_time >= :start AND funding_time < :stop"
    " UNION ALL SELECT event_time, funding_rate, mark_price FROM market_indicators"
    " WHERE symbol = :symbol AND kind = 'funding_rate' AND event_time >= :start AND event_time < :stop) AS told"
    " ORDER BY date_trunc('second', funding_time), mark_price NULLS LAST, funding_time, funding_rate"
)


def _indicator(row: Any) -> Event:
    values = msgspec.json.decode(row.content, type=dict[str, Decimal], strict=False)
    return MarketIndicatorObserved(
        event_id=row.event_id,
        event_time_ms=milliseconds(row.event_time),
        symbol=row.symbol,
        kind=row.kind,
        period=row.period,
        values=values,
        source=row.source,
    )


def _plain(value: Decimal) -> Decimal:
    """The decimal as it was written: the driver gives 10000 as 1E+4, which is equal and has other bytes."""
    return value.quantize(Decimal(1)) if int(value.as_tuple().exponent) > 0 else value


def _known(value: Decimal | None) -> Decimal | None:
    return None if value is None else _plain(value)


def _rate(row: Any) -> Event:
    return MarkPriceObserved(
        event_id=rate_id(row.symbol, milliseconds(row.event_time)),
        event_time_ms=milliseconds(row.event_time),
        symbol=row.symbol,
        mark_price=_plain(row.mark_price),
        index_price=_plain(row.index_price),
        estimated_settle_price=_known(row.estimated_settle_price),
        mark_price_average=_known(row.mark_price_average),
        funding_rate=_known(row.funding_rate),
        next_funding_time_ms=milliseconds(row.next_funding_time),
        lowest_mark_price=_known(row.lowest_mark_price),
        highest_mark_price=_known(row.highest_mark_price),
    )


def _liquidation(row: Any) -> Event:
    return LiquidationObserved(
        event_id=row.event_id,
        event_time_ms=milliseconds(row.event_time),
        symbol=row.symbol,
        side=row.side,
        quantity=_plain(row.quantity),
        average_price=_plain(row.average_price),
        order_price=_plain(row.order_price),
        last_filled_quantity=_plain(row.last_filled_quantity),
        trade_time_ms=milliseconds(row.trade_time),
        status=row.status,
    )


def _state(row: Any) -> Event:
    begun_ms = milliseconds(row.event_time)
    return FeedStatusChanged(
        event_id=row.event_id,
        event_time_ms=begun_ms if row.told_at is None else milliseconds(row.told_at),
        feed=row.feed,
        symbol=row.symbol,
        state=row.state,
        detail=row.detail,
        last_event_time_ms=-1,
        since_ms=begun_ms,
    )


def _bars(row: Any) -> Event:
    return TradesBootstrapped(
        event_id=row.event_id,
        event_time_ms=milliseconds(row.event_time),
        symbol=row.symbol,
        price_decimals=row.price_decimals,
        quantity_decimals=row.quantity_decimals,
        producer=row.producer,
        epoch=row.epoch,
        minute_bars=row.minute_bars,
        candle_bars=row.candle_bars,
    )


# Bars first: they warm what trades and configurations then find.
_KINDS: dict[str, _Kind] = {
    "trade_bootstraps": _Kind(
        "event_id, symbol, event_time, price_decimals, quantity_decimals, producer, epoch, minute_bars, candle_bars",
        None,
        "event_time",
        _bars,
    ),
    "feed_status": _Kind(
        "event_id, feed, symbol, state, detail, event_time, told_at",
        "coalesce(told_at, event_time)",
        "told_at, event_time",
        _state,
    ),
    "market_indicators": _Kind(
        'event_id, symbol, kind, period, event_time, "values"::text AS content, source',
        "coalesce(available_at, event_time)",
        "log_offset NULLS FIRST, event_time, event_id",
        _indicator,
    ),
    "rate_snapshots": _Kind(
        "symbol, event_time, mark_price, index_price, estimated_settle_price, mark_price_average, funding_rate,"
        " next_funding_time, lowest_mark_price, highest_mark_price",
        "event_time",
        "event_time",
        _rate,
    ),
    "liquidation_events": _Kind(
        "event_id, symbol, side, trade_time, event_time, quantity, average_price, order_price, last_filled_quantity, status",
        "event_time",
        "event_time, event_id",
        _liquidation,
    ),
}


@dataclass(frozen=True, slots=True)
class StoredDays:
    """A symbol's trades in a span: UTC days with rows, rows, ids missing between the first and last that may exist, and the times
    of the first and the last that any table has; `known` is None when nothing of them is seen."""

    days: tuple[dt.date, ...]
    rows: int
    missing: int
    known: tuple[dt.datetime, dt.datetime] | None


async def stored_days(engine: Engine, span: ReplaySpan, view: View) -> StoredDays:
    """Count the symbol's rows in the span; one pass over them. Raises `UnreachableError`.

    As seen: a row inside a hole that was published in band is missing, whoever brought it later.
    """
    unseen: dict[dt.date, int] = {}
    async with read_session(engine, _TIMEOUT_MS) as session:
        found = (await session.connection.execute(_DAYS, span.asked)).all()
        if not found:
            return StoredDays((), 0, 0, None)
        ids = {"symbol": span.symbol, "first": found[0].first_id, "last": max(row.last_id for row in found)}
        never = (await session.connection.execute(_NEVER, ids)).scalar_one()
        if view == "as-seen":
            unseen = {row.day: row.row_count for row in (await session.connection.execute(_UNSEEN, span.asked)).all()}
    rows = {row.day: row.row_count - unseen.get(row.day, 0) for row in found}
    counted = sum(rows.values())
    missing = ids["last"] - ids["first"] + 1 - counted - never
    known = (min(row.first_time for row in found), max(row.last_time for row in found)) if counted else None
    return StoredDays(tuple(day for day, count in rows.items() if count), counted, missing, known)


async def placed_rows(engine: Engine, span: ReplaySpan, view: View) -> list[PlacedEvent]:
    """A symbol's events with places in the span, in their order. Raises `UnreachableError`.

    As seen: where the log had them. Repaired: from when on somebody could know them (a rate and a forced order when they were
    published).
    """
    early = 0 if view == "as-seen" else KNOWN_BEFORE_MS
    found: list[PlacedEvent] = []
    async with read_session(engine, _TIMEOUT_MS) as session:
        for table, kind in _KINDS.items():
            if (where := _where(kind, view)) is None:
                continue
            place, condition = where
            question = f"SELECT {kind.columns}, {place} AS place FROM {table} WHERE symbol = :symbol AND {condition}"  # noqa: S608
            asked = text(f"{question} ORDER BY place, {kind.order}")
            rows = (await session.connection.execute(asked, span.asked)).all()
            found.extend(PlacedEvent(_place(row.place, early), kind.read(row)) for row in rows)
    found.sort(key=lambda placed: placed.effective_at_ms)
    return found


async def first_rows(engine: Engine, span: ReplaySpan) -> list[PlacedEvent]:
    """The events from before anything was proven of the symbol, as far as their instants lie in the span, in their order."""
    found: list[PlacedEvent] = []
    async with read_session(engine, _TIMEOUT_MS) as session:
        for table, kind in _KINDS.items():
            question = (
                f"SELECT {kind.columns} FROM {table} WHERE symbol = :symbol AND effective_at IS NULL"  # noqa: S608
                f" AND event_time >= :start AND event_time < :stop ORDER BY {kind.order}"
            )
            rows = (await session.connection.execute(text(question), span.asked)).all()
            found.extend(PlacedEvent(-1, kind.read(row)) for row in rows)
    return found


def _where(kind: _Kind, view: View) -> tuple[str, str] | None:
    """The expression of a row's place, and the condition that it lies in the span, in a form that an index serves."""
    if view == "as-seen":
        return "effective_at", "effective_at >= :start AND effective_at < :stop"
    if kind.repaired is None:
        return None
    instants = "event_time >= CAST(:start AS timestamptz) - interval '2 days' AND event_time < :stop"
    return kind.repaired, f"{instants} AND {kind.repaired} >= :start AND {kind.repaired} < :stop"


async def activations(engine: Engine, symbol: str) -> list[PlacedEvent]:
    """The configurations that the symbol's partition had, in the order of its log, each with the watermark at its place.

    Every partition has a copy of each; of a symbol that was not there yet when the last one came, any partition's will do.
    """
    async with read_session(engine, _TIMEOUT_MS) as session:
        rows = (await session.connection.execute(_ACTIVATIONS)).all()
    home = next((row.partition for row in rows if symbol in row.watermarks), rows[0].partition if rows else -1)
    found: list[PlacedEvent] = []
    for row in rows:
        if row.partition == home:
            # A log that is gone says nothing of places in this one; what it said last counts until something newer does.
            newest = found[-1].effective_at_ms if found else -1
            found.append(PlacedEvent(max(newest, row.watermarks.get(symbol, -1)), _activation(row)))
    return found


async def placed_holes(engine: Engine, span: ReplaySpan) -> list[PlacedHole]:
    """The holes that were published in band, by rising ids."""
    async with read_session(engine, _TIMEOUT_MS) as session:
        rows = (await session.connection.execute(_HOLES, span.asked)).all()
    return [
        PlacedHole(
            # Imported archives say no place: the trade before the hole had proven what is before it.
            _place(row.effective_at, 0) if row.effective_at else _place(row.from_time, 1),
            Hole(
                row.symbol,
                row.first_missing_id,
                row.last_missing_id,
                milliseconds(row.from_time),
                milliseconds(row.to_time),
                row.cause,
            ),
        )
        for row in rows
    ]


async def settled_funding(engine: Engine, span: ReplaySpan) -> list[tuple[int, Decimal, Decimal | None]]:
    """Settled rates in [start, stop), one of each second, oldest first: time (ms), rate, and the mark price it was settled at
    where that is known to any table."""
    async with read_session(engine, _TIMEOUT_MS) as session:
        rows = (await session.connection.execute(_FUNDING, span.asked)).all()
    return [(milliseconds(row.funding_time), row.funding_rate, row.mark_price) for row in rows]


def _activation(row: Any) -> StrategyActivated:
    return StrategyActivated(
        event_id=row.event_id,
        event_time_ms=0,
        strategy=row.strategy,
        version=row.version,
        enabled=row.enabled,
        definition=msgspec.Raw(row.definition.encode()),
        activated_by=row.activated_by,
    )


def _place(moment: dt.datetime | None, early_ms: int) -> int:
    return -1 if moment is None or moment < EPOCH else max(-1, milliseconds(moment) - early_ms)
