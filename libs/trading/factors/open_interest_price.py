"""Open interest against price: a move that opens positions has somebody behind it, one that closes them runs out."""

from libs.trading.columns import Columns, Values, clipped
from libs.trading.factor import MINUTE_MS, Factor, Situation

FULL_CHANGE_PERCENT = 1.0
FULL_MOVE_ATR = 1.5


def _compute(seen: Columns) -> Values:
    move = clipped(seen.atrs_from_vwap("30m") / FULL_MOVE_ATR)
    value: Values = move * clipped(seen.value("open_interest_change_percent") / FULL_CHANGE_PERCENT, -0.5)
    return value


def _words(situation: Situation, value: float) -> str:
    rising = situation.value("open_interest_change_percent") > 0
    return f"price {'up' if (value > 0) == rising else 'down'} on {'rising' if rising else 'falling'} open interest"


FACTOR = Factor(
    name="open_interest_price",
    formula="clip((price - VWAP 30m) / ATR(14) / 1.5) * clip(open interest change in 30 minutes / 1 %, -0.5, 1)",
    units="share of a full vote",
    source="open interest of the venue, 5-minute history; VWAP of aggregate trades; ATR after Wilder (1978)",
    compute=_compute,
    words=_words,
    needs_coverage={"30m": 0.95, "atr": 0.7},
    needs_inputs={"open_interest_change_percent": 15 * MINUTE_MS},
)
