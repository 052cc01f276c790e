"""A recording replayed through the stack, against the truth: every trade exactly, every evaluation as the oracle has it."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from libs.contracts.signals import IndicatorComputed
from libs.indicators.features import FeatureRow, Scale, feature_row
from libs.indicators.oracle import Oracle, Trade, Watermark
from libs.indicators.settings import KernelSettings
from tests.e2e.truth import TrueTrade

SYMBOL = "BTCUSDT"
PRICE_DECIMALS, QUANTITY_DECIMALS = 1, 3  # tick 0.10, step 0.001
_COMPARED = (
    "price", "windows", "large_p95", "large_p99", "large_buy_p95", "large_sell_p95", "large_buy_p99", "large_sell_p99",
    "size_coverage", "atr", "atr_percentile", "last_agg_id", "trades_late", "trades_missing",
)  # fmt: skip


def query(url: str, sql: str) -> list[asyncpg.Record]:
    """One read of the stack's database."""

    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(sql)
            return rows
        finally:
            await connection.close()

    return asyncio.run(ask())


def stored_trades(url: str) -> list[TrueTrade]:
    """What `agg_trades` holds, in id order."""
    rows = query(
        url,
        "SELECT agg_id, price, quantity, first_trade_id, last_trade_id, buyer_is_maker,"
        " (extract(epoch FROM trade_time) * 1000)::bigint AS ms FROM agg_trades ORDER BY agg_id",
    )
    return [
        TrueTrade(
            agg_id=row["agg_id"],
            price=row["price"],
            quantity=row["quantity"],
            first_trade_id=row["first_trade_id"],
            last_trade_id=row["last_trade_id"],
            time_ms=row["ms"],
            buyer_is_maker=row["buyer_is_maker"],
        )
        for row in rows
    ]


def stored_evaluations(url: str) -> list[IndicatorComputed]:
    """What `signal_indicators` holds, in time order."""
    rows = query(url, "SELECT content::text FROM signal_indicators ORDER BY event_time")
    return [msgspec.json.decode(row["content"], type=IndicatorComputed) for row in rows]


def expected_evaluations(trades: list[TrueTrade], until_ms: int) -> list[FeatureRow]:
    """The oracle's rows for these trades and a last watermark."""
    settings = KernelSettings.for_evaluation(15_000)
    oracle = Oracle(settings)
    for place, trade in enumerate(trades):
        price = int(trade.price.scaleb(PRICE_DECIMALS))
        quantity = int(trade.quantity.scaleb(QUANTITY_DECIMALS))
        oracle.feed(place, Trade(trade.agg_id, trade.time_ms, price, quantity, trade.buyer_is_maker))
    oracle.feed(len(trades), Watermark(until_ms))
    scale = Scale(SYMBOL, PRICE_DECIMALS, QUANTITY_DECIMALS)
    return [feature_row(row, scale, settings) for row in oracle.rows]


def features(row: IndicatorComputed | FeatureRow) -> dict[str, Any]:
    """The fields that both sides must agree on."""
    return {name: getattr(row, name) for name in _COMPARED}


def assert_equals_recording(url: str, truth: list[TrueTrade]) -> int:
    """The database holds exactly the recording; returns the number of evaluations compared.

    Raises `AssertionError` naming the first difference.
    """
    stored = stored_trades(url)
    assert [trade.agg_id for trade in stored] == [trade.agg_id for trade in truth], (len(stored), len(truth))
    for found, expected in zip(stored, truth, strict=True):
        assert found == expected, (found, expected)
    assert sum((t.price * t.quantity for t in stored), Decimal(0)) == sum(
        (t.price * t.quantity for t in truth), Decimal(0)
    )
    evaluations = stored_evaluations(url)
    assert evaluations, "no evaluation was stored"
    expected_rows = expected_evaluations(truth, max(truth[-1].time_ms - 1, evaluations[-1].event_time_ms - 1))
    assert [row.event_time_ms for row in evaluations] == [row.evaluation_time_ms for row in expected_rows]
    for evaluation, expected_row in zip(evaluations, expected_rows, strict=True):
        found_features, expected_features = features(evaluation), features(expected_row)
        different = {name: (found_features[name], expected_features[name]) for name in _COMPARED}
        assert found_features == expected_features, (
            evaluation.event_time_ms,
            {name: pair for name, pair in different.items() if pair[0] != pair[1]},
        )
    return len(evaluations)


def counts(url: str) -> dict[str, int]:
    """Rows by table of everything that a second run must not add to."""
    tables = (
        "agg_trades",
        "signal_indicators",
        "signal_logs",
        "liquidation_events",
        "market_indicators",
        "rate_snapshots",
    )
    return {table: int(query(url, f"SELECT count(*) AS n FROM {table}")[0]["n"]) for table in tables}


def attributed_slice(folder: Path) -> Path:
    """The slice of the 2024 recording that the repository keeps (see ATTRIBUTION.md beside it)."""
    return next(folder.glob("um_btcusdt_trades_20240808*.raw.gz"))
