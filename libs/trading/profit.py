"""What fills have made: one rule of profit for paper and live, from prices, fees and funding alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Direction = Literal["long", "short"]
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Traded:
    """A fill of a position: into it or out of it. Price in quote units per base unit, quantity in base units, `fee` in quote
    units (a rebate is below 0)."""

    is_entry: bool
    price: Decimal
    quantity: Decimal
    fee: Decimal


@dataclass(frozen=True, slots=True)
class Profit:
    """Amounts in quote units: net = gross - fees - funding. Averages are None before the first fill of their side; `entered`
    and `left` in base units, `left` below 0 where more was sold than bought."""

    gross: Decimal
    fees: Decimal
    funding: Decimal
    net: Decimal
    entered: Decimal
    left: Decimal
    entry_average: Decimal | None
    exit_average: Decimal | None


def profit_of(direction: Direction, fills: Iterable[Traded], funding: Decimal) -> Profit:
    """What the fills have made so far. `funding`: what was paid, below 0 what was received.

    Exits are counted against the entry's average, all fees at once; what is still open has no gross. Once all is out, gross is
    exactly what was sold less what was bought.
    """
    sums = {True: [ZERO, ZERO], False: [ZERO, ZERO]}
    fees = ZERO
    for fill in fills:
        sums[fill.is_entry][0] += fill.quantity
        sums[fill.is_entry][1] += fill.price * fill.quantity
        fees += fill.fee
    (entered, paid), (sold, received) = sums[True], sums[False]
    cost = paid if sold == entered else paid * sold / entered if entered else received
    gross = received - cost if direction == "long" else cost - received
    return Profit(
        gross=gross,
        fees=fees,
        funding=funding,
        net=gross - fees - funding,
        entered=entered,
        left=entered - sold,
        entry_average=paid / entered if entered else None,
        exit_average=received / sold if sold else None,
    )
