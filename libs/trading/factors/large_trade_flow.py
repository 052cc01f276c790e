"""What the largest trades of the last five minutes did: their net side, above the 24 h P95 and P99 of trade size."""

from decimal import Decimal

from libs.trading.factor import Factor, Omitted, Situation, either

SHARE_OF_P95 = 0.6


def _imbalance(bought: Decimal, sold: Decimal) -> float:
    total = bought + sold
    return float(bought - sold) / float(total) if total else 0.0


def _compute(situation: Situation) -> float | Omitted:
    row = situation.row
    if row.large_p95 is None:
        return Omitted("warm_up", "no trade sizes are known yet")
    at_95 = _imbalance(row.large_buy_p95, row.large_sell_p95)
    at_99 = _imbalance(row.large_buy_p99, row.large_sell_p99)
    return SHARE_OF_P95 * at_95 + (1 - SHARE_OF_P95) * at_99


FACTOR = Factor(
    name="large_trade_flow",
    formula="0.6 * (buy - sell) / (buy + sell) of notional above P95, plus 0.4 * the same above P99; 5 minutes",
    units="share of large notional",
    source="aggregate trades; nearest-rank percentiles of 24 h of trade notional",
    compute=_compute,
    words=either("large trades buying", "large trades selling"),
    # An hour of the 24 makes a usable threshold; the five minutes themselves must be whole.
    needs_coverage={"sizes": 0.04, "large": 0.95},
)
