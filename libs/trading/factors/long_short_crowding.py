"""Against the crowd: when most accounts are long, fewer are left to buy."""

import numpy as np

from libs.trading.columns import Columns, Values, clipped
from libs.trading.factor import MINUTE_MS, Factor, Omitted, either

FULL_VOTE_SHARE = 0.25


def _compute(seen: Columns) -> Values:
    ratio = seen.value("global_long_short_account_ratio")
    return np.where(ratio >= 0, -clipped((ratio / (1 + ratio) - 0.5) / FULL_VOTE_SHARE), np.nan)


FACTOR = Factor(
    name="long_short_crowding",
    formula="-clip((share of long accounts - 0.5) / 0.25)",
    units="share of accounts",
    source="global long/short account ratio of the venue, 5-minute periods",
    compute=_compute,
    words=either("the crowd is short", "the crowd is long"),
    unknown=Omitted("stale_input", "the long/short ratio was not a ratio"),
    needs_inputs={"global_long_short_account_ratio": 15 * MINUTE_MS},
)
