"""The whole story of a signal, gathered: from PostgreSQL, else from the topic, with the configuration and what became of it."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Literal, TypeVar

import msgspec

from libs.contracts.codec import decode
from libs.contracts.event import Event
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.topics import ORDER, PAPER, SIGNAL_SCORED, Topic
from libs.contracts.trading import OrderChanged, PaperTradeChanged
from libs.kit.errors import BadMessage, ConfigurationError, UnreachableError, UserError
from libs.kit.settings import DatabaseSettings
from libs.store.engine import create_engine, read_session
from libs.store.schema_version import NEWEST_REVISION, current_revision
from libs.store.signal_story import (
    Content,
    StoredConfiguration,
    configuration_of,
    evaluation_of,
    neighbours,
    signals_beginning,
)
from libs.streaming.records import LogReader
from libs.streaming.strategies.log import Standing, definition_digest, read_standing
from libs.trading.gates import GateResult, gate_results
from libs.trading.strategy import Strategy, StrategyInvalid, read_strategy
from services.console.output import Servers, StateDir, ask, servers

_MOST_NAMED = 4
_ID = re.compile(r"[0-9a-f]{1,20}")
T = TypeVar("T")


class Configuration(msgspec.Struct, frozen=True):
    """What was in force: `definition` names the bytes of the configuration, `since_ms` is the broker's clock, and
    `after_evaluation_ms` the symbol's watermark at its place in the timeline: it counts for every later evaluation."""

    version: int
    definition: str
    since_ms: int
    activated_by: str
    reason: str | None = None
    file: str | None = None
    after_evaluation_ms: int | None = None


class Became(msgspec.Struct, frozen=True):
    """What became of the signal: in words, and the steps of its orders and of its paper position in the order of the log."""

    words: str
    orders: tuple[OrderChanged, ...] = ()
    trades: tuple[PaperTradeChanged, ...] = ()


class Story(msgspec.Struct, frozen=True):
    """Everything that is known of one signal. `evaluation` is the symbol's feature row, which only the database is asked for;
    `notes`: what could not be asked."""

    signal: SignalScored
    source: Literal["database", "topic"]
    gates: tuple[GateResult, ...]
    configuration: Configuration | None
    became: Became
    evaluation: IndicatorComputed | None
    before: SignalScored | None
    after: SignalScored | None
    notes: tuple[str, ...]


class _Found(msgspec.Struct, frozen=True):
    signal: SignalScored
    source: Literal["database", "topic"]
    evaluation: IndicatorComputed | None = None
    before: SignalScored | None = None
    after: SignalScored | None = None
    stored: StoredConfiguration | None = None


def story_of(state_dir: StateDir, beginning: str) -> Story:
    """The story of the one signal whose id begins so. Raises `UserError` when there is none or more than one, and
    `UnreachableError` when neither the database nor Kafka answers."""
    wanted = beginning.strip().lower()
    if not _ID.fullmatch(wanted):
        raise ConfigurationError(
            f"{beginning!r} is no signal id", todo="give 20 hexadecimal digits, or the first few of them"
        )
    given = servers(state_dir)
    return ask(given, _story(given, wanted))


async def _story(given: Servers, wanted: str) -> Story:
    notes: list[str] = []
    found = None
    try:
        found = await _in_database(given.database, wanted)
    except UnreachableError as error:
        notes.append(f"not from PostgreSQL: {error.advice.what}")
    if found is None:
        found = await _in_topic(given.kafka, wanted)
    if found is None:
        raise UserError(
            f"there is no signal {wanted}", todo="`perpstream topics tail signal.scored --back 5` shows some"
        )
    try:
        standing = await read_standing(given.kafka)
        became = await _became(given.kafka, found.signal)
    except UserError as error:
        notes.append(f"configuration and orders are not known: {error.advice.what}")
        standing, became = Standing(), Became("unknown: Kafka does not say")
    configuration, strategy = _in_force(standing, found)
    return Story(
        signal=found.signal,
        source=found.source,
        gates=gate_results(found.signal, strategy),
        configuration=configuration,
        became=became,
        evaluation=found.evaluation,
        before=found.before,
        after=found.after,
        notes=tuple(notes),
    )


async def _in_database(settings: DatabaseSettings, wanted: str) -> _Found | None:
    engine = create_engine(settings, application="perpstream-console", connections=1)
    try:
        if await current_revision(engine) != NEWEST_REVISION:
            raise UnreachableError("its schema is not this version's", todo="run `perpstream db migrate`")
        async with read_session(engine) as session:
            contents = await signals_beginning(session, wanted, _MOST_NAMED)
            if not contents:
                return None
            content = _only({item["event_id"]: item for item in contents}, wanted)
            signal = msgspec.convert(content, SignalScored)
            evaluation = await evaluation_of(session, signal.symbol, signal.event_time_ms)
            before, after = await neighbours(session, content)
            return _Found(
                signal,
                "database",
                None if evaluation is None else msgspec.convert(evaluation, IndicatorComputed),
                _signal(before),
                _signal(after),
                await configuration_of(session, content),
            )
    finally:
        await engine.dispose()


