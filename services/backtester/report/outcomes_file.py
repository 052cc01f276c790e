"""Closed positions as a Parquet file, for notebooks: one row each, money exact."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from libs.trading.outcome import Outcome

# Money has the decimals of price times quantity times rate; what is beyond twelve is no money any more.
_EXPONENT = Decimal(1).scaleb(-12)
_TEXTS: dict[str, Callable[[Outcome], str]] = {
    "signal_id": lambda one: one.signal_id,
    "strategy": lambda one: one.strategy,
    "symbol": lambda one: one.symbol,
    "direction": lambda one: one.direction,
    "exit_reasons": lambda one: " ".join(fill.reason for fill in one.exits),
}
_TIMES: dict[str, Callable[[Outcome], int]] = {
    "signal_time": lambda one: one.signal_time_ms,
    "entry_time": lambda one: one.entry.time_ms,
    "exit_time": lambda one: one.exit_time_ms,
}
_MONEY: dict[str, Callable[[Outcome], Decimal]] = {
    "entry_price": lambda one: one.entry.price,
    "quantity": lambda one: one.entry.quantity,
    "exit_price": lambda one: mean_exit(one),
    "stop_loss": lambda one: one.stop_loss,
    "take_profit_1": lambda one: one.take_profit_1,
    "take_profit_2": lambda one: one.take_profit_2,
    "risk": lambda one: one.risk,
    "gross": lambda one: one.gross,
    "fees": lambda one: one.fees,
    "slippage": lambda one: one.slippage,
    "funding": lambda one: one.funding,
    "net": lambda one: one.net,
}
_NUMBERS: dict[str, Callable[[Outcome], float]] = {
    "score": lambda one: one.score,
    "net_r": lambda one: one.net_r,
    "adverse_r": lambda one: one.adverse_r,
    "favourable_r": lambda one: one.favourable_r,
}


def mean_exit(one: Outcome) -> Decimal:
    """The mean price of the exits, weighted by quantity."""
    quantity = sum((fill.quantity for fill in one.exits), Decimal(0))
    return sum((fill.price * fill.quantity for fill in one.exits), Decimal(0)) / quantity


def write_outcomes(outcomes: Sequence[Outcome], path: Path) -> None:
    """Texts, times (UTC, ms), money as decimal128(38, 12) and numbers, in the order of the exits."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "version": pa.array([one.version for one in outcomes], pa.int32()),
        **{name: pa.array([take(one) for one in outcomes], pa.string()) for name, take in _TEXTS.items()},
        **{name: pa.array([take(one) for one in outcomes], pa.timestamp("ms", "UTC")) for name, take in _TIMES.items()},
        **{
            name: pa.array([take(one).quantize(_EXPONENT) for one in outcomes], pa.decimal128(38, 12))
            for name, take in _MONEY.items()
        },
        **{name: pa.array([take(one) for one in outcomes], pa.float64()) for name, take in _NUMBERS.items()},
    }
    pq.write_table(pa.table(columns), path, compression="zstd")
