"""The exchange's filters: what a price and a quantity must be. The same numbers stand in exchangeInfo."""

from decimal import Decimal

from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.symbols import SymbolRules
from services.exchange_simulator.trading.orders import ZERO, OrderType, Side

MOST_TICKS, MOST_STEPS, MOST_MARKET_STEPS = 10**8, 10**7, 10**6
MIN_NOTIONAL = Decimal(5)
PRICE_BAND = Decimal("0.05")
"""PERCENT_PRICE: how far beyond the mark a limit may lie; also `marketTakeBound`."""
MOST_OPEN_ORDERS = 200
MOST_OPEN_ALGOS = 200


def tick_of(rules: SymbolRules) -> Decimal:
    return Decimal(rules.tick).scaleb(-rules.price_decimals)


def step_of(rules: SymbolRules) -> Decimal:
    return Decimal(rules.step).scaleb(-rules.quantity_decimals)


def check_price(rules: SymbolRules, price: Decimal, name: str = "price") -> None:
    """PRICE_FILTER. Raises -4001, -4002, -4014 or -1111."""
    if price <= 0:
        raise VenueError(-4001 if name == "price" else -4006, f"{name.capitalize()} less than or equal to zero.")
    if price > MOST_TICKS * tick_of(rules):
        raise VenueError(-4002, f"{name.capitalize()} greater than max price.")
    _check_grid(
        price, rules.price_decimals, tick_of(rules), (-4014, f"{name.capitalize()} not increased by tick size.")
    )


def check_quantity(rules: SymbolRules, quantity: Decimal, kind: OrderType) -> None:
    """LOT_SIZE or MARKET_LOT_SIZE. Raises -4003, -4005 or -1111."""
    step = step_of(rules)
    if quantity <= 0 or quantity < step:
        raise VenueError(-4003, "Quantity less than or equal to zero.")
    if quantity > step * (MOST_MARKET_STEPS if kind == "MARKET" else MOST_STEPS):
        raise VenueError(-4005, "Quantity greater than max quantity.")
    _check_grid(quantity, rules.quantity_decimals, step, (-4023, "Qty not increased by step size."))


def _check_grid(value: Decimal, decimals: int, grid: Decimal, refusal: tuple[int, str]) -> None:
    """Trailing zeros are legal; more digits than the symbol has are another error than a value between two ticks."""
    if value % grid:
        if value != round(value, decimals):
            raise VenueError(-1111, "Precision is over the maximum defined for this asset.")
        raise VenueError(*refusal)


def check_notional(price: Decimal, quantity: Decimal) -> None:
    """MIN_NOTIONAL; a market order counts at the mark. Raises -4164."""
    if price * quantity < MIN_NOTIONAL:
        raise VenueError(
            -4164, f"Order's notional must be no smaller than {MIN_NOTIONAL} (unless you choose reduce only)."
        )


def check_band(side: Side, price: Decimal, mark: Decimal) -> None:
    """PERCENT_PRICE. Raises -4016 or -4024."""
    if side == "BUY" and price > mark * (1 + PRICE_BAND):
        raise VenueError(-4016, f"Limit price can't be higher than {mark * (1 + PRICE_BAND):.8f}.")
    if side == "SELL" and price < mark * (1 - PRICE_BAND):
        raise VenueError(-4024, f"Limit price can't be lower than {mark * (1 - PRICE_BAND):.8f}.")


def take_bound(side: Side, mark: Decimal) -> Decimal:
    """The worst price that a market order takes."""
    found = mark * (1 + PRICE_BAND if side == "BUY" else 1 - PRICE_BAND)
    return max(found, ZERO)
