"""What holding costs: a high rate means longs pay to stay, which argues against joining them."""

from libs.trading.columns import Columns, Values, clipped
from libs.trading.factor import MINUTE_MS, Factor, either

NEUTRAL = 0.0001
FULL_VOTE = 0.0004


def _compute(seen: Columns) -> Values:
    return -clipped((seen.value("estimated_funding_rate") - NEUTRAL) / FULL_VOTE)


FACTOR = Factor(
    name="funding_rate",
    formula="-clip((funding rate - 0.01 %) / 0.04 %)",
    units="rate per funding interval",
    source="running funding estimate of the mark price stream; 0.01 % is the venue's interest component",
    compute=_compute,
    words=either("funding below its neutral rate", "funding above its neutral rate"),
    needs_inputs={"estimated_funding_rate": 5 * MINUTE_MS},
)
