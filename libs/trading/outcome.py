"""What became of a signal: the position it opened, each fill, what it cost, and what it made, in quote units and in R.

Paper trading, the backtester and the account's own history all say it with these types, so one report fits all of them.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec

from libs.contracts.signals import Direction
from libs.trading.profit import Profit, Traded, profit_of

FillReason = Literal[
    "entry",
    "take_profit_1",
    "take_profit_2",
    "stop_loss",
    "break_even_stop",
    "hold_expired",
    "risk_guard",
    "data_end",
    "trailing_stop",
    "opposite_signal",
]
"""Why a fill happened. `break_even_stop`: the stop after it was moved to where nothing is lost, `trailing_stop`: once it has
followed the price from there; `data_end`: the data ended before an exit."""
NotTakenReason = Literal[
    "symbol_locked",
    "max_positions",
    "daily_loss",
    "risk_state",
    "below_minimum_quantity",
    "below_minimum_notional",
    "above_leverage",
    "no_trade_to_fill",
    "data_end",
    "stop_passed",
    "not_supported",
]
"""Why an emitted signal opened no position."""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution: venue time (ms), price per base unit with slippage in it, base quantity; fee and slippage in quote units.

    Both are costs (0 or above; a maker rebate is below 0); `slippage` is what the price gave away against the trade it met.
    """

    reason: FillReason
    time_ms: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    slippage: Decimal


def profit_of_fills(direction: Direction, fills: Iterable[Fill], funding: Decimal) -> Profit:
    """What a position on paper has made by these fills, by the rule of live trades. Slippage stands in the fills' prices, so that
    `gross` is what an `Outcome` calls gross less slippage."""
    traded = (Traded(fill.reason == "entry", fill.price, fill.quantity, fill.fee) for fill in fills)
    return profit_of("long" if direction == "long" else "short", traded, funding)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A closed position. Prices in quote per base unit, amounts in quote units, times in ms of venue time.

    `risk` is the initial risk: |entry price - initial stop| * quantity; `net_r` = net / risk. `gross` = what the prices of the
    trades alone would have given (no fee, no slippage, no funding), so net = gross - fees - slippage - funding. `funding` is
    what was paid (below 0: received). `adverse_r` (MAE, 0 or below) and `favourable_r` (MFE, 0 or above) are the worst and best
    unrealised moves of the price against the entry while it was open, over the initial risk per unit.
    """

    signal_id: str
    strategy: str
    version: int
    symbol: str
    direction: Direction
    score: float
    signal_time_ms: int
    signal_price: Decimal
    entry: Fill
    exits: tuple[Fill, ...]
    stop_loss: Decimal
    take_profit_1: Decimal
    take_profit_2: Decimal
    risk: Decimal
    gross: Decimal
    fees: Decimal
    slippage: Decimal
    funding: Decimal
    net: Decimal
    net_r: float
    adverse_r: float
    favourable_r: float

    @property
    def exit_time_ms(self) -> int:
        """When the last part was closed."""
        return self.exits[-1].time_ms

    @property
    def exit_reason(self) -> FillReason:
        """Why the last part was closed."""
        return self.exits[-1].reason

    @property
    def held_ms(self) -> int:
        return self.exit_time_ms - self.entry.time_ms


class NotTaken(msgspec.Struct, frozen=True, kw_only=True):
    """An emitted signal that opened no position, and why in one sentence."""

    signal_id: str
    strategy: str
    symbol: str
    time_ms: int
    reason: NotTakenReason
    why: str