def _signal(content: Content | None) -> SignalScored | None:
    return None if content is None else msgspec.convert(content, SignalScored)


def _only(found: Mapping[str, T], wanted: str) -> T:
    """The one that was found; raises `ConfigurationError` when the beginning is that of more."""
    if len(found) > 1:
        names = ", ".join(sorted(found)[:_MOST_NAMED])
        raise ConfigurationError(f"more than one signal begins with {wanted}: {names}", todo="give more of the id")
    return next(iter(found.values()))


async def _in_topic(bootstrap: str, wanted: str) -> _Found | None:
    found: dict[str, SignalScored] = {}
    async with LogReader(bootstrap) as log:
        for partition in await log.partitions(SIGNAL_SCORED.name):
            async for event in _events(log, SIGNAL_SCORED, partition, f'"event_id":"{wanted}'):
                if isinstance(event, SignalScored) and event.event_id.startswith(wanted):
                    found[event.event_id] = event
        if not found:
            return None
        signal = _only(found, wanted)
        before = after = None
        for partition in await log.partitions(SIGNAL_SCORED.name):
            async for event in _events(log, SIGNAL_SCORED, partition, f'"symbol":"{signal.symbol}"'):
                if not isinstance(event, SignalScored) or event.strategy != signal.strategy:
                    continue
                if event.event_time_ms < signal.event_time_ms:
                    before = event if before is None or event.event_time_ms > before.event_time_ms else before
                elif event.event_time_ms > signal.event_time_ms:
                    after = event if after is None or event.event_time_ms < after.event_time_ms else after
    return _Found(signal, "topic", None, before, after)


async def _events(log: LogReader, topic: Topic, partition: int, part: str) -> AsyncIterator[Event]:
    """The events whose bytes contain `part`: months of records are looked through, and few of them are decoded."""
    wanted = part.encode()
    end = await log.end(topic.name, partition)
    async for batch in log.range(topic.name, partition, 0, end):
        for record in batch:
            if wanted in (record.value or b""):
                try:
                    yield decode(record.value, record.headers, topic.events)
                except BadMessage:
                    continue


async def _became(bootstrap: str, signal: SignalScored) -> Became:
    if signal.state == "refused":
        return Became("no order: the signal was refused")
    orders: list[OrderChanged] = []
    trades: list[PaperTradeChanged] = []
    async with LogReader(bootstrap) as log:
        async for event in _events(log, ORDER, 0, signal.event_id):
            if isinstance(event, OrderChanged) and event.trade_id == signal.event_id:
                orders.append(event)
        async for event in _events(log, PAPER, 0, signal.event_id):
            if isinstance(event, PaperTradeChanged) and event.signal_id == signal.event_id:
                trades.append(event)
    if not orders and not trades:
        return Became("not traded yet: no order and no paper position names this signal")
    sent, filled = ({o.client_order_id for o in orders if o.filled_quantity > least} for least in (-1, 0))
    words = f"{len(sent)} orders, {len(filled)} of them filled or partly so"
    if trades:
        last = trades[-1]
        words += f"; paper position {last.state}, PnL {last.pnl_quote:+f} quote, {last.pnl_r:+f} R"
    return Became(words, tuple(orders), tuple(trades))


def _in_force(standing: Standing, found: _Found) -> tuple[Configuration | None, Strategy | None]:
    """What the log said under the signal's strategy and version, first; a version has one content. Without the log, what the
    database keeps of its timeline."""
    signal, stored = found.signal, found.stored
    place = None if stored is None else stored.watermark_ms
    for word in standing.words:
        event = word.event
        if (event.strategy, event.version, event.enabled) == (signal.strategy, signal.version, True):
            digest = definition_digest(bytes(event.definition))
            said = (word.since_ms, event.activated_by, word.reason or None, word.file or None)
            return Configuration(event.version, digest, *said, place), word.strategy
    if stored is None:
        return None, None
    kept = Configuration(
        signal.version,
        definition_digest(stored.definition),
        stored.recorded_ms,
        stored.activated_by,
        after_evaluation_ms=place,
    )
    try:
        return kept, read_strategy(stored.definition, signal.strategy)
    except StrategyInvalid:  # of another version of this product
        return kept, None
