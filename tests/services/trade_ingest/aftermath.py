"""What a fault left behind, seen from both ends: the venue's own ledger, and what every reader gets of the topic."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from libs.contracts.codec import decode
from libs.contracts.event import Event
from libs.contracts.frames import FrameGate
from libs.contracts.market import AggTradeFrame, FeedStatusChanged, GapOutcome, Hole, TradeGapChanged
from libs.contracts.topics import AGGTRADE, FEEDSTATUS
from libs.streaming.records import LogReader
from tests.services.ingest_stack import PARTITIONS

# The venue tells a trade this much later than its time at the most; a halt is about when trades are told.
LONGEST_TO_TELL_MS = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One published trade; `effective_ms` is later than `time_ms` when it was late."""

    agg_id: int
    price: Decimal
    quantity: Decimal
    time_ms: int
    effective_ms: int
    price_decimals: int

    @property
    def late(self) -> bool:
        return self.effective_ms != self.time_ms


class Reader:
    """Follows market.aggtrade.v1 through the gate, as every reader must, and market.feedstatus.v1; checks the watermarks."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._offsets = {(topic, partition): 0 for topic in (AGGTRADE, FEEDSTATUS) for partition in range(PARTITIONS)}
        self._gates = {partition: FrameGate() for partition in range(PARTITIONS)}
        self._watermarks: dict[str, int] = {}
        self.rows: dict[str, list[Row]] = {}
        self.holes: list[Hole] = []
        # How each gap ended, and whether the last that was said of a symbol's feed is that it delivers.
        self.gaps: list[TradeGapChanged] = []
        self.live: dict[str, bool] = {}

    async def read_on(self) -> None:
        """Take what has been published since the last call."""
        async with LogReader(self._bootstrap) as log:
            for (topic, partition), offset in self._offsets.items():
                end = await log.end(topic.name, partition)
                async for batch in log.range(topic.name, partition, offset, end):
                    for record in batch:
                        self._hear(decode(record.value, record.headers, topic.events))
                self._offsets[topic, partition] = end

    def _hear(self, event: Event) -> None:
        if isinstance(event, AggTradeFrame):
            self._take(event)
        elif isinstance(event, FeedStatusChanged):
            self.live[event.symbol] = event.is_live
        elif isinstance(event, TradeGapChanged) and event.outcome != "open":
            self.gaps.append(event)

    def last_id(self, symbol: str) -> int:
        """The newest id that is a row or stands in a hole; -1 before the first."""
        return max(
            [self.rows[symbol][-1].agg_id if self.rows.get(symbol) else -1]
            + [hole.last_missing_id for hole in self.holes if hole.symbol == symbol]
        )

    def _take(self, frame: AggTradeFrame) -> None:
        columns = self._gates[frame.partition].accept(frame)
        if columns is None:
            return
        self.holes += frame.holes
        for index, part in enumerate(frame.slices):
            mine = columns.select(columns.symbol_index == index)
            watermark = self._watermarks.get(part.symbol, -1)
            assert len(mine) == 0 or int(mine.time.min()) > watermark, "a row at or below a published watermark"
            self._watermarks[part.symbol] = max(watermark, part.watermark_ms)
            price_unit, quantity_unit = Decimal(10) ** -part.price_decimals, Decimal(10) ** -part.quantity_decimals
            self.rows.setdefault(part.symbol, []).extend(
                Row(agg_id, price * price_unit, quantity * quantity_unit, raw, effective, part.price_decimals)
                for agg_id, price, quantity, raw, effective in zip(
                    mine.agg_id.tolist(),
                    mine.price.tolist(),
                    mine.quantity.tolist(),
                    mine.trade_time.tolist(),
                    mine.time.tolist(),
                    strict=True,
                )
            )


class Desk:
    """The simulator's fault desk over HTTP; `state` is the simulator's folder, which has a key of its account."""

    def __init__(self, url: str, state: Path) -> None:
        self._url = url
        self._accounts = state / "accounts.json"

    def ask(self, path: str, body: object = None, method: str | None = None) -> Any:
        """The JSON of an answer; that of a refusal too."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        if path.startswith("/fapi"):
            headers["X-MBX-APIKEY"] = json.loads(self._accounts.read_text())[0]["keys"][0]["key"]
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            return json.load(refusal)

    def arm(self, faults: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        """Ask for faults that begin now; how they stand."""
        armed = self.ask("/sim/faults", list(faults))
        assert isinstance(armed, list), armed
        return armed

    def state(self, numbers: Iterable[int]) -> list[dict[str, Any]]:
        """How the faults of those numbers stand."""
        wanted = set(numbers)
        return [one for one in self.ask("/sim/faults") if one["number"] in wanted]

    def ledger(self, after: int = 0) -> list[dict[str, Any]]:
        """Everything that was written down behind a sequence number."""
        entries: list[dict[str, Any]] = []
        while page := self.ask(f"/sim/faults/ledger?after={after}"):
            entries += page
            after = page[-1]["seq"]
        return entries


def counters(health_port: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The service's counters by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{health_port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.type == "counter"
    }


@dataclass(frozen=True, slots=True)
class Aftermath:
    """One case when it is over: its faults, the ledger since it began, and what was published since then."""

    faults: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    rows: dict[str, list[Row]]
    holes: list[Hole]
    gaps: list[TradeGapChanged]
    counted: dict[tuple[str, frozenset[tuple[str, str]]], float]
    restarted: bool
    log: str

    def met(self, kind: str) -> list[dict[str, Any]]:
        """Ledger entries of that kind. A fault that met nothing has tested nothing."""
        found = [one for one in self.entries if one["kind"] == kind]
        assert found, f"{kind} met nothing"
        return found

    def ids(self, kind: str) -> set[tuple[str, int]]:
        """(symbol, id) of trades that a fault of that kind touched."""
        return {
            (one["symbol"], number)
            for one in self.met(kind)
            for first, last in one.get("ids", [])
            for number in range(first, last + 1)
        }

    @property
    def published(self) -> set[tuple[str, int]]:
        return {(symbol, row.agg_id) for symbol, rows in self.rows.items() for row in rows}

    @property
    def missing(self) -> set[tuple[str, int]]:
        """(symbol, id) that holes name."""
        return {
            (hole.symbol, number)
            for hole in self.holes
            for number in range(hole.first_missing_id, hole.last_missing_id + 1)
        }

    @property
    def late(self) -> set[tuple[str, int]]:
        return {(symbol, row.agg_id) for symbol, rows in self.rows.items() for row in rows if row.late}

    def in_gaps(self, outcome: GapOutcome) -> set[tuple[str, int]]:
        """(symbol, id) of the gaps that ended so."""
        return {
            (gap.symbol, number)
            for gap in self.gaps
            if gap.outcome == outcome
            for number in range(gap.first_missing_id, gap.last_missing_id + 1)
        }

    def unreachable(self) -> set[tuple[str, int]]:
        """(symbol, id) that no connection can have brought: behind what a cut one was told, while others were refused."""
        [fault] = self.faults
        found = set()
        for one in self.met(fault["fault"]["kind"]):
            for symbol, (_, greatest) in one["detail"]["told"].items():
                found |= {
                    (symbol, row.agg_id)
                    for row in self.rows[symbol]
                    if row.agg_id > greatest and row.time_ms < fault["end_ms"] - LONGEST_TO_TELL_MS
                }
        assert found, "the cut was too short to lose anything"
        return found

    def sum_of(self, name: str, **labels: str) -> float:
        """How much a counter with these labels has grown; only where the process has lived on."""
        assert not self.restarted
        return sum(
            value
            for (known, having), value in self.counted.items()
            if known == name and labels.items() <= dict(having).items()
        )
