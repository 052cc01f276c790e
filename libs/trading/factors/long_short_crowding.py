"""Against the crowd: when most accounts are long, fewer are left to buy."""

from libs.trading.factor import MINUTE_MS, Factor, Omitted, Situation, clipped, either

FULL_VOTE_SHARE = 0.25


def _compute(situation: Situation) -> float | Omitted:
    ratio = situation.value("global_long_short_account_ratio")
    if ratio < 0:
        return Omitted("stale_input", "the long/short ratio was not a ratio")
    return -clipped((ratio / (1 + ratio) - 0.5) / FULL_VOTE_SHARE)


FACTOR = Factor(
    name="long_short_crowding",
    formula="-clip((share of long accounts - 0.5) / 0.25)",
    units="share of accounts",
    source="global long/short account ratio of the venue, 5-minute periods",
    compute=_compute,
    words=either("the crowd is short", "the crowd is long"),
    needs_inputs={"global_long_short_account_ratio": 15 * MINUTE_MS},
)
