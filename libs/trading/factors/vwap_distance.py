"""Where price stands to what the last half hour paid, in ATRs: a trend pulls away from its VWAP."""

from libs.trading.columns import Columns, Values, clipped
from libs.trading.factor import Factor, either

FULL_VOTE_ATR = 1.5


def _compute(seen: Columns) -> Values:
    return clipped(seen.atrs_from_vwap("30m") / FULL_VOTE_ATR)


FACTOR = Factor(
    name="vwap_distance",
    formula="clip((price - VWAP 30m) / ATR(14) / 1.5)",
    units="ATR",
    source="VWAP of aggregate trades; ATR after Wilder (1978) on 5-minute candles",
    compute=_compute,
    words=either("price above VWAP", "price below VWAP"),
    needs_coverage={"30m": 0.95, "atr": 0.7},
)
