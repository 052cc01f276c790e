"""trade_ingest under each fault alone: what must happen at the reader's side of the topic, by the venue's own ledger.

Of every case: each id of each symbol once and in order, as REST tells it; nothing missing but what a hole names; nothing late
that is not counted; and the feed is live again. What a case adds to that is its `then`.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from libs.streaming.admin import ensure_topics
from tests.services.ingest_stack import PARTITIONS, IngestStack, running
from tests.services.processes import eventually
from tests.services.trade_ingest.aftermath import Aftermath, Desk, Reader, counters
from tests.services.trade_ingest.outcomes import (
    Then,
    asked_until_filled,
    ended_for_good,
    exactly_these_are_late,
    filled,
    filled_gaps,
    finer_prices,
    halted,
    late_only_while_wrong,
    nothing_happens,
    only_these_are_late,
    reconnected,
    reconnected_with_a_gap,
    replaced_with_a_gap,
    told_right_by_rest,
    trading_goes_on,
    unreadable,
    untouched,
)
from tests.support.servers import Broker

pytestmark = pytest.mark.integration
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
HOUR_MS = 3_600_000
KNOBS = {
    "PERPSTREAM_SIM_SPEED": "4",
    "PERPSTREAM_VENUE_SPEED": "4",
    "PERPSTREAM_SIM_SYMBOLS": ",".join(SYMBOLS),
    "PERPSTREAM_SYMBOLS": ",".join(SYMBOLS),
    "PERPSTREAM_SIM_RATE": "120",
    # The test asks for the truth from the same address as the service.
    "PERPSTREAM_SIM_WEIGHT_LIMIT": "1000000",
    "PERPSTREAM_TRADES_SILENCE_SECONDS": "2",
    "PERPSTREAM_TRADES_GAP_PATIENCE_SECONDS": "4",
}


@dataclass(frozen=True)
class Case:
    """Faults that begin together, and what must be true when they are over."""

    name: str
    faults: tuple[dict[str, Any], ...]
    then: Then
    for_ms: int = 3000
    settle_ms: int = 1500
    may_be_late: bool = False
    may_be_missing: bool = False


# --- the cases --------------------------------------------------------------------------------------------------------

# Until every gap is told and ended; and where one of several connections owes trades, until that is closed or has had its time.
GAPS_MS, OWED_MS = 6_000, 30_000
TRADES = {"symbols": ["BTCUSDT"]}
WIRE = (
    Case("drop", ({"kind": "drop", "probability": 0.2},), filled_gaps("drop"), settle_ms=GAPS_MS),
    Case("silent", ({"kind": "silent", **TRADES},), filled_gaps("silent"), settle_ms=GAPS_MS),
    Case("silent for long", ({"kind": "silent", **TRADES},), filled_gaps("silent"), 24_000, OWED_MS),
    Case(
        "silent on one connection",
        ({"kind": "silent", "connections": "oldest", **TRADES},),
        replaced_with_a_gap("silent"),
        24_000,
        OWED_MS,
    ),
    Case("duplicate", ({"kind": "duplicate", "copies": 3, "probability": 0.5},), filled("duplicate")),
    Case("reorder", ({"kind": "reorder", "behind": 4, "probability": 0.2},), filled("reorder")),
    Case(
        "delay of some",
        ({"kind": "delay", "by_ms": 600, "probability": 0.3},),
        only_these_are_late("delay"),
        may_be_late=True,
    ),
    Case(
        "delay of all",
        ({"kind": "delay", "by_ms": 2500, **TRADES},),
        only_these_are_late("delay"),
        4000,
        may_be_late=True,
    ),
    Case("late burst", ({"kind": "late_burst", **TRADES},), only_these_are_late("late_burst"), may_be_late=True),
    Case(
        "trade time too old",
        ({"kind": "wrong_time", "field": "T", "by_ms": -HOUR_MS, "most": 20, "probability": 0.3},),
        exactly_these_are_late("wrong_time"),
        may_be_late=True,
    ),
    Case(
        "trade time in the future",
        ({"kind": "wrong_time", "field": "T", "by_ms": HOUR_MS, "most": 20, "probability": 0.3},),
        told_right_by_rest("wrong_time"),
    ),
    Case("event time too old", ({"kind": "wrong_time", "by_ms": -HOUR_MS, "probability": 0.3},), filled("wrong_time")),
    Case(
        "event time in the future",
        ({"kind": "wrong_time", "by_ms": HOUR_MS, "probability": 0.3},),
        filled("wrong_time"),
    ),
    Case("clock ahead", ({"kind": "clock_skew", "by_ms": 5000},), late_only_while_wrong, 4000, 6500, may_be_late=True),
    Case("clock behind", ({"kind": "clock_skew", "by_ms": -5000},), late_only_while_wrong, 4000),
    *(
        Case(kind, ({"kind": kind, "probability": 0.2, "most": 30},), unreadable(kind), settle_ms=GAPS_MS)
        for kind in ("malformed", "truncated")
    ),
    Case("unknown fields", ({"kind": "unknown_fields"},), nothing_happens("unknown_fields")),
    Case("missing fields", ({"kind": "missing_fields"},), nothing_happens("missing_fields")),
)
CONNECTIONS = (
    Case("disconnect", ({"kind": "disconnect"},), reconnected_with_a_gap("disconnect"), 8000),
    Case(
        "disconnect with a close code",
        ({"kind": "disconnect", "close_code": 1011},),
        reconnected_with_a_gap("disconnect"),
        8000,
    ),
    Case("rotation", ({"kind": "rotation"},), reconnected("rotation")),
    Case("half open", ({"kind": "half_open"},), reconnected("half_open")),
    Case("listen key expiry", ({"kind": "listen_key_expiry"},), untouched("listen_key_expiry")),
)
MARKET = (
    Case("halt", ({"kind": "halt", "symbols": ["ETHUSDT"]},), halted, 6000),
    Case("status", ({"kind": "status", "status": "BREAK"},), trading_goes_on),
    Case(
        "tick size",
        ({"kind": "tick_size", "symbols": ["ETHUSDT"], "price_decimals": 3, "tick": 1},),
        finer_prices,
        0,
    ),
    Case("delisting", ({"kind": "delisting", "symbols": ["SOLUSDT"]},), ended_for_good, 0),
)
REST_FAULTS: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {"kind": "rate_limited", "retry_after_s": 1, "most": 2},
    "429 without": {"kind": "rate_limited", "most": 1},
    "418": {"kind": "banned"},
    **{
        f"503 {text}": {"kind": "unavailable", "text": text}
        for text in ("unknown", "unavailable", "internal", "throttled")
    },
    "502": {"kind": "server_error", "status": 502},
    "slow body": {"kind": "slow_body", "seconds": 1.5, "most": 2},
    "short page": {"kind": "truncated_page", "rows": 3, "most": 4},
    "empty page": {"kind": "truncated_page", "rows": 0, "most": 2},
    "half a page": {"kind": "truncated_page", "most": 2},
}
DROP = {"kind": "drop", "probability": 0.3, **TRADES}
REST = (
    *(
        Case(name, (DROP, fault), asked_until_filled(str(fault["kind"])), may_be_missing=True, may_be_late=True)
        for name, fault in REST_FAULTS.items()
    ),
    Case(
        "expired history",
        (DROP | {"most": 20}, {"kind": "history_expired"}),
        asked_until_filled("history_expired"),
        40_000,
        may_be_missing=True,
        may_be_late=True,
    ),
)
CASES = (*WIRE, *CONNECTIONS, *REST, *MARKET)


# --- the servers that all cases share ---------------------------------------------------------------------------------


@dataclass
class Shared:
    """One venue, one service and one reader for all cases, in the order above."""

    stack: IngestStack
    desk: Desk
    reader: Reader
    gone: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def shared(session_broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    session_broker.delete_all_topics()
    asyncio.run(ensure_topics(session_broker.bootstrap, PARTITIONS))
    folder = tmp_path_factory.mktemp("each_fault")
    with running(IngestStack(session_broker.bootstrap, "trade_ingest", folder, **KNOBS)) as stack:
        yield Shared(stack, Desk(stack.url, folder / "simulator"), Reader(stack.bootstrap))


class Trial:
    """One case from before its faults until everything that they cost is there again."""

    def __init__(self, shared: Shared, case: Case) -> None:
        self._shared, self._case = shared, case
        self._stack, self._desk, self._reader = shared.stack, shared.desk, shared.reader
        self._numbers: list[int] = []
        self._restarted = False

    async def live_through(self) -> Aftermath:
        await eventually(self._ready, 60, self._stack.logs)
        rows = {symbol: len(self._reader.rows[symbol]) for symbol in SYMBOLS}
        holes, gaps, log = len(self._reader.holes), len(self._reader.gaps), self._stack.ingest.log.stat().st_size
        counted, ledger = counters(self._stack.health_port), self._desk.ledger()
        self._desk.ask("/fapi/v1/listenKey", method="POST")
        length = {"for_ms": self._case.for_ms} if self._case.for_ms else {}
        self._numbers = [one["number"] for one in self._desk.arm(fault | length for fault in self._case.faults)]
        await eventually(self._over, 60, self._stack.logs)
        self._newest = self._desk.ask("/sim/status")["last_ids"]
        await eventually(self._caught_up, 60, self._stack.logs)
        now = counters(self._stack.health_port)
        return Aftermath(
            self._desk.state(self._numbers),
            self._desk.ledger(ledger[-1]["seq"] if ledger else 0),
            {symbol: self._reader.rows[symbol][count:] for symbol, count in rows.items()},
            self._reader.holes[holes:],
            self._reader.gaps[gaps:],
            {key: value - counted.get(key, 0.0) for key, value in now.items()},
            self._restarted,
            self._stack.ingest.log.read_bytes()[log:].decode(),
        )

    def _live(self) -> bool:
        return all(self._reader.live.get(symbol) for symbol in SYMBOLS if symbol not in self._shared.gone)

    async def _ready(self) -> bool:
        await self._reader.read_on()
        return set(self._reader.rows) == set(SYMBOLS) and self._live()

    async def _over(self) -> bool:
        """The faults have ended, and a while has passed in which it goes on as before."""
        states = self._desk.state(self._numbers)
        ends = [one["end_ms"] or one["begin_ms"] + 2000 for one in states]
        return bool(self._desk.ask("/sim/status")["venue_time_ms"] > max(ends) + self._case.settle_ms)

    async def _caught_up(self) -> bool:
        """Everything is there, and every late row has been counted; a process that ended is started, as its supervisor would."""
        if not self._stack.ingest.running:
            self._restarted = True
            self._stack.ingest.start()
        await self._reader.read_on()
        if any(self._reader.last_id(symbol) < self._newest[symbol] for symbol in SYMBOLS):
            return False
        return self._live()


def check_complete(stack: IngestStack, case: Case, after: Aftermath) -> None:
    """Each id once and in order, as REST tells it; missing only what a hole names, and only where the case allows it."""
    assert case.may_be_missing or not after.holes
    assert case.may_be_late or not after.late
    wrong = after.ids("wrong_time") if any(fault["kind"] == "wrong_time" for fault in case.faults) else set()
    for symbol, rows in after.rows.items():
        if not rows:
            continue
        ids = [row.agg_id for row in rows]
        assert ids == sorted(set(ids)), f"{symbol}: doubled, or out of order"
        gone = {agg_id for name, agg_id in after.missing if name == symbol}
        assert set(ids) | gone == set(range(min(ids), max(ids) + 1)), f"{symbol}: ids that nobody named"
        truth = stack.venue_trades(symbol, ids[0], ids[-1])
        for row in rows:
            price, quantity, time_ms = truth[row.agg_id]
            assert (row.price, row.quantity) == (Decimal(price), Decimal(quantity))
            assert row.time_ms == time_ms or (symbol, row.agg_id) in wrong


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_a_fault_costs_no_trade(shared: Shared, case: Case) -> None:
    shared.gone |= {symbol for fault in case.faults if fault["kind"] == "delisting" for symbol in fault["symbols"]}
    after = await Trial(shared, case).live_through()
    check_complete(shared.stack, case, after)
    if not after.restarted:
        assert after.sum_of("perpstream_trades_late_total") == len(after.late)
    case.then(after)
