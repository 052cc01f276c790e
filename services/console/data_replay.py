"""`perpstream data replay`: stored trades and slow inputs on the market topics again."""

import datetime as dt
import heapq
import json
import time
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console

from libs.contracts.identity import digest
from libs.contracts.market import LiquidationObserved, MarketIndicatorObserved, MarkPriceObserved
from libs.contracts.topics import AGGTRADE, INDICATOR, LIQUIDATION, MARKPRICE
from libs.kit.errors import UserError
from libs.store.instants import milliseconds
from services.console.data_export import require_stored, split_words
from services.console.database import with_engine
from services.console.output import AsJson, StateDir, console, print_json, servers
from services.console.time_options import Start, Stop, refuse_empty

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.console.history.replaying import Replayed, TimedEvent

_TOPICS = (AGGTRADE, LIQUIDATION, INDICATOR, MARKPRICE)
# A live ingest publishes at least once a second, whatever the market does.
_LIVE_MS = 60_000


class Wanted(NamedTuple):
    """What to publish. `anyway`: also into topics that hold records."""

    symbols: list[str]
    start: dt.datetime
    stop: dt.datetime
    slow_inputs: bool
    anyway: bool


def replay(
    start: Start,
    stop: Stop,
    symbols: Annotated[str, typer.Option(help="Comma separated; by default all that are stored")] = "",
    trades_only: Annotated[bool, typer.Option("--trades-only", help="Leave the slow inputs out")] = False,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Publish into topics that hold records already, even while somebody writes them"),
    ] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Publish stored trades, liquidations, slow inputs and rates to the market topics again, as fast as the broker takes them.

    Meant for a fresh broker. Readers drop trades whose ids they have seen, so what is older than a topic's last ids changes
    nothing there. Ids that the tables do not have are published as holes.
    """
    refuse_empty(start, stop)
    wanted = Wanted(split_words(symbols.upper()), start, stop, not trades_only, anyway)
    kafka = servers(state_dir).kafka
    with Console(stderr=True, quiet=as_json).status(f"publishing to {kafka}"):
        done = with_engine(state_dir, lambda engine: publish(engine, kafka, wanted))
    if as_json:
        print_json(done)
    else:
        text = f"{done.trades} trades in {done.frames} frames, {done.holes} holes, {done.slow_inputs} slow inputs"
        console().print(f"published {text}")


async def publish(engine: "AsyncEngine", kafka: str, wanted: Wanted) -> "Replayed":
    """Publish the span to the broker `kafka`. Raises `UserError` when its topics are in use, or nothing is stored."""
    from libs.store.reading import gap_causes, stored_span, trade_pages, traded_symbols
    from libs.streaming.producer import EventProducer
    from services.console.history.replaying import Replayer, TradeFeed

    await require_stored(engine, wanted.symbols)
    now_ms = time.time_ns() // 1_000_000
    partitions = await _usable_partitions(kafka, wanted.anyway, now_ms)
    feeds = []
    for symbol in wanted.symbols or await traded_symbols(engine):
        span = await stored_span(engine, symbol, wanted.start, wanted.stop)
        if span is not None:
            decimals = (span.price_decimals, span.quantity_decimals)
            feeds.append(TradeFeed(symbol, trade_pages(engine, span), decimals, await gap_causes(engine, span)))
    if not feeds:
        raise UserError(
            "no trade is stored", where=f"{wanted.start} to {wanted.stop}", todo="see `perpstream db status`"
        )
    failures: list[str] = []
    producer = EventProducer(kafka, service="perpstream-replay", on_failure=failures.append)
    await producer.start()
    try:
        done = await Replayer(producer, partitions, epoch=now_ms).run(feeds, slow_inputs(engine, wanted))
    finally:
        await producer.stop(60)
    if failures:
        raise UserError(failures[0], where=kafka, todo="look at the broker, and begin with a fresh one")
    return done


async def _usable_partitions(kafka: str, anyway: bool, now_ms: int) -> int:
    """How many partitions the market has. Raises `UserError` when a topic holds records, unless that is wanted."""
    from libs.streaming.records import LogReader

    async with LogReader(kafka) as log:
        partitions = await log.partitions(AGGTRADE.name)
        for topic in () if anyway else _TOPICS:
            for partition in partitions:
                end = await log.end(topic.name, partition)
                last = [record async for batch in log.range(topic.name, partition, end - 1, end) for record in batch]
                if not last:
                    continue
                live = now_ms - last[-1].timestamp_ms < _LIVE_MS
                raise UserError(
                    f"{topic.name} is being written by a live ingest" if live else f"{topic.name} holds {end} records",
                    where=f"{kafka}, partition {partition}",
                    todo="publish to a fresh broker (PERPSTREAM_KAFKA_BOOTSTRAP), or use --anyway",
                )
        return len(partitions)


async def slow_inputs(engine: "AsyncEngine", wanted: Wanted) -> AsyncIterator["TimedEvent"]:
    """Stored liquidations, slow inputs and rates of the span in time order."""
    from libs.store.slow_rows import SlowTable, slow_rows

    if not wanted.slow_inputs:
        return
    kinds: tuple[tuple[SlowTable, Callable[[dict[str, Any]], TimedEvent]], ...] = (
        ("liquidation_events", _liquidation),
        ("market_indicators", _indicator),
        ("rate_snapshots", _rate),
    )
    sources = []
    for table, make in kinds:
        pages = slow_rows(engine, table, wanted.symbols, wanted.start, wanted.stop)
        sources.append(_events(pages, make))
    heads: list[tuple[int, int, TimedEvent]] = []
    for number, source in enumerate(sources):
        if (event := await anext(source, None)) is not None:
            heapq.heappush(heads, (event.time_ms, number, event))
    while heads:
        _, number, event = heapq.heappop(heads)
        yield event
        if (following := await anext(sources[number], None)) is not None:
            heapq.heappush(heads, (following.time_ms, number, following))


async def _events(
    pages: AsyncIterator[list[dict[str, Any]]], make: "Callable[[dict[str, Any]], TimedEvent]"
) -> AsyncIterator["TimedEvent"]:
    async for page in pages:
        for row in page:
            yield make(row)


def _liquidation(row: dict[str, Any]) -> "TimedEvent":
    from services.console.history.replaying import TimedEvent

    at = milliseconds(row["trade_time"])
    copied = {name: row[name] for name in ("event_id", "symbol", "side", "status")}
    money = {name: row[name] for name in ("quantity", "average_price", "order_price", "last_filled_quantity")}
    event = LiquidationObserved(event_time_ms=milliseconds(row["event_time"]), trade_time_ms=at, **copied, **money)
    return TimedEvent(at, LIQUIDATION, row["symbol"], event)


def _indicator(row: dict[str, Any]) -> "TimedEvent":
    from services.console.history.replaying import TimedEvent

    at = milliseconds(row["event_time"])
    values = {name: Decimal(value) for name, value in json.loads(row["values"], parse_float=Decimal).items()}
    copied = {name: row[name] for name in ("event_id", "symbol", "kind", "period", "source")}
    event = MarketIndicatorObserved(
        event_time_ms=at,
        values=values,
        available_ms=None if row["available_at"] is None else milliseconds(row["available_at"]),
        availability_assumed=row["availability_assumed"],
        raw=None if row["raw"] is None else json.loads(row["raw"]),
        **copied,
    )
    return TimedEvent(at, INDICATOR, row["symbol"], event)


def _rate(row: dict[str, Any]) -> "TimedEvent":
    from services.console.history.replaying import TimedEvent

    at, symbol = milliseconds(row["event_time"]), row["symbol"]
    names = (
        "mark_price",
        "index_price",
        "estimated_settle_price",
        "mark_price_average",
        "funding_rate",
        "basis_percent",
        "lowest_mark_price",
        "highest_mark_price",
    )
    event = MarkPriceObserved(
        event_id=digest("mark_price", symbol, at),
        event_time_ms=at,
        symbol=symbol,
        next_funding_time_ms=milliseconds(row["next_funding_time"]),
        **{name: row[name] for name in names},
    )
    return TimedEvent(at, MARKPRICE, symbol, event)
