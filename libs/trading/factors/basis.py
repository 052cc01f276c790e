"""The perpetual against its index: a rich perpetual is leveraged demand that has to be unwound."""

import numpy as np

from libs.trading.columns import Columns, Values, clipped
from libs.trading.factor import MINUTE_MS, Factor, Omitted, either

FULL_VOTE = 0.001


def _compute(seen: Columns) -> Values:
    index = seen.value("index_price")
    return np.where(index > 0, -clipped((seen.value("mark_price") - index) / index / FULL_VOTE), np.nan)


FACTOR = Factor(
    name="basis",
    formula="-clip((mark - index) / index / 0.1 %)",
    units="share of the index price",
    source="mark and index price of the venue's mark price stream",
    compute=_compute,
    words=either("perpetual below its index", "perpetual above its index"),
    unknown=Omitted("stale_input", "the index price was not a price"),
    needs_inputs={"mark_price": MINUTE_MS, "index_price": MINUTE_MS},
)
