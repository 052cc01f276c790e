"""From integers to the features that people and strategies read: exact decimals, coverage as shares, nothing rounded twice.

Pure and without numba: anything that reads evaluation rows may use it.
"""

from decimal import Context, Decimal
from typing import Any, Literal

import msgspec
import numpy as np

from libs.contracts.signals import WindowFeatures
from libs.indicators import layout as at
from libs.indicators.settings import KernelSettings

WindowName = Literal["5m", "30m", "4h"]
WINDOW_NAMES: tuple[WindowName, WindowName, WindowName] = ("5m", "30m", "4h")
EXTRA_DECIMALS = 4
_EXACT = Context(prec=80)


class FeatureRow(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol at one evaluation. Prices and notional in quote units, quantities in base units, coverage from 0 to 1.

    Coverage of a window: share of its buckets known at minute grain or better. `size_coverage`: of the 24 h that make the
    large-trade thresholds; `large_coverage`: of the 5 minutes whose large trades are summed; `atr_coverage`: complete ones
    among the last 14 candles; `rank_coverage`: remembered ones of the 288 ATRs that make the percentile.
    """

    symbol: str
    evaluation_time_ms: int
    effective_at_ms: int
    place: int
    price: Decimal | None
    windows: tuple[WindowFeatures, WindowFeatures, WindowFeatures]
    large_p95: Decimal | None
    large_p99: Decimal | None
    large_buy_p95: Decimal
    large_sell_p95: Decimal
    large_buy_p99: Decimal
    large_sell_p99: Decimal
    size_coverage: float
    large_coverage: float
    atr: Decimal | None
    atr_percentile: float | None
    atr_coverage: float
    rank_coverage: float
    last_agg_id: int
    trades_late: int
    trades_missing: int

    def coverage(self) -> dict[str, float]:
        """Coverage by the names that factors and strategies use."""
        named: dict[str, float] = {window.window: window.coverage for window in self.windows}
        return named | {
            "sizes": self.size_coverage,
            "large": self.large_coverage,
            "atr": self.atr_coverage,
            "atr_rank": self.rank_coverage,
        }


class Scale(msgspec.Struct, frozen=True):
    """A symbol's name and the decimals of its integers."""

    symbol: str
    price_decimals: int
    quantity_decimals: int


def read_table(table: np.ndarray[Any, Any]) -> list[dict[str, int]]:
    """Evaluation rows as dictionaries of Python integers."""
    return [dict(zip(at.EVALUATION_COLUMNS, row, strict=True)) for row in table.tolist()]


def _decimal(value: int, decimals: int) -> Decimal:
    return Decimal(value).scaleb(-decimals, _EXACT)


def _ratio(numerator: int, denominator: int, decimals: int) -> Decimal:
    """`numerator / denominator / 10**decimals`, rounded half up to EXTRA_DECIMALS more."""
    scaled = (2 * numerator * 10**EXTRA_DECIMALS + denominator) // (2 * denominator)
    return _decimal(scaled, decimals + EXTRA_DECIMALS)


def feature_row(row: dict[str, int], scale: Scale, settings: KernelSettings) -> FeatureRow:
    """The features of one evaluation row (see `read_table`) of a symbol of this scale."""
    price, notional = scale.price_decimals, scale.price_decimals + scale.quantity_decimals
    buckets = settings.window_buckets
    windows = [_window(row, number, scale, count) for number, count in enumerate(buckets, 1)]
    return FeatureRow(
        symbol=scale.symbol,
        evaluation_time_ms=row["evaluation_time_ms"],
        effective_at_ms=row["released_by_ms"],
        place=row["place"],
        price=_decimal(row["price"], price) if row["price"] else None,
        windows=(windows[0], windows[1], windows[2]),
        large_p95=_decimal(row["p95"], notional) if row["sizes"] else None,
        large_p99=_decimal(row["p99"], notional) if row["sizes"] else None,
        large_buy_p95=_decimal(row["large_95"] - row["large_sell_95"], notional),
        large_sell_p95=_decimal(row["large_sell_95"], notional),
        large_buy_p99=_decimal(row["large_99"] - row["large_sell_99"], notional),
        large_sell_p99=_decimal(row["large_sell_99"], notional),
        size_coverage=row["size_known"] / settings.size_buckets,
        large_coverage=row["large_known"] / buckets[0],
        atr=_ratio(row["atr"], 1 << at.ATR_FRACTION_BITS, price) if row["candles"] >= settings.atr_period else None,
        atr_percentile=row["atr_rank"] / row["atr_ranked"] if row["atr_ranked"] else None,
        atr_coverage=row["candles_complete"] / settings.atr_period,
        rank_coverage=row["atr_ranked"] / settings.rank_candles,
        last_agg_id=row["last_id"],
        trades_late=row["late"],
        trades_missing=row["missing"],
    )


def _window(row: dict[str, int], number: int, scale: Scale, buckets: int) -> WindowFeatures:
    quantity, notional = row[f"quantity_{number}"], row[f"notional_{number}"]
    return WindowFeatures(
        window=WINDOW_NAMES[number - 1],
        cvd=_decimal(row[f"signed_{number}"], scale.quantity_decimals),
        volume=_decimal(quantity, scale.quantity_decimals),
        notional=_decimal(notional, scale.price_decimals + scale.quantity_decimals),
        vwap=_ratio(notional, quantity, scale.price_decimals) if quantity else None,
        coverage=row[f"known_{number}"] / buckets,
    )
