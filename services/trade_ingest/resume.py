"""Where our rows on market.aggtrade.v1 end: start-up is recovery, and the topic is the only memory."""

from dataclasses import dataclass, field

import numpy as np

from libs.contracts.codec import decode
from libs.contracts.frames import FrameGate
from libs.contracts.market import (
    UNKNOWN_TIME,
    AggTradeFrame,
    FeedStatusChanged,
    Hole,
    TradeGapChanged,
    TradesBootstrapped,
)
from libs.contracts.topics import AGGTRADE, FEEDSTATUS, TIMELINE
from libs.kit.errors import BadMessage
from libs.streaming.records import LogReader, Record
from libs.streaming.timeline import tail_before
from services.trade_ingest.assembler import Resume
from services.trade_ingest.continuity import UNKNOWN_ID
from services.trade_ingest.health import FEED, FeedMemory

FIRST_WINDOW = 2000
# More than what a process has under way when it is killed.
LAST_FRAMES = 500


@dataclass(slots=True)
class TopicState:
    """What the topic says: last ids through the gate that every reader uses, watermarks, and where bootstraps end."""

    gate: FrameGate = field(default_factory=FrameGate)
    watermarks: dict[str, int] = field(default_factory=dict)
    last_times: dict[str, int] = field(default_factory=dict)
    bootstrapped: dict[str, int] = field(default_factory=dict)
    holes: dict[str, list[Hole]] = field(default_factory=dict)

    def absorb(self, record: Record) -> None:
        """One record in log order; what nobody can read is passed over (the sequencer dead-letters it)."""
        try:
            event = decode(record.value, record.headers, AGGTRADE.events)
            if isinstance(event, AggTradeFrame):
                self._absorb_frame(event)
            elif isinstance(event, TradesBootstrapped) and self.gate.admit_epoch(event.producer, event.epoch):
                self.bootstrapped[event.symbol] = event.event_time_ms
        except BadMessage:
            return

    def _absorb_frame(self, frame: AggTradeFrame) -> None:
        columns = self.gate.accept(frame)
        if columns is None:
            return
        for hole in frame.holes:
            self.holes.setdefault(hole.symbol, []).append(hole)
        for index, part in enumerate(frame.slices):
            known = self.watermarks.get(part.symbol, UNKNOWN_TIME)
            self.watermarks[part.symbol] = max(known, part.watermark_ms)
            mine = columns.symbol_index == index
            if mine.any():
                # The raw time, but not one from the future: that counts at its effective time.
                last = np.flatnonzero(mine)[-1]
                self.last_times[part.symbol] = int(min(columns.trade_time[last], columns.time[last]))

    def resume(self, symbol: str) -> Resume:
        """Where to go on with one symbol. Of a last trade that is far back only the watermark is known: nothing is missing up to
        there, so a gap begins behind it."""
        last_id, watermark = self.gate.last_ids.get(symbol, UNKNOWN_ID), self.watermarks.get(symbol, UNKNOWN_TIME)
        known = UNKNOWN_TIME if last_id == UNKNOWN_ID else watermark
        return Resume(last_id, self.last_times.get(symbol, known), watermark)

    def knows(self, symbol: str) -> bool:
        """Whether a row, a hole or a bootstrap of the symbol was seen."""
        return self.gate.last_ids.get(symbol, UNKNOWN_ID) != UNKNOWN_ID or symbol in self.bootstrapped

    def rows_begin(self, symbol: str) -> int | None:
        """For a symbol that was bootstrapped but has no row yet: from when on its trades are owed (ms). None: it is new."""
        known = max(self.bootstrapped.get(symbol, UNKNOWN_TIME), self.watermarks.get(symbol, UNKNOWN_TIME) + 1)
        return known if known > 0 else None


async def read_topic_state(bootstrap: str, members: dict[int, list[str]]) -> TopicState:
    """The state of the named partitions with their symbols.

    A heartbeat of the timeline holds everything up to its positions, so usually only seconds have to be read; without one
    (no sequencer yet) windows that grow backwards, until every symbol was met or the topic begins.
    """
    state = TopicState()
    async with LogReader(bootstrap) as log:
        for partition, symbols in members.items():
            _merge(state, await _read_partition(log, partition, symbols))
    return state


