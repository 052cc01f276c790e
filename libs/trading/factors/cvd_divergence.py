"""Takers against price: who buys more than the price has moved is absorbed now, and is often right later."""

from libs.trading.columns import Columns, Values, clipped
from libs.trading.factor import Factor, either

FULL_FLOW = 0.15
FULL_MOVE_ATR = 1.5


def _compute(seen: Columns) -> Values:
    window = seen.window("30m")
    flow = clipped(window.cvd / window.volume / FULL_FLOW)
    move = clipped(seen.atrs_from_vwap("30m") / FULL_MOVE_ATR)
    return clipped(flow - move)


FACTOR = Factor(
    name="cvd_divergence",
    formula="clip(clip(CVD 30m / volume 30m / 0.15) - clip((price - VWAP 30m) / ATR(14) / 1.5))",
    units="difference of two shares of a full vote",
    source="cumulative volume delta and VWAP of aggregate trades; ATR after Wilder (1978)",
    compute=_compute,
    words=either("price lags the buying", "price lags the selling"),
    needs_coverage={"30m": 0.95, "atr": 0.7},
)
