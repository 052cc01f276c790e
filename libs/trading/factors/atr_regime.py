"""How much to trust momentum at this volatility: less when the market is asleep, less when it is in panic."""

import numpy as np

from libs.trading.columns import Columns, Values
from libs.trading.factor import Factor, Omitted, Situation

QUIET, BUSY, PANIC = 0.20, 0.40, 0.95
LEAST = 0.5


def _compute(seen: Columns) -> Values:
    rank = seen.atr_rank
    waking = LEAST + (1 - LEAST) * (rank - QUIET) / (BUSY - QUIET)
    usual = np.where(rank < BUSY, waking, 1.0)
    value = np.where((rank < QUIET) | (rank > PANIC), LEAST, usual)
    return np.where(np.isnan(rank), np.nan, value)


def _words(situation: Situation, value: float) -> str:
    rank = situation.row.atr_percentile or 0.0
    if value == 1.0:
        return "volatility in its usual range"
    return f"volatility {'unusually high' if rank > PANIC else 'low'} (percentile {rank * 100:.0f})"


FACTOR = Factor(
    name="atr_regime",
    formula="1 for ATR rank in [0.40, 0.95]; 0.5 below 0.20 and above 0.95; linear between 0.20 and 0.40",
    units="multiplier of the votes",
    source="rank of ATR(14) among the last 288 five-minute candles",
    compute=_compute,
    words=_words,
    unknown=Omitted("warm_up", "ATR has no rank yet"),
    role="scale",
    needs_coverage={"atr": 0.7, "atr_rank": 0.25},
)
