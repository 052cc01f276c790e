"""Recovery against a real broker: what stands on the output topic silences no more than what is there already."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from libs.contracts.codec import Encoded, decode, encode
from libs.contracts.signals import IndicatorComputed
from libs.contracts.topics import SIGNAL_INDICATOR, TIMELINE
from libs.indicators.settings import KernelSettings
from libs.kit.metrics import REGISTRY
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.records import Record
from services.signal_engine.core import EngineCore, Output
from services.signal_engine.recovery import KeptState, RecoveryParts, recover
from tests.services.signal_engine.timelines import START_MS, mixed_timeline

pytestmark = pytest.mark.integration
SYMBOLS = ["BTCUSDT", "XRPUSDT"]
DECADES_AHEAD_MS = 3_900_000_000_000
DROPPED = {"topic": SIGNAL_INDICATOR.name, "reason": "ahead_of_timeline"}


class NoSnapshots:
    """Every start replays from the beginning."""

    async def load(self, partition: int) -> KeptState | None:
        return None

    async def save(self, partition: int, next_offset: int, state: bytes) -> None:
        raise AssertionError("recovery saves nothing")


@dataclass
class Life:
    """One start of the engine on partition 0, and what it gave."""

    parts: RecoveryParts
    emitted: list[Output] = field(default_factory=list)

    async def emit(self, partition: int, core: EngineCore, records: Sequence[Record]) -> None:
        self.emitted.extend(core.process(records).indicators)

    async def start(self) -> EngineCore:
        return await recover(self.parts, 0, self.emit)


def ids(outputs: Sequence[Output]) -> list[str]:
    return sorted(event.event_id for event in map(event_of, outputs))


def event_of(output: Output) -> IndicatorComputed:
    event = decode(output.encoded.value, dict(output.encoded.headers))
    assert isinstance(event, IndicatorComputed)
    return event


async def put(producer: EventProducer, topic: str, outputs: Sequence[Encoded]) -> None:
    for encoded in outputs:
        await producer.send_encoded(topic, encoded, key=b"0", partition=0)
    await producer.flush()


async def test_false_evaluations_ahead_of_the_timeline_silence_nothing_at_any_start(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    records = mixed_timeline(4, SYMBOLS, 700).records
    expected = EngineCore(KernelSettings()).process(records).indicators
    half = len(records) * 2 // 3
    known = EngineCore(KernelSettings()).process(records[: half // 2]).indicators
    reached = max(
        event_of(output).event_time_ms for output in EngineCore(KernelSettings()).process(records[:half]).indicators
    )
    honest = event_of(known[-1])
    lies = [
        encode(
            msgspec.structs.replace(honest, event_id=f"false:{symbol}:{time_ms}", symbol=symbol, event_time_ms=time_ms)
        )
        for time_ms in (DECADES_AHEAD_MS, reached + 600_000)
        for symbol in SYMBOLS
    ]
    producer, parts = (
        EventProducer(empty_kafka, service="test"),
        RecoveryParts(empty_kafka, KernelSettings(), NoSnapshots()),
    )
    await producer.start()
    await put(producer, TIMELINE.name, [Encoded(r.value or b"", list(r.headers.items())) for r in records[:half]])
    await put(producer, SIGNAL_INDICATOR.name, [output.encoded for output in known] + lies)
    ignored = REGISTRY.get_sample_value("perpstream_records_dropped_total", DROPPED) or 0.0

    first = Life(parts)
    core = await first.start()
    first.emitted.extend(core.process(records[half:]).indicators)
    assert ids([*known, *first.emitted]) == ids(expected)
    assert REGISTRY.get_sample_value("perpstream_records_dropped_total", DROPPED) == ignored + len(lies)

    await put(producer, SIGNAL_INDICATOR.name, [output.encoded for output in first.emitted])
    await put(producer, TIMELINE.name, [Encoded(r.value or b"", list(r.headers.items())) for r in records[half:]])
    await put(producer, SIGNAL_INDICATOR.name, lies[:2])
    second = Life(parts)
    core = await second.start()
    await producer.stop()
    assert second.emitted == []
    assert max(core.silent_until.values()) < reached + 86_400_000
    assert min(core.silent_until.values()) > START_MS


async def test_a_recovery_ends_although_the_log_grows_while_it_is_read(empty_kafka: str) -> None:
    await ensure_topics(empty_kafka, 1)
    records = mixed_timeline(4, SYMBOLS, 300).records
    copies = [Encoded(record.value or b"", list(record.headers.items())) for record in records]
    producer = EventProducer(empty_kafka, service="test")
    await producer.start()
    await put(producer, TIMELINE.name, copies[:100])
    growing = iter(copies[100:])

    async def emit(partition: int, core: EngineCore, batch: Sequence[Record]) -> None:
        core.process(batch)
        await put(producer, TIMELINE.name, [next(growing)])

    core = await recover(RecoveryParts(empty_kafka, KernelSettings(), NoSnapshots()), 0, emit)
    assert core.next_offset >= 100, "what stood in the log at the start is taken"
    assert len(list(growing)) > 150, "what is written meanwhile is left to the stream"
    await producer.stop()
