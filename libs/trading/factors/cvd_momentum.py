"""Who pays the spread: net taker volume in the three windows, worth more when they agree."""

import numpy as np

from libs.indicators.features import WINDOW_NAMES
from libs.trading.columns import Columns, Values, clipped, share
from libs.trading.factor import Factor, Situation

# The share of volume, net, that counts as a full vote; longer windows average more away.
FULL_VOTE = (0.30, 0.15, 0.06)


def _votes(seen: Columns) -> list[Values]:
    windows = (seen.window(name) for name in WINDOW_NAMES)
    return [clipped(share(window.cvd, window.volume) / full) for window, full in zip(windows, FULL_VOTE, strict=True)]


def _compute(seen: Columns) -> Values:
    first, second, third = _votes(seen)
    agreement = np.abs(np.sign(first) + np.sign(second) + np.sign(third)) / 3
    value: Values = (first + second + third) / 3 * agreement
    return value


def _words(situation: Situation, value: float) -> str:
    side = "buying" if value > 0 else "selling"
    with np.errstate(invalid="ignore"):
        agree = all(vote[0] * value > 0 for vote in _votes(situation.columns))
    return f"taker {side} in all three windows" if agree else f"net taker {side}"


FACTOR = Factor(
    name="cvd_momentum",
    formula="mean over 5m, 30m, 4h of clip(CVD / volume / full), times |sum of signs| / 3; full = 0.30, 0.15, 0.06",
    units="share of volume",
    source="cumulative volume delta of aggregate trades (taker side = not buyer-is-maker)",
    compute=_compute,
    words=_words,
    needs_coverage={"5m": 0.95, "30m": 0.95, "4h": 0.9},
)
