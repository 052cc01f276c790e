"""Where price stands to what the last half hour paid, in ATRs: a trend pulls away from its VWAP."""

from libs.trading.factor import Factor, Omitted, Situation, clipped, either

FULL_VOTE_ATR = 1.5


def _compute(situation: Situation) -> float | Omitted:
    row = situation.row
    vwap = row.windows[1].vwap
    if row.price is None or vwap is None or not row.atr:
        return Omitted("warm_up", "there is no VWAP or no ATR yet")
    return clipped(float(row.price - vwap) / float(row.atr) / FULL_VOTE_ATR)


FACTOR = Factor(
    name="vwap_distance",
    formula="clip((price - VWAP 30m) / ATR(14) / 1.5)",
    units="ATR",
    source="VWAP of aggregate trades; ATR after Wilder (1978) on 5-minute candles",
    compute=_compute,
    words=either("price above VWAP", "price below VWAP"),
    needs_coverage={"30m": 0.95, "atr": 0.7},
)
