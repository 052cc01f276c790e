"""Our books against the venue's income statement, to the cent: per day, kind and asset, and which lines make the difference."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

CENT = Decimal("0.01")
HALF_A_CENT = CENT / 2
_DUST = Decimal("0.00000001")
ZERO = Decimal(0)
BOOKED_KINDS = frozenset(("REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "INSURANCE_CLEAR", "GROSS"))
"""What trading makes, and therefore has to be in our books. GROSS is no line of the venue's: it compares what our rule of profit
makes of a closed trade with what the venue realised."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What the statement says of one fill, trade or line, and what our books say, in units of `asset`; None: nothing.

    `value`: what the booked amount is worth in quote units, None where it is in quote units itself or nobody has valued it.
    `reference`: the venue's trade id, our trade's, or the line's transaction id.
    """

    at: dt.datetime
    kind: str
    symbol: str
    asset: str
    reference: str
    trade_id: str | None
    stated: Decimal | None
    booked: Decimal | None
    value: Decimal | None = None

    @property
    def difference(self) -> Decimal:
        """Booked less stated."""
        return (self.booked or ZERO) - (self.stated or ZERO)


@dataclass(frozen=True, slots=True)
class StatementDay:
    """A UTC day's sums of one kind in one asset. `agrees` None: such lines are no trading (transfers ...): nobody books them."""

    day: dt.date
    kind: str
    asset: str
    stated: Decimal
    booked: Decimal
    agrees: bool | None
    differing: tuple[Booked, ...]


def compare(pairs: Iterable[Booked]) -> list[StatementDay]:
    """Sums by day, kind and asset. A day agrees when neither its sum nor any of its pairs differs by half a cent or more.

    An asset that is no quote unit is judged by what the books valued it at on that day; unvalued, to its eighth decimal.
    """
    groups: dict[tuple[dt.date, str, str], list[Booked]] = {}
    for pair in pairs:
        groups.setdefault((pair.at.astimezone(dt.UTC).date(), pair.kind, pair.asset), []).append(pair)
    return [_day(key, groups[key]) for key in sorted(groups)]


def _day(key: tuple[dt.date, str, str], pairs: Sequence[Booked]) -> StatementDay:
    day, kind, asset = key
    stated = sum((pair.stated or ZERO for pair in pairs), ZERO)
    booked = sum((pair.booked or ZERO for pair in pairs), ZERO)
    if kind not in BOOKED_KINDS:
        return StatementDay(day, kind, asset, stated, booked, None, ())
    least = _least(pairs)
    differing = tuple(pair for pair in pairs if abs(pair.difference) >= least)
    return StatementDay(day, kind, asset, stated, booked, not differing and abs(booked - stated) < least, differing)


def _least(pairs: Sequence[Booked]) -> Decimal:
    """The smallest difference that counts, in units of the asset."""
    if pairs[0].kind != "COMMISSION":
        return HALF_A_CENT
    valued = [pair for pair in pairs if pair.value is not None and pair.booked]
    amount = sum((pair.booked or ZERO for pair in valued), ZERO)
    worth = sum((pair.value or ZERO for pair in valued), ZERO)
    return HALF_A_CENT * amount / worth if amount * worth > 0 else _DUST
