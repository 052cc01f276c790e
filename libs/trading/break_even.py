"""Where the second stop stands once the first target was reached: the same for a tape, on paper and live."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Direction = Literal["long", "short"]


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What going in and out costs, as shares of the notional; a rebate is below 0. A stop goes out as taker."""

    entry_fee: Decimal
    exit_fee: Decimal


def break_even_price(
    direction: Direction, entry_average: Decimal, costs: RoundTrip, tick: Decimal, take_profit_1: Decimal
) -> Decimal:
    """The first tick at which an exit pays for its own fee and the entry's: no loss by prices, fees, or rounding.

    That is the price p with p x (1 - exit fee) = entry x (1 + entry fee) for a long position, p x (1 + exit fee) = entry x
    (1 - entry fee) for a short one. It stays a tick on the losing side of the first target, which was reached: a stop beyond
    the market would be refused (-2021) or sell at once. All prices in quote units per base unit, above 0.
    """
    sign = 1 if direction == "long" else -1
    quotient, rest = divmod(entry_average * (1 + sign * costs.entry_fee), (1 - sign * costs.exit_fee) * tick)
    level = (quotient + (1 if sign > 0 and rest > 0 else 0)) * tick
    nearest = take_profit_1 - sign * tick
    return min(level, nearest) if sign > 0 else max(level, nearest)
