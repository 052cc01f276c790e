"""Captures as recorders write them, and their trades in plain values."""

import csv
import gzip
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from libs.indicators.log import TradeRows
from services.backtester.sources import Span
from services.backtester.sources.recording import RecordingSource
from tests.services.exchange_simulator.running import RECORDINGS

ALWAYS = Span(0, 4_000_000_000_000)
DERIVED = RECORDINGS / "um_btcusdt_aggtrades_derived_20240808.csv.gz"
Row = tuple[int, Decimal, Decimal, int, bool]


async def trades_of(source: RecordingSource, symbol: str = "BTCUSDT") -> TradeRows:
    [page] = [page async for page in source.trades(symbol, ALWAYS)]
    return page


def plain(rows: TradeRows) -> list[Row]:
    return [
        (i, Decimal(p).scaleb(-rows.price_decimals), Decimal(q).scaleb(-rows.quantity_decimals), t, bool(m))
        for i, p, q, t, m in zip(
            *(getattr(rows, name).tolist() for name in ("agg_id", "price", "quantity", "time", "buyer_is_maker")),
            strict=True,
        )
    ]


def derived() -> list[tuple[str, ...]]:
    with gzip.open(DERIVED, "rt") as file:
        return [tuple(row) for row in list(csv.reader(file))[1:]]


def agg_trades(rows: Sequence[tuple[str, ...]]) -> list[bytes]:
    """What the venue would have sent for these rows."""
    return [
        json.dumps(
            {"e": "aggTrade", "E": int(t) + 3, "a": int(a), "s": "BTCUSDT", "p": p, "q": q, "nq": q}
            | {"f": int(f), "l": int(last), "T": int(t), "m": maker == "true"}
        ).encode()
        for a, p, q, f, last, t, maker in rows
    ]


def capture(path: Path, payloads: Sequence[bytes], stream: str = "btcusdt@aggTrade") -> Path:
    lines = (b'1723161256 {"stream":"%b","data":%b}\n' % (stream.encode(), payload) for payload in payloads)
    path.write_bytes(gzip.compress(b"".join(lines)))
    return path
