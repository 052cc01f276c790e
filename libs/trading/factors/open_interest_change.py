"""New money or old: a move with rising open interest opens positions, one with falling open interest only closes them."""

from libs.trading.columns import Columns, Values, clipped, share
from libs.trading.factor import MINUTE_MS, Factor, Situation

FULL_CHANGE_PERCENT = 1.0
FULL_TREND = 0.15


def _compute(seen: Columns) -> Values:
    window = seen.window("30m")
    trend = clipped(share(window.cvd, window.volume) / FULL_TREND)
    value: Values = trend * clipped(seen.value("open_interest_change_percent") / FULL_CHANGE_PERCENT, -0.5)
    return value


def _words(situation: Situation, value: float) -> str:
    if situation.value("open_interest_change_percent") < 0:
        return "open interest falling against the move"
    return f"open interest rising with the {'buying' if value > 0 else 'selling'}"


FACTOR = Factor(
    name="open_interest_change",
    formula="clip(CVD 30m / volume 30m / 0.15) * clip(open interest change in 30 minutes / 1 %, -0.5, 1)",
    units="percent of open interest",
    source="open interest of the venue, 5-minute history",
    compute=_compute,
    words=_words,
    needs_coverage={"30m": 0.95},
    needs_inputs={"open_interest_change_percent": 15 * MINUTE_MS},
)