async def _read_partition(log: LogReader, partition: int, symbols: list[str]) -> TopicState:
    """Each partition has a gate of its own: epochs of one say nothing about the order of records in another."""
    beginning, end = await log.beginning(AGGTRADE.name, partition), await log.end(AGGTRADE.name, partition)
    found = await _at_heartbeat(log, partition, end)
    if found is not None:
        position, state = found
        await _absorb_range(log, partition, (position, end), state)
        # A heartbeat does not say when the last trades were, nor what the last frames of a dead process miss: that stands in the
        # frames before it.
        window = FIRST_WINDOW if any(symbol not in state.last_times for symbol in symbols) else LAST_FRAMES
        before = TopicState()
        await _absorb_range(log, partition, (max(beginning, position - window), position), before)
        state.last_times = before.last_times | state.last_times
        for symbol, holes in before.holes.items():
            state.holes[symbol] = holes + state.holes.get(symbol, [])
        return state
    window = FIRST_WINDOW
    while True:
        start = max(beginning, end - window)
        tried = TopicState()
        await _absorb_range(log, partition, (start, end), tried)
        if start == beginning or all(tried.knows(symbol) for symbol in symbols):
            return tried
        window *= 10


async def _at_heartbeat(log: LogReader, partition: int, end: int) -> tuple[int, TopicState] | None:
    """The state that the timeline's last heartbeat holds, and the next offset after it; None without a usable one."""
    heartbeat = (await tail_before(log, partition, await log.end(TIMELINE.name, partition))).heartbeat
    if heartbeat is None:
        return None
    position = heartbeat.positions.get(f"{AGGTRADE.name}:{partition}", -1) + 1
    if position == 0 or position > end:
        return None
    gate = FrameGate(dict(heartbeat.frame_epochs), dict(heartbeat.last_ids))
    return position, TopicState(gate, watermarks=dict(heartbeat.watermarks))


async def _absorb_range(log: LogReader, partition: int, span: tuple[int, int], state: TopicState) -> None:
    async for batch in log.range(AGGTRADE.name, partition, *span):
        for record in batch:
            state.absorb(record)


async def read_feed_memories(
    bootstrap: str, members: dict[int, list[str]], holes: dict[str, list[Hole]]
) -> dict[str, FeedMemory]:
    """What the named symbols' feeds have last said of themselves, by partition, and of the topic's `holes` what that leaves out;
    symbols that never said anything are left out."""
    memories: dict[str, FeedMemory] = {}
    if not members:
        return memories  # the client cannot be ended at once after its start
    async with LogReader(bootstrap) as log:
        for partition, symbols in members.items():
            beginning, end = await log.beginning(FEEDSTATUS.name, partition), await log.end(FEEDSTATUS.name, partition)
            window = FIRST_WINDOW
            while True:
                start = max(beginning, end - window)
                found = await _feed_memories(log, partition, (start, end))
                if start == beginning or all(symbol in found for symbol in symbols):
                    break
                window *= 10
            memories |= {symbol: found[symbol] for symbol in symbols if symbol in found}
    for symbol, memory in memories.items():
        memory.absorb_holes(holes.get(symbol, ()))
    return memories


async def _feed_memories(log: LogReader, partition: int, span: tuple[int, int]) -> dict[str, FeedMemory]:
    found: dict[str, FeedMemory] = {}
    async for batch in log.range(FEEDSTATUS.name, partition, *span):
        for record in batch:
            try:
                event = decode(record.value, record.headers, FEEDSTATUS.events)
            except BadMessage:
                continue
            if isinstance(event, FeedStatusChanged) and event.feed == FEED:
                found.setdefault(event.symbol, FeedMemory()).absorb(event)
            elif isinstance(event, TradeGapChanged) and event.symbol in found:
                found[event.symbol].absorb(event)
    return found


def _merge(state: TopicState, found: TopicState) -> None:
    """Partitions have symbols of their own; only producers appear in several, and there the greatest epoch counts."""
    for producer, epoch in found.gate.epochs.items():
        state.gate.epochs[producer] = max(state.gate.epochs.get(producer, -1), epoch)
    state.gate.last_ids.update(found.gate.last_ids)
    state.watermarks.update(found.watermarks)
    state.last_times.update(found.last_times)
    state.bootstrapped.update(found.bootstrapped)
    state.holes.update(found.holes)
