"""trade_ingest while the venue misbehaves in every way at once: each id once, in order, without a hole, as REST tells it."""

import asyncio
import json
import random
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.streaming.admin import ensure_topics
from tests.services.ingest_stack import PARTITIONS, SYMBOLS, IngestStack, published, running
from tests.services.processes import eventually
from tests.services.trade_ingest.test_on_kafka import check_complete

pytestmark = pytest.mark.integration
LONG_MS = 3000
# These meet something whatever else happens; the others may find a connection that is closed already, or nobody who asks.
ALWAYS_MET = {"drop", "duplicate", "reorder", "delay", "late_burst"}
WIRE: tuple[dict[str, Any], ...] = (
    {"kind": "drop", "probability": 0.05},
    {"kind": "silent"},
    {"kind": "duplicate", "probability": 0.2, "copies": 2},
    {"kind": "reorder", "probability": 0.1, "behind": 3},
    {"kind": "delay", "probability": 0.2, "by_ms": 500},
    {"kind": "late_burst", "probability": 0.5},
    {"kind": "wrong_time", "probability": 0.1, "by_ms": -3_600_000, "field": "E"},
    {"kind": "wrong_time", "probability": 0.02, "by_ms": 3_600_000, "field": "T"},
    {"kind": "malformed", "probability": 0.02},
    {"kind": "truncated", "probability": 0.02},
    {"kind": "unknown_fields"},
    {"kind": "missing_fields"},
    {"kind": "disconnect"},
    {"kind": "disconnect", "close_code": 1011},
    {"kind": "rotation"},
    {"kind": "half_open"},
    {"kind": "clock_skew", "by_ms": 5000},
    {"kind": "clock_skew", "by_ms": -5000},
    {"kind": "halt", "symbols": ["ETHUSDT"]},
)
REST: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limited", "retry_after_s": 1, "most": 2},
    {"kind": "banned"},
    *({"kind": "unavailable", "text": text, "most": 2} for text in ("unknown", "unavailable", "internal", "throttled")),
    {"kind": "server_error", "most": 3},
    {"kind": "slow_body", "seconds": 1.5, "most": 2},
    {"kind": "truncated_page", "rows": 10, "most": 5},
    {"kind": "truncated_page", "rows": 0, "most": 2},
    {"kind": "truncated_page", "most": 2},
)


def script(seed: int) -> list[dict[str, Any]]:
    """Every fault once, in random order, one and a half seconds apart, so that neighbours overlap; REST's beside them."""
    chance = random.Random(seed)
    faults = []
    for kinds in (WIRE, REST):
        order = chance.sample(kinds, len(kinds))
        faults += [fault | {"after_ms": 1000 + 1500 * n, "for_ms": LONG_MS} for n, fault in enumerate(order)]
    return faults


@pytest.fixture
def stack(empty_kafka: str, tmp_path: Path) -> Iterator[IngestStack]:
    asyncio.run(ensure_topics(empty_kafka, PARTITIONS))
    # Quick to notice a silent connection, and slow to give a gap up.
    knobs = {"PERPSTREAM_TRADES_SILENCE_SECONDS": "2", "PERPSTREAM_TRADES_GAP_PATIENCE_SECONDS": "120"}
    with running(IngestStack(empty_kafka, "trade_ingest", tmp_path, **knobs)) as started:
        yield started


def _ask(stack: IngestStack, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(f"{stack.url}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.parametrize("seed", [1])
async def test_whatever_the_venue_does_each_trade_is_published_once(stack: IngestStack, seed: int) -> None:
    await eventually(stack.ready, 60, stack.logs)
    _ask(stack, "/sim/faults", script(seed))

    async def over() -> bool:
        return all(one["state"] == "ended" for one in _ask(stack, "/sim/faults"))

    await eventually(over, 90, stack.logs)
    newest = _ask(stack, "/sim/status")["last_ids"]

    async def caught_up() -> bool:
        seen = await published(stack.bootstrap)
        return all(seen.ids(symbol)[-1] >= newest[symbol] for symbol in SYMBOLS)

    await eventually(caught_up, 120, stack.logs)
    assert stack.ingest.stop() == 0
    check_complete(stack, await published(stack.bootstrap))
    for fault in _ask(stack, "/sim/faults"):
        assert fault["affected"] or fault["fault"]["kind"] not in ALWAYS_MET, (
            f"it met nothing, so it tested nothing: {fault}"
        )
