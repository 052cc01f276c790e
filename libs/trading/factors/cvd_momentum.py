"""Who pays the spread: net taker volume in the three windows, worth more when they agree."""

from libs.trading.factor import Factor, Omitted, Situation, clipped

# The share of volume, net, that counts as a full vote; longer windows average more away.
FULL_VOTE = (0.30, 0.15, 0.06)


def _votes(situation: Situation) -> list[float]:
    return [
        clipped(float(window.cvd) / float(window.volume) / full) if window.volume else 0.0
        for window, full in zip(situation.row.windows, FULL_VOTE, strict=True)
    ]


def _compute(situation: Situation) -> float | Omitted:
    votes = _votes(situation)
    agreement = abs(sum((vote > 0) - (vote < 0) for vote in votes)) / 3
    return (votes[0] + votes[1] + votes[2]) / 3 * agreement


def _words(situation: Situation, value: float) -> str:
    side = "buying" if value > 0 else "selling"
    agree = all(vote * value > 0 for vote in _votes(situation))
    return f"taker {side} in all three windows" if agree else f"net taker {side}"


FACTOR = Factor(
    name="cvd_momentum",
    formula="mean over 5m, 30m, 4h of clip(CVD / volume / full), times |sum of signs| / 3; full = 0.30, 0.15, 0.06",
    units="share of volume",
    source="cumulative volume delta of aggregate trades (taker side = not buyer-is-maker)",
    compute=_compute,
    words=_words,
    needs_coverage={"5m": 0.95, "30m": 0.95, "4h": 0.9},
)
