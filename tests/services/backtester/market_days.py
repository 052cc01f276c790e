"""Days of an invented market as `perpstream data export` would have written them: trades with drifts that takers follow."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from libs.store.exported import INSTANT, MONEY, TRADES
from tests.services.backtester.parquet_files import write_table

DAY_MS = 86_400_000
FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Market:
    """A symbol: its price at the start, how many trades a day, and the decimals of its prices and quantities."""

    symbol: str
    price: float
    trades_a_day: int
    price_decimals: int = 2
    quantity_decimals: int = 3


def write_days(folder: Path, markets: list[Market], days: int, seed: int = 1) -> tuple[datetime, datetime]:
    """Write `days` days of each market from FIRST_DAY on; returns the range."""
    for number, market in enumerate(markets):
        dice = np.random.default_rng([seed, number])
        price, agg_id = market.price, 1_000
        for day in range(days):
            start = FIRST_DAY + timedelta(days=day)
            price = _write_day(folder, market, start, (price, agg_id), dice)
            agg_id += market.trades_a_day
    return FIRST_DAY, FIRST_DAY + timedelta(days=days)


def _write_day(
    folder: Path, market: Market, start: datetime, at: tuple[float, int], dice: np.random.Generator
) -> float:
    price, first_id = at
    count = market.trades_a_day
    start_ms = int(start.timestamp() * 1000)
    times = start_ms + np.sort(dice.integers(0, DAY_MS, count))
    # A drift of its own each ten minutes; takers follow it, and trade more when it is strong.
    drift = np.repeat(dice.normal(0, 1, 144), -(-count // 144))[:count]
    steps = dice.normal(0, 1, count) * 2.5e-5 * np.sqrt(2_000_000 / count) + drift * 1.2e-6 * (2_000_000 / count)
    prices = price * np.exp(np.cumsum(steps))
    sold = dice.random(count) > 0.5 + 0.18 * np.tanh(drift)
    sizes = dice.pareto(1.6, count) + 0.05
    write_trades(folder, market, start, TradeColumns(first_id, times, prices, sizes, sold))
    return float(prices[-1])


class TradeColumns(NamedTuple):
    """The trades of a day in order of time."""

    first_id: int
    times: NDArray[np.int64]
    prices: NDArray[np.float64]
    sizes: NDArray[np.float64]
    sold: NDArray[np.bool_]


def write_trades(folder: Path, market: Market, start: datetime, columns: TradeColumns) -> None:
    """The day's file; quantities are a tenth of `sizes`."""
    first_id, times, prices, sizes, sold = columns
    count = len(times)
    ids = np.arange(first_id, first_id + count)
    unit = 10 ** (8 - market.price_decimals)
    price = np.maximum(1, np.rint(prices * 10**market.price_decimals)).astype(np.int64) * unit
    quantity_unit = 10 ** (8 - market.quantity_decimals)
    quantity = np.maximum(1, np.rint(sizes * 10**market.quantity_decimals / 10)).astype(np.int64) * quantity_unit
    table = pa.table(
        {
            "agg_id": ids,
            "trade_time": pa.array(times).cast(INSTANT),
            "price": _money(price),
            "quantity": _money(quantity),
            "first_trade_id": ids,
            "last_trade_id": ids,
            "buyer_is_maker": sold,
            "effective_time": pa.nulls(count, INSTANT),
        }
    )
    scales = {"price_decimals": str(market.price_decimals), "quantity_decimals": str(market.quantity_decimals)}
    table = table.cast(TRADES).replace_schema_metadata(scales)
    write_table(folder, "trades", market.symbol, start.date(), table)


def _money(values: NDArray[np.int64]) -> pa.Array:
    halves = np.zeros((len(values), 2), "<i8")
    halves[:, 0] = values
    return pa.Array.from_buffers(MONEY, len(values), [None, pa.py_buffer(halves.tobytes())])
