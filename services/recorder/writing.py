"""Batches into tables: the position first, then the rows, one transaction; trouble sorted into retry, bad record and crash."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from libs.contracts.codec import decode
from libs.contracts.identity import digest
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.topics import ALERT, TIMELINE, topic_named
from libs.contracts.trading import AlertRaised
from libs.kit.durations import DAY_MS
from libs.kit.logging import get_logger
from libs.kit.metrics import counter
from libs.store.copy_format import SymbolTrades
from libs.store.engine import Engine, WriteSession, write_session
from libs.store.gaps import write_gaps
from libs.store.log_places import write_activations, write_bootstraps
from libs.store.market_facts import write_market_facts
from libs.store.offsets import LogPartition, advance
from libs.store.partitions import Month, create_partitions
from libs.store.signals import Stored, write_signals
from libs.store.trade_batches import group_by_symbol
from libs.store.trades import Conflict, compare_trades, write_trades
from libs.store.trouble import sorted_trouble
from libs.streaming.consumer import Commit, PartitionBatch
from libs.streaming.deadletter import DeadLetters
from libs.streaming.producer import Publisher
from libs.streaming.records import Record
from services.recorder.reading import PartitionReader, Reading

_ASIDE = {
    "agg_trades": "agg_trades_conflicts",
    "signal_indicators": "signal_conflicts",
    "signal_logs": "signal_conflicts",
}


@dataclass(slots=True)
class Recorder:
    """The consumer's handler. Keeps one reader per timeline partition and log generation; everything else lives in PostgreSQL."""

    bootstrap: str
    engine: Engine
    producer: Publisher
    dead_letters: DeadLetters
    real_time: bool = True
    known_months: set[Month] = field(default_factory=set)
    _readers: dict[tuple[int, str], PartitionReader] = field(default_factory=dict)

    async def handle(self, batch: PartitionBatch, commit: Commit) -> None:
        """Write one batch; see `libs.streaming.consumer.Handler` for what it raises."""
        if batch.topic == TIMELINE.name:
            await self._record_timeline(batch, commit)
        else:
            await self._record_signals(batch, commit)

    async def _record_timeline(self, batch: PartitionBatch, commit: Commit) -> None:
        place = (batch.partition, commit.generation)
        reader = self._readers.get(place)
        if reader is None:
            reader = PartitionReader(self.bootstrap, batch.partition, self.dead_letters, self.real_time)
            self._readers[place] = reader
        readings = await reader.read(batch.records) if batch.records else []
        async with sorted_trouble():
            trades = group_by_symbol([reading.rows for reading in readings if reading.rows is not None])
            await self._make_months(trades)
            async with write_session(self.engine) as session:
                await advance(session, LogPartition(*commit.log), commit.old, commit.new)
                added, conflicts = await _write(session, trades, readings)
                added |= await _write_places(session, commit.generation, readings)
                await self._tell(conflicts, batch.records)
        reader.committed(commit.new)
        _count(added, conflicts)

    async def _record_signals(self, batch: PartitionBatch, commit: Commit) -> None:
        allowed = topic_named(batch.topic).events
        stored = []
        for record in batch.records:
            event = decode(record.value, record.headers, allowed)
            if isinstance(event, IndicatorComputed | SignalScored):
                stored.append(Stored(event, record.value or b"", record.place))
        async with sorted_trouble(), write_session(self.engine) as session:
            await advance(session, LogPartition(*commit.log), commit.old, commit.new)
            written = await write_signals(session, stored)
            await self._tell(written.conflicts, batch.records)
        _count(written.added, written.conflicts)

    async def _make_months(self, trades: Sequence[SymbolTrades]) -> None:
        """Partitions for the batch's own months, in a transaction of their own: a recording of 2024 needs those of 2024."""
        months = {month for group in trades for month in _months(group)}
        if missing := months - self.known_months:
            async with write_session(self.engine) as session:
                made = await create_partitions(session, missing)
            self.known_months |= missing
            if made:
                get_logger("recorder").info("partitions made", names=made)

    async def _tell(self, conflicts: Sequence[Conflict], records: Sequence[Record]) -> None:
        """An alert per table and severity, acknowledged before the commit: the same conflict gives the same alert id."""
        for table, expected in sorted({(conflict.table, conflict.expected) for conflict in conflicts}):
            keys = sorted(found.key for found in conflicts if (found.table, found.expected) == (table, expected))
            place = f"{records[0].place} to {records[-1].offset}"
            log = get_logger("recorder").warning if expected else get_logger("recorder").error
            log("other content under a known id", table=table, ids=keys[:5], count=len(keys), same_features=expected)
            what = "other slow inputs or scores, same features" if expected else "other content"
            alert = AlertRaised(
                event_id=digest("alert", "recorder", table, keys[0], len(keys)),
                event_time_ms=records[-1].timestamp_ms,
                severity="warning" if expected else "critical",
                source="recorder",
                title=f"{len(keys)} rows for {table} came under a known id with {what}",
                detail=f"first {keys[0]}; read from {place}; the table keeps what came first, {_ASIDE[table]} the other",
                runbook="docs/operating.md#other-content-under-a-known-id",
            )
            await (await self.producer.send(ALERT, alert, key=alert.event_id, partition=0))


async def _write(
    session: WriteSession, trades: Sequence[SymbolTrades], readings: Sequence[Reading]
) -> tuple[dict[str, int], list[Conflict]]:
    written = await write_trades(session, trades)
    dropped = group_by_symbol([reading.dropped for reading in readings if reading.dropped is not None])
    compared = await compare_trades(session, dropped)
    holes = [hole for reading in readings for hole in reading.holes]
    facts = [reading.fact for reading in readings if reading.fact is not None]
    added = await write_market_facts(session, facts)
    added["agg_trades"] = written.added
    added["market_data_gaps"] = added.get("market_data_gaps", 0) + await write_gaps(session, holes)
    return added, written.conflicting() + compared.conflicting()


async def _write_places(session: WriteSession, generation: str, readings: Sequence[Reading]) -> dict[str, int]:
    places = [reading.activation for reading in readings if reading.activation is not None]
    bars = [reading.bars for reading in readings if reading.bars is not None]
    return {
        "strategy_activations": await write_activations(session, generation, places),
        "trade_bootstraps": await write_bootstraps(session, bars),
    }


def _months(trades: SymbolTrades) -> set[Month]:
    first, last = Month.of(int(trades.trade_time.min())), Month.of(int(trades.trade_time.max()))
    if first == last:
        return {first}
    # Not every month in between: one wrong stamp must not make partitions for decades.
    return {Month.of(int(day) * DAY_MS) for day in np.unique(trades.trade_time // DAY_MS)}


def _count(added: dict[str, int], conflicts: Sequence[Conflict]) -> None:
    for table, rows in added.items():
        counter("perpstream_rows_written_total").labels(table).inc(rows)
    for conflict in conflicts:
        counter("perpstream_rows_conflicting_total").labels(conflict.table).inc()
