"""Forced orders push price: liquidated shorts buy, liquidated longs sell. Sums are lower bounds, because the venue samples."""

from libs.trading.columns import Columns, Values, clipped, share
from libs.trading.factor import MINUTE_MS, Factor, either

FULL_VOTE_SHARE = 0.005


def _compute(seen: Columns) -> Values:
    longs, shorts = seen.value("long_liquidations"), seen.value("short_liquidations")
    return clipped(share(shorts - longs, seen.window("5m").notional) / FULL_VOTE_SHARE)


FACTOR = Factor(
    name="liquidation_pressure",
    formula="clip((short liquidations - long liquidations) / notional traded / 0.005), all of 5 minutes",
    units="share of notional",
    source="forced orders of the venue (at most the largest per symbol and second)",
    compute=_compute,
    words=either("shorts being liquidated", "longs being liquidated"),
    needs_coverage={"5m": 0.95},
    needs_inputs={"long_liquidations": MINUTE_MS, "short_liquidations": MINUTE_MS},
)
