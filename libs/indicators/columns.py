"""Features as columns of floats, one row for each evaluation: what factors calculate with.

A float here is the one nearest to the decimal of `features.feature_row`, so that one row by itself and a year of rows agree in
every bit. VWAP alone is the quotient of such floats, and not of the decimal that has been rounded for events.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.indicators import layout as at
from libs.indicators.features import EXTRA_DECIMALS, WINDOW_NAMES, FeatureRow, Scale
from libs.indicators.settings import KernelSettings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LARGE = ("large_buy_p95", "large_sell_p95", "large_buy_p99", "large_sell_p99")
COVERAGE_NAMES = (*WINDOW_NAMES, "sizes", "large", "atr", "atr_rank")
FEATURES: Mapping[str, int] = {
    name: place
    for place, name in enumerate(
        (
            *("price", "atr", "atr_rank", "large_p95", "large_p99", *LARGE),
            *(f"{part}_{window}" for window in WINDOW_NAMES for part in ("cvd", "volume", "notional", "vwap")),
            *(f"coverage_{name}" for name in COVERAGE_NAMES),
        )
    )
}
"""Which row of the table a feature is. Units as in `FeatureRow`; NaN where it is unknown (an ATR of 0 too)."""
SEVERAL = -1
# Greater integers, and greater powers of ten, are no floats themselves.
_EXACT_BELOW, _EXACT_POWER = 1 << 53, 22
_FRACTION = (1 << at.ATR_FRACTION_BITS) - 1


class FeatureColumns(NamedTuple):
    """`values[FEATURES[name]]` by evaluation, and its `time_ms`; the price in ticks of 10**-price_decimals quote units, the ATR
    in 10**-EXTRA_DECIMALS ticks (0: unknown, the ATR also where there is no price). SEVERAL: each row has its own ticks."""

    time_ms: Integers
    values: Floats
    price_ticks: Integers
    atr_ticks: Integers
    price_decimals: int


def columns_of_table(table: NDArray[Any], scale: Scale, settings: KernelSettings) -> FeatureColumns:
    """The kernel's evaluation rows (`layout.EVALUATION`) of one symbol, all of the same scale."""
    price, quantity = scale.price_decimals, scale.quantity_decimals
    money, buckets = price + quantity, settings.window_buckets
    values = np.empty((len(FEATURES), len(table)), np.float64)

    def put(name: str, column: Floats) -> None:
        values[FEATURES[name]] = column

    atr_ticks = np.where(table["candles"] >= settings.atr_period, _atr_ticks(table["atr"]), 0)
    put("price", _known(table["price"] > 0, _exact(table["price"], price)))
    put("atr", _known(atr_ticks > 0, _exact(atr_ticks, price + EXTRA_DECIMALS)))
    put("atr_rank", _share(table["atr_rank"], table["atr_ranked"]))
    for level in ("95", "99"):
        whole, sold = table[f"large_{level}"], table[f"large_sell_{level}"]
        put(f"large_p{level}", _known(table["sizes"] > 0, _exact(table[f"p{level}"], money)))
        put(f"large_buy_p{level}", _exact(whole - sold, money))
        put(f"large_sell_p{level}", _exact(sold, money))
    for number, (window, count) in enumerate(zip(WINDOW_NAMES, buckets, strict=True), 1):
        volume, notional = _exact(table[f"quantity_{number}"], quantity), _exact(table[f"notional_{number}"], money)
        put(f"cvd_{window}", _exact(table[f"signed_{number}"], quantity))
        put(f"volume_{window}", volume)
        put(f"notional_{window}", notional)
        put(f"vwap_{window}", _share(notional, volume))
        put(f"coverage_{window}", table[f"known_{number}"] / count)
    put("coverage_sizes", table["size_known"] / settings.size_buckets)
    put("coverage_large", table["large_known"] / buckets[0])
    put("coverage_atr", table["candles_complete"] / settings.atr_period)
    put("coverage_atr_rank", table["atr_ranked"] / settings.rank_candles)
    priced = np.where(table["price"] > 0, atr_ticks, 0)
    return FeatureColumns(table["evaluation_time_ms"].copy(), values, table["price"].copy(), priced, price)


def columns_of_rows(rows: Sequence[FeatureRow]) -> FeatureColumns:
    """Evaluations of one symbol or several. Raises `ValueError` for an ATR with more decimals than it can have."""
    places = [0 if row.price is None else _decimals(row.price) for row in rows]
    known = {place for place, row in zip(places, rows, strict=True) if row.price is not None} or {0}
    return FeatureColumns(
        np.array([row.evaluation_time_ms for row in rows], np.int64),
        np.array([_floats(row) for row in rows], np.float64).reshape(len(rows), len(FEATURES)).T,
        np.array([_whole(row.price, place) for row, place in zip(rows, places, strict=True)], np.int64),
        np.array(
            [
                0 if row.price is None else _whole(row.atr, place + EXTRA_DECIMALS)
                for row, place in zip(rows, places, strict=True)
            ],
            np.int64,
        ),
        next(iter(known)) if len(known) == 1 else SEVERAL,
    )


def _floats(row: FeatureRow) -> list[float]:
    """In the order of `FEATURES`."""
    found = [
        _float(row.price),
        _float(row.atr or None),
        float("nan") if row.atr_percentile is None else row.atr_percentile,
        _float(row.large_p95),
        _float(row.large_p99),
        *(float(getattr(row, name)) for name in LARGE),
    ]
    for window in row.windows:
        volume, notional = float(window.volume), float(window.notional)
        found += [float(window.cvd), volume, notional, notional / volume if volume else float("nan")]
    coverage = row.coverage()
    return [*found, *(coverage[name] for name in COVERAGE_NAMES)]


def _float(value: Decimal | None) -> float:
    return float("nan") if value is None else float(value)


def _decimals(price: Decimal) -> int:
    exponent = price.as_tuple().exponent
    assert isinstance(exponent, int), "a price is finite"
    return -exponent


def _whole(value: Decimal | None, decimals: int) -> int:
    scaled = (value or Decimal(0)).scaleb(decimals)
    if scaled != int(scaled):
        raise ValueError(f"{value} is finer than {decimals} decimals")
    return int(scaled)


def _exact(integers: Integers, decimals: int) -> Floats:
    """The floats nearest to integers / 10**decimals: one rounding each, also where one of the two is no float itself."""
    found: Floats = integers / 10.0**decimals
    below = _EXACT_BELOW if decimals <= _EXACT_POWER else 0
    wide = np.flatnonzero(np.abs(integers) > below)
    for place in wide.tolist():
        found[place] = float(Decimal(int(integers[place])).scaleb(-decimals))
    return found


def _known(known: NDArray[np.bool_], values: Floats) -> Floats:
    return np.where(known, values, np.nan)


def _share(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """part / whole, NaN where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return _known(whole != 0, part / whole)


def _atr_ticks(atr: Integers) -> Integers:
    """From 2**-ATR_FRACTION_BITS ticks, rounded half up to EXTRA_DECIMALS, without leaving 64 bits on the way."""
    fraction = (2 * (atr & _FRACTION) * 10**EXTRA_DECIMALS + _FRACTION + 1) // (2 * (_FRACTION + 1))
    found: Integers = (atr >> at.ATR_FRACTION_BITS) * 10**EXTRA_DECIMALS + fraction
    return found
