"""The perpetual against its index: a rich perpetual is leveraged demand that has to be unwound."""

from libs.trading.factor import MINUTE_MS, Factor, Omitted, Situation, clipped, either

FULL_VOTE = 0.001


def _compute(situation: Situation) -> float | Omitted:
    index = situation.value("index_price")
    if index <= 0:
        return Omitted("stale_input", "the index price was not a price")
    return -clipped((situation.value("mark_price") - index) / index / FULL_VOTE)


FACTOR = Factor(
    name="basis",
    formula="-clip((mark - index) / index / 0.1 %)",
    units="share of the index price",
    source="mark and index price of the venue's mark price stream",
    compute=_compute,
    words=either("perpetual below its index", "perpetual above its index"),
    needs_inputs={"mark_price": MINUTE_MS, "index_price": MINUTE_MS},
)
