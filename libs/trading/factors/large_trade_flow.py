"""What the largest trades of the last five minutes did: their net side, above the 24 h P95 and P99 of trade size."""

import numpy as np

from libs.trading.columns import Columns, Values, share
from libs.trading.factor import Factor, Omitted, either

SHARE_OF_P95 = 0.6


def _imbalance(seen: Columns, level: str) -> Values:
    bought, sold = seen.feature(f"large_buy_{level}"), seen.feature(f"large_sell_{level}")
    return share(bought - sold, bought + sold)


def _compute(seen: Columns) -> Values:
    value = SHARE_OF_P95 * _imbalance(seen, "p95") + (1 - SHARE_OF_P95) * _imbalance(seen, "p99")
    return np.where(np.isnan(seen.feature("large_p95")), np.nan, value)


FACTOR = Factor(
    name="large_trade_flow",
    formula="0.6 * (buy - sell) / (buy + sell) of notional above P95, plus 0.4 * the same above P99; 5 minutes",
    units="share of large notional",
    source="aggregate trades; nearest-rank percentiles of 24 h of trade notional",
    compute=_compute,
    words=either("large trades buying", "large trades selling"),
    unknown=Omitted("warm_up", "no trade sizes are known yet"),
    # An hour of the 24 makes a usable threshold; the five minutes themselves must be whole.
    needs_coverage={"sizes": 0.04, "large": 0.95},
)
