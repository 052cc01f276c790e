"""What a run has left behind, read from every place where a reader could look: topics, tables and the simulator's own log."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import numpy as np
from numpy.typing import NDArray

from libs.contracts.codec import decode
from libs.contracts.frames import FrameGate
from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE, TIMELINE
from libs.kit.errors import BadMessage
from libs.streaming.records import LogReader
from libs.streaming.timeline import TimelineCursor

Ids = NDArray[np.int64]


@dataclass(slots=True)
class Story:
    """One symbol's ids in the order in which a reader meets them, and how many trades were late. `handovers`: the last id of each
    producer that another one followed; what was on its mind beyond that is unknown to its successor."""

    parts: list[Ids] = field(default_factory=list)
    late: int = 0
    handovers: set[int] = field(default_factory=set)
    epoch: int = -1
    last: int = -1

    @property
    def ids(self) -> Ids:
        return np.concatenate(self.parts) if self.parts else np.zeros(0, np.int64)

    def problem(self) -> str | None:
        """What is not exactly once and in order; None when nothing is."""
        ids = self.ids
        wrong = np.flatnonzero(np.diff(ids) != 1)
        return f"after id {ids[wrong[0]]} comes {ids[wrong[0] + 1]}" if len(wrong) else None


async def ingested(bootstrap: str) -> tuple[dict[str, Story], int]:
    """market.aggtrade.v1 through the gate that every reader uses, and the holes in it."""
    stories, holes = dict[str, Story](), 0
    async with LogReader(bootstrap) as log:
        for partition in await log.partitions(AGGTRADE.name):
            gate, end = FrameGate(), await log.end(AGGTRADE.name, partition)
            async for batch in log.range(AGGTRADE.name, partition, 0, end):
                for record in batch:
                    event = decode(record.value, record.headers, AGGTRADE.events)
                    if isinstance(event, AggTradeFrame) and (columns := gate.accept(event)) is not None:
                        holes += len(event.holes)
                        _note(stories, event, columns.symbol_index, columns.agg_id)
    return stories, holes


async def sequenced(bootstrap: str) -> dict[str, Story]:
    """market.timeline.v1 through the cursor that every reader uses."""
    stories: dict[str, Story] = {}
    async with LogReader(bootstrap) as log:
        for partition in await log.partitions(TIMELINE.name):
            cursor, end = TimelineCursor(), await log.end(TIMELINE.name, partition)
            async for batch in log.range(TIMELINE.name, partition, 0, end):
                for record in batch:
                    try:
                        taken = cursor.accept(record)
                    except BadMessage:
                        continue
                    if taken is not None and isinstance(taken.event, AggTradeFrame) and taken.columns is not None:
                        _note(stories, taken.event, taken.columns.symbol_index, taken.columns.agg_id)
    return stories


def _note(stories: dict[str, Story], frame: AggTradeFrame, index: NDArray[np.uint16], ids: Ids) -> None:
    for number, part in enumerate(frame.slices):
        story = stories.setdefault(part.symbol, Story())
        mine = ids[index == number]
        if len(mine):
            if story.last >= 0 and frame.epoch != story.epoch:
                story.handovers.add(story.last)
            story.epoch, story.last = frame.epoch, int(mine[-1])
        story.parts.append(mine)
    story.late += len(frame.late_row) // 4


@dataclass(frozen=True, slots=True)
class GapRow:
    """A row of market_data_gaps."""

    symbol: str
    first: int
    last: int
    cause: str
    outcome: str
    unfilled: int | None


async def stored(url: str) -> tuple[dict[str, tuple[int, int, int]], list[GapRow]]:
    """(first id, last id, distinct ids) by symbol as PostgreSQL has them, and the gaps."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT symbol, min(agg_id), max(agg_id), count(*), count(DISTINCT agg_id) FROM agg_trades GROUP BY symbol"
        )
        assert all(row[3] == row[4] for row in rows), "an id is stored twice"
        gaps = await connection.fetch(
            "SELECT symbol, first_missing_id, last_missing_id, cause, outcome, unfilled_count FROM market_data_gaps"
            " ORDER BY symbol, first_missing_id"
        )
    finally:
        await connection.close()
    return {row[0]: (row[1], row[2], row[3]) for row in rows}, [GapRow(*row) for row in gaps]


def told_spans(ledger: Path) -> dict[str, list[tuple[int, int]]]:
    """First and last id that each connection which is over had been told, by symbol."""
    told: dict[str, list[tuple[int, int]]] = {}
    for line in ledger.read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"] == "disconnected":
            for symbol, (first, last) in entry.get("detail", {}).get("told", {}).items():
                told.setdefault(symbol, []).append((first, last))
    return told


def never_told(ledger: Path, spans: dict[str, tuple[int, int]]) -> dict[str, list[tuple[int, int]]]:
    """The ids within `spans` that the simulator sent on no connection, by symbol and as ranges: what REST had to bring."""
    told = told_spans(ledger)
    return {symbol: _between(sorted(told.get(symbol, [])), spans[symbol]) for symbol in spans}


def _between(told: Sequence[tuple[int, int]], span: tuple[int, int]) -> list[tuple[int, int]]:
    missing, position = [], span[0]
    for first, last in told:
        if first > position:
            missing.append((position, min(first - 1, span[1])))
        position = max(position, last + 1)
    return [(first, last) for first, last in missing if first <= min(last, span[1])]
