"""What stands beside the trades of an invented market: forced orders, open interest, crowding, premium, mark prices, funding."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.services.backtester.market_days import FIRST_DAY, Market
from tests.services.backtester.parquet_files import write_rows

Floats = NDArray[np.float64]
Row = dict[str, Any]
KNOWN_AFTER = timedelta(seconds=4)
FUNDING_HOURS = (0, 8, 16)


def write_inputs(folder: Path, market: Market, seen: tuple[Floats, Floats], dice: np.random.Generator) -> None:
    """Files of liquidations, mark prices and indicators for each day; `seen`: price and net taker share of each minute, the price
    of one minute more."""
    prices, flow = seen
    returns = np.diff(np.log(prices))
    write_rows(folder, "liquidations", market.symbol, _liquidations(market, prices, returns, dice))
    write_rows(folder, "mark_prices", market.symbol, _marks(prices, flow, dice))
    rows = [*_five_minutes(returns, flow, dice), *_premiums(prices, flow, dice), *_funding(prices, dice)]
    for number, row in enumerate(rows):
        row["event_id"] = f"{row['kind']}:{market.symbol}:{number}"
    write_rows(folder, "indicators", market.symbol, sorted(rows, key=lambda row: row["event_time"]))


def _liquidations(market: Market, prices: Floats, returns: Floats, dice: np.random.Generator) -> Iterator[Row]:
    """Forced orders in minutes that move far: longs are sold when it falls, shorts bought when it rises."""
    far = np.abs(returns) / np.std(returns)
    counts = dice.poisson(np.minimum(4.0 * np.maximum(far - 1.0, 0), 40))
    for minute in np.flatnonzero(counts).tolist():
        for offset_ms in np.sort(dice.integers(0, 60_000, counts[minute])).tolist():
            at = FIRST_DAY + timedelta(minutes=minute, milliseconds=offset_ms)
            price = _rounded(prices[minute], market.price_decimals)
            least = 10.0**-market.quantity_decimals
            size = max(least, 6_000.0 * float(dice.lognormal(0.0, 1.3)) / prices[minute])
            quantity = _rounded(size, market.quantity_decimals)
            yield {
                "event_id": f"liquidation:{market.symbol}:{minute}:{offset_ms}:{quantity}",
                "side": "SELL" if returns[minute] < 0 else "BUY",
                "trade_time": at,
                "event_time": at + timedelta(milliseconds=5),
                **dict.fromkeys(("quantity", "last_filled_quantity"), quantity),
                **dict.fromkeys(("average_price", "order_price"), price),
                "status": "FILLED",
            }


def _five_minutes(returns: Floats, flow: Floats, dice: np.random.Generator) -> Iterator[Row]:
    """Open interest grows with one-sided taking and shrinks in panics; the crowd buys what has fallen."""
    interest, ratio = 80_000.0, 1.4
    for minute in range(0, len(returns), 5):
        part = slice(max(0, minute - 5), max(1, minute))
        moved = float(np.sum(returns[part]))
        interest *= 1 + 0.006 * abs(float(np.mean(flow[part]))) - 0.25 * moved * moved * 100 - 0.0004
        interest *= 1 + 0.0006 * float(dice.standard_normal())
        ratio = ratio + 0.01 * (1.4 - ratio) - 12.0 * moved + 0.01 * float(dice.standard_normal())
        ratio = min(max(ratio, 0.5), 3.5)
        at = FIRST_DAY + timedelta(minutes=minute)
        yield _row("open_interest", "5m", at, {"open_interest": f"{interest:.3f}"})
        yield _row("global_long_short_account_ratio", "5m", at, {"long_short_ratio": f"{ratio:.4f}"})


def _premiums(prices: Floats, flow: Floats, dice: np.random.Generator) -> Iterator[Row]:
    """Coinbase a little above the venue while takers buy, each minute."""
    premium = 0.0
    for minute, (price, taken) in enumerate(zip(prices[:-1].tolist(), flow.tolist(), strict=True)):
        premium = 0.95 * premium + 0.05 * (0.25 * taken) + 0.004 * float(dice.standard_normal())
        other = price * (1 + premium / 100)
        values = {"premium_percent": f"{premium:.6f}", "coinbase_price": f"{other:.4f}", "venue_price": f"{price:.4f}"}
        yield _row("coinbase_premium", None, FIRST_DAY + timedelta(minutes=minute), values)


def _marks(prices: Floats, flow: Floats, dice: np.random.Generator) -> Iterator[Row]:
    """Twice a minute, where the venue says it each second: often enough for factors. Rich while takers buy, as is funding."""
    basis = 0.0
    for half in range(2 * len(flow)):
        minute, late = divmod(half, 2)
        basis = 0.98 * basis + 0.02 * (0.004 * float(flow[minute])) + 0.00003 * float(dice.standard_normal())
        mark = float(prices[minute] + late * (prices[minute + 1] - prices[minute]) / 2)
        at = FIRST_DAY + timedelta(seconds=30 * half)
        yield {
            "event_time": at,
            "mark_price": f"{mark:.6f}",
            "index_price": f"{mark / (1 + basis):.6f}",
            "funding_rate": f"{0.0001 + 0.5 * basis:.8f}",
            "next_funding_time": FIRST_DAY + timedelta(hours=8 * (minute // 480 + 1)),
        }


def _funding(prices: Floats, dice: np.random.Generator) -> Iterator[Row]:
    for minute in range(0, len(prices) - 1, 60):
        if minute // 60 % 24 in FUNDING_HOURS:
            rate = 0.0001 + 0.00006 * float(dice.standard_normal())
            values = {"funding_rate": f"{rate:.8f}", "mark_price": f"{prices[minute]:.4f}"}
            yield _row("funding_rate", None, FIRST_DAY + timedelta(minutes=minute), values)


def _row(kind: str, period: str | None, at: datetime, values: dict[str, str]) -> Row:
    return {
        "kind": kind,
        "period": period,
        "event_time": at,
        "values": list(values.items()),
        "source": "invented",
        "available_at": at + KNOWN_AFTER,
        "availability_assumed": False,
    }


def _rounded(value: float, decimals: int) -> Decimal:
    return Decimal(f"{value:.{decimals}f}")
