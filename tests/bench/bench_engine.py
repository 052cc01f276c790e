"""How many trades a second one engine worker carries from the timeline to its signal topics (prints a table).

Two ways, with 4 and with 400 symbols, both strategies active, evaluations every 15 s of market time: "live" appends to the
timeline while the worker runs, so every record comes through Faust; "backlog" starts the worker on a full timeline, which it
replays. The rate is taken from the output topic alone: market time covered by its evaluations, times the trades in it,
over the broker's append times. Broker, bench and worker share the machine: the CPU the worker used says what it would need
of a core of its own.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import msgspec

from libs.contracts.codec import Encoded, decode_as, encode
from libs.contracts.control import StrategyActivated
from libs.contracts.market import AggTradeFrame, SymbolSlice
from libs.contracts.signals import IndicatorComputed
from libs.contracts.topics import AGGTRADE, SIGNAL_INDICATOR, STRATEGY_CONTROL, TIMELINE
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader, Record
from services.sequencer.core import SequencerCore
from tests.bench.frames import START_MS, market, symbols_of
from tests.services.processes import ServiceProcess, eventually
from tests.support.servers import Broker

PARTITIONS = 4
MARKET_RATE = 4_000
STRATEGIES = Path(__file__).parents[2] / "strategies"


class Case(NamedTuple):
    """One row of the table; `rate`: trades a second of market time."""

    symbols: int
    frame: int
    trades: int
    live: bool
    rate: int = MARKET_RATE


CASES = tuple(
    Case(symbols, frame, trades, live)
    for frame, trades in ((250, 1_000_000), (25, 300_000))
    for symbols in (4, 400)
    for live in (True, False)
)


def occupied(case: Case) -> list[int]:
    return [partition for partition in range(PARTITIONS) if symbols_of(case.symbols, partition, PARTITIONS)]


def timeline_of(case: Case, partition: int) -> Iterator[Encoded]:
    """The partition's timeline as the sequencer writes it: strategies first, then frames."""
    core = SequencerCore(partition, PARTITIONS)
    fence = encode(core.fence("bench"))
    core.follow(Record(TIMELINE.name, partition, 0, None, fence.value, dict(fence.headers), 0))
    yield fence
    for offset, path in enumerate(sorted(STRATEGIES.glob("v*.json"))):
        event = StrategyActivated(
            event_id=path.stem, event_time_ms=0, strategy=path.stem, version=1, enabled=True,
            definition=msgspec.Raw(path.read_bytes()), activated_by="bench",
        )  # fmt: skip
        yield _copy(core, STRATEGY_CONTROL.name, 0, offset, encode(event))
    share = len(occupied(case))
    frames = case.trades // case.frame // share
    names = symbols_of(case.symbols, partition, PARTITIONS)
    for offset, frame in enumerate(market(names, partition, (frames, case.frame), case.rate // share)):
        yield _copy(core, AGGTRADE.name, partition, offset, encode(frame))
    yield _copy(core, AGGTRADE.name, partition, frames, encode(_last_frame(names, partition, frames, end_ms(case))))


def end_ms(case: Case) -> int:
    """The last evaluation of every symbol: the first grid time after the market's end."""
    seconds = case.trades // case.rate
    return START_MS + (seconds * 1000 // 15_000 + 1) * 15_000


def _last_frame(names: list[str], partition: int, number: int, edge_ms: int) -> AggTradeFrame:
    return AggTradeFrame(
        event_id=f"bench:1:{number}", event_time_ms=edge_ms, partition=partition, producer="bench", epoch=1,
        sequence=number, received_us=0, slices=tuple(SymbolSlice(name, 2, 3, 0, -1, -1, edge_ms - 1) for name in names),
    )  # fmt: skip


def _copy(core: SequencerCore, topic: str, partition: int, offset: int, encoded: Encoded) -> Encoded:
    record = Record(topic, partition, offset, None, encoded.value, dict(encoded.headers), 0)
    copied = core.copy(record)
    assert copied is not None
    return copied


async def append(bootstrap: str, made: Mapping[int, Iterable[Encoded]]) -> None:
    """All partitions in turn, as fast as the broker takes them."""
    producer = EventProducer(bootstrap, service="bench")
    await producer.start()
    for turn in zip_longest(*made.values()):
        for partition, record in zip(made, turn, strict=True):
            if record is not None:
                await producer.send_encoded(TIMELINE.name, record, key=b"0", partition=partition)
    await producer.stop(60)


async def measure(bootstrap: str, case: Case, worker: ServiceProcess) -> str:
    """Run one case; the row to print."""
    await ensure_topics(bootstrap, PARTITIONS, recreate=True)
    made = {partition: list(timeline_of(case, partition)) for partition in occupied(case)}
    if not case.live:
        await append(bootstrap, made)
    worker.start()
    await eventually(lambda: said(worker, "engine ready"), 240, worker.log.read_text)
    started = cpu_seconds(worker)
    if case.live:
        await eventually(lambda: said(worker, "partition recovered", PARTITIONS), 240, worker.log.read_text)
        await append(bootstrap, made)
    rate, evaluations = summary(await outputs(bootstrap, case), case.rate // len(made))
    used = cpu_seconds(worker) - started
    way = "live" if case.live else "backlog"
    return (
        f"{case.symbols:4d} symbols, frames of {case.frame:3d}, {way:8s}{rate:11,.0f} trades/s "
        f"{case.trades / used:11,.0f} trades per CPU second {evaluations:6,d} evaluations"
    )


async def said(worker: ServiceProcess, what: str, times: int = 1) -> bool:
    """Whether the worker has logged it that often."""
    return worker.log.read_text().count(what) >= times


def cpu_seconds(worker: ServiceProcess) -> float:
    """User and system time of the worker so far."""
    used = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")


async def outputs(bootstrap: str, case: Case) -> dict[int, list[Record]]:
    """The output topic once the last evaluation of every partition's last symbol is there."""
    found: dict[int, list[Record]] = {}
    async with LogReader(bootstrap) as log:
        for partition in occupied(case):
            wanted = len(symbols_of(case.symbols, partition, PARTITIONS))
            records: list[Record] = []
            while sum(evaluation_ms(record) == end_ms(case) for record in records[-9 * wanted :]) < wanted:
                await asyncio.sleep(0.2)
                start, end = len(records), await log.end(SIGNAL_INDICATOR.name, partition)
                ranged = log.range(SIGNAL_INDICATOR.name, partition, start, end)
                records += [record async for batch in ranged for record in batch]
            found[partition] = records
    return found


def evaluation_ms(record: Record) -> int:
    return decode_as(IndicatorComputed, record.value).event_time_ms


def summary(outputs: dict[int, list[Record]], rate_per_partition: int) -> tuple[float, int]:
    """Trades a second, and how many evaluations there were."""
    trades, first, last, count = 0.0, float("inf"), 0.0, 0
    for records in outputs.values():
        times = [evaluation_ms(record) for record in (records[0], records[-1])]
        trades += (times[1] - times[0]) / 1000 * rate_per_partition
        first, last = min(first, records[0].timestamp_ms), max(last, records[-1].timestamp_ms)
        count += len(records)
    return trades / ((last - first) / 1000), count


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        chosen = [case for case in CASES if len(sys.argv) < 2 or case.frame == int(sys.argv[1])]
        for number, case in enumerate(chosen):
            log = Path(folder) / f"engine{number}.log"
            worker = ServiceProcess("signal_engine", {"PERPSTREAM_KAFKA_BOOTSTRAP": broker.bootstrap}, log)
            try:
                print(asyncio.run(measure(broker.bootstrap, case, worker)), flush=True)
            finally:
                worker.kill()
        broker.stop()


if __name__ == "__main__":
    main()
