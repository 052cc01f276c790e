"""Bands around the VWAP of four hours: a trend rides its band, and what is far beyond it comes back."""

import numpy as np

from libs.trading.columns import Columns, Values, clipped
from libs.trading.factor import Factor, Situation

BAND_ATR = 2.0


def _compute(seen: Columns) -> Values:
    distance = seen.atrs_from_vwap("4h")
    bands = np.abs(distance) / BAND_ATR
    vote = np.where(bands <= 1, bands, clipped(2 - bands))
    return np.where(distance > 0, vote, -vote)


def _words(situation: Situation, value: float) -> str:
    distance = float(situation.columns.atrs_from_vwap("4h")[0])
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
