"""The day's baselines as a fold over what is seen of an account: where its UTC day began, its peak, and what was moved in or out.

The peak is kept without what was moved, so that neither a deposit nor a withdrawal looks like a result. The venue tells both in
one user event, so that whoever folds gives the transfer before the equity that holds it. A new day has new baselines; it says
nothing about a break, which stands in another state.
"""

from decimal import Decimal

import msgspec

from libs.kit.durations import DAY_MS
from libs.trading.risk.inputs import UNKNOWN, Figure

ZERO = Decimal(0)


class Baselines(msgspec.Struct, frozen=True):
    """`day` counts UTC days since 1970; amounts in quote units, times in ms. `opening`: the equity that the day began with.

    `peak`: the day's highest equity less `moved` at that time; `transfers`: the ids that `moved` holds, in order.
    """

    day: int
    opening_ms: int = -1
    opening: Decimal = ZERO
    peak: Decimal = ZERO
    peak_ms: int = -1
    seen_ms: int = -1
    moved: Decimal = ZERO
    transfers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.opening.is_finite() and self.peak.is_finite() and self.moved.is_finite()):
            raise ValueError("baselines must be numbers")


NO_DAY = Baselines(day=-1)
"""Before anything was seen."""


class EquitySeen(msgspec.Struct, frozen=True):
    """The account was worth this: balance plus unrealised."""

    time_ms: int
    equity: Decimal


class MoneyMoved(msgspec.Struct, frozen=True):
    """A deposit or a transfer in (above 0), a withdrawal or a transfer out. `transfer_id` is the venue's."""

    time_ms: int
    transfer_id: str
    amount: Decimal


def fold(before: Baselines, seen: EquitySeen | MoneyMoved) -> Baselines:
    """The baselines after it. What is no number changes nothing, nor does an equity older than the last or a transfer twice."""
    if isinstance(seen, MoneyMoved):
        return _moved(before, seen)
    if not seen.equity.is_finite() or seen.time_ms < before.seen_ms:
        return before
    day = seen.time_ms // DAY_MS
    if day != before.day:
        return Baselines(day, seen.time_ms, seen.equity, seen.equity, seen.time_ms, seen.time_ms)
    result = seen.equity - before.moved
    if result <= before.peak:
        return msgspec.structs.replace(before, seen_ms=seen.time_ms)
    return msgspec.structs.replace(before, seen_ms=seen.time_ms, peak=result, peak_ms=seen.time_ms)


def _moved(before: Baselines, seen: MoneyMoved) -> Baselines:
    """One from before the day's first equity is in that equity, the first time and when the statement tells it again. One that
    comes after an equity which held it already takes itself out of a peak that was seen since; the opening stays a peak."""
    if before.day < 0 or seen.time_ms <= before.opening_ms:
        return before
    if not seen.amount.is_finite() or seen.transfer_id in before.transfers:
        return before
    late = seen.time_ms <= before.peak_ms
    return msgspec.structs.replace(
        before,
        moved=before.moved + seen.amount,
        peak=max(before.opening, before.peak - seen.amount) if late else before.peak,
        transfers=tuple(sorted((*before.transfers, seen.transfer_id))),
    )


def figures(baselines: Baselines, now_ms: int) -> tuple[Figure, Figure]:
    """Peak and moved as `Account` wants them, as old as the last equity; unknown before the first one, and on a day that none
    was seen of."""
    if baselines.day != now_ms // DAY_MS:
        return UNKNOWN, UNKNOWN
    age_ms = now_ms - baselines.seen_ms
    return Figure(baselines.peak, age_ms), Figure(baselines.moved, age_ms)
