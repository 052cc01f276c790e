"""What the venue accepts of a symbol: ticks, steps, least and largest amounts, and how to round to them."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from libs.trading.machine import layout as at

DEFAULT_FUNDING_INTERVAL_MS = 8 * 3_600_000
ASSUMED_MIN_NOTIONAL = Decimal(5)
"""Quote units; the exchange's usual minimum of USDT contracts."""
# Money in 64 bits: price and quantity decimals together may not be finer than it.
MOST_SCALE = at.MONEY_DECIMALS


@dataclass(frozen=True, slots=True)
class SymbolFilters:
    """The filters of one symbol; prices in quote units, quantities in base units, for market orders.

    `max_leverage`: a position's notional may be at most so many times the account's balance; None: no cap. Raises
    `ValueError` for a tick or step that is not above 0, or a cap below 1.
    """

    symbol: str
    tick: Decimal
    quantity_step: Decimal
    min_quantity: Decimal = Decimal(0)
    max_quantity: Decimal | None = None
    min_notional: Decimal = Decimal(0)
    max_leverage: int | None = None

    def __post_init__(self) -> None:
        if self.tick <= 0 or self.quantity_step <= 0:
            raise ValueError(f"{self.symbol}: tick and quantity step must be above 0")
        if self.max_leverage is not None and self.max_leverage < 1:
            raise ValueError(f"{self.symbol}: a leverage cap is 1 or more")

    def price_on_tick(self, price: Decimal) -> Decimal:
        """The nearest price that an order may name (halves to the even tick)."""
        return (price / self.tick).to_integral_value(ROUND_HALF_EVEN) * self.tick

    def quantity_on_step(self, quantity: Decimal) -> Decimal:
        """The largest quantity up to this one that an order may name: never more than was meant."""
        return (quantity / self.quantity_step).to_integral_value(ROUND_DOWN) * self.quantity_step


def assumed_filters(symbol: str, scale: tuple[int, int]) -> SymbolFilters:
    """The filters of a symbol whose own are not known: tick and step of the trades' price and quantity decimals."""
    step = Decimal(1).scaleb(-scale[1])
    return SymbolFilters(
        symbol=symbol,
        tick=Decimal(1).scaleb(-scale[0]),
        quantity_step=step,
        min_quantity=step,
        min_notional=ASSUMED_MIN_NOTIONAL,
    )


def scale_of(filters: SymbolFilters) -> tuple[int, int]:
    """The decimals of prices and quantities that the filters imply."""
    return _decimals(filters.tick), _decimals(filters.quantity_step)


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
