"""How much to trade: the quantity whose loss between price and stop is the risk, within the venue's filters."""

from dataclasses import dataclass
from decimal import Decimal

from libs.trading.filter_rows import symbol_row
from libs.trading.filters import SymbolFilters, scale_of
from libs.trading.machine import layout as at
from libs.trading.machine.sizing import sized
from libs.trading.outcome import NotTakenReason
from libs.trading.reasons import NOT_TAKEN_REASONS, not_taken_words


@dataclass(frozen=True, slots=True)
class Sized:
    """An accepted quantity (base units, on a step)."""

    quantity: Decimal


@dataclass(frozen=True, slots=True)
class NotSized:
    """Why there is no quantity."""

    reason: NotTakenReason
    why: str


@dataclass(frozen=True, slots=True)
class Stake:
    """What is at stake, in quote units: the loss at the stop, and the balance that a leverage cap looks at."""

    risk: Decimal
    balance: Decimal


def position_size(stake: Stake, price: Decimal, stop: Decimal, filters: SymbolFilters) -> Sized | NotSized:
    """quantity = risk / |price - stop|, down to a step, at most the largest market order; or why not.

    Prices in quote units; they are taken on their ticks. `price` is what is known when the order is sent. Costs are no part of
    the risk: R is what the prices alone lose at the stop. Raises `ValueError` for filters that are finer than money.
    """
    price_decimals, quantity_decimals = scale_of(filters)
    row = symbol_row(filters.symbol, (price_decimals, quantity_decimals), filters)
    prices = [int(filters.price_on_tick(value).scaleb(price_decimals)) for value in (price, stop)]
    quantity, code = sized(row, money(stake.risk), money(stake.balance), *prices)
    if code != at.ACCEPTED:
        reason = NOT_TAKEN_REASONS[code]
        return NotSized(reason, not_taken_words(reason))
    return Sized(Decimal(quantity).scaleb(-quantity_decimals))


def money(amount: Decimal) -> int:
    """Quote units as whole money (10**-8), rounded to the nearest. Raises `ValueError` beyond what 62 bits hold."""
    whole = int(amount.scaleb(at.MONEY_DECIMALS).to_integral_value())
    if abs(whole) >= at.NEVER:
        raise ValueError(f"{amount} quote units are more than an account can hold here")
    return whole
