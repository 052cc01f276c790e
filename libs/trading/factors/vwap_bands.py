"""Bands around the VWAP of four hours: a trend rides its band, and what is far beyond it comes back."""

from libs.trading.factor import Factor, Omitted, Situation, clipped

BAND_ATR = 2.0


def _distance(situation: Situation) -> float | None:
    row, vwap = situation.row, situation.row.windows[2].vwap
    if row.price is None or vwap is None or not row.atr:
        return None
    return float(row.price - vwap) / float(row.atr)


def _compute(situation: Situation) -> float | Omitted:
    distance = _distance(situation)
    if distance is None:
        return Omitted("warm_up", "there is no VWAP or no ATR yet")
    bands = abs(distance) / BAND_ATR
    vote = bands if bands <= 1 else clipped(2 - bands)
    return vote if distance > 0 else -vote


def _words(situation: Situation, value: float) -> str:
    distance = _distance(situation) or 0.0
    side = "upper" if distance > 0 else "lower"
    return f"price {'rides' if value * distance > 0 else 'overshot'} its {side} VWAP band"


FACTOR = Factor(
    name="vwap_bands",
    formula="sign(d) * (|d| / 2 up to the band of 2 ATR, beyond it clip(2 - |d| / 2)); d = (price - VWAP 4h) / ATR(14)",
    units="ATR",
    source="VWAP of aggregate trades over 4 hours; ATR after Wilder (1978) on 5-minute candles",
    compute=_compute,
    words=_words,
    needs_coverage={"4h": 0.9, "atr": 0.7},
)
