"""American spot demand leads: Coinbase above the venue's price means that somebody pays up for coins, not for leverage."""

from libs.trading.columns import Columns, Values, clipped
from libs.trading.factor import MINUTE_MS, Factor, either

FULL_VOTE_PERCENT = 0.10


def _compute(seen: Columns) -> Values:
    return clipped(seen.value("coinbase_premium") / FULL_VOTE_PERCENT)


FACTOR = Factor(
    name="coinbase_premium",
    formula="clip(premium / 0.10 %)",
    units="percent of the venue's price",
    source="Coinbase ticker against the venue's spot (or perpetual) price",
    compute=_compute,
    words=either("Coinbase at a premium", "Coinbase at a discount"),
    needs_inputs={"coinbase_premium": 5 * MINUTE_MS},
)
