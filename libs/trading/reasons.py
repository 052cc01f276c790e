"""The compiled rules' numbers for reasons and levels, in words: one table each, in the order of `machine.layout`."""

from libs.contracts.trading import RiskLevel
from libs.trading.machine import layout as at
from libs.trading.outcome import FillReason, NotTakenReason

FILL_REASONS: dict[int, FillReason] = {
    at.ENTRY: "entry",
    at.TAKE_PROFIT_1: "take_profit_1",
    at.TAKE_PROFIT_2: "take_profit_2",
    at.STOP_LOSS: "stop_loss",
    at.BREAK_EVEN_STOP: "break_even_stop",
    at.HOLD_EXPIRED: "hold_expired",
    at.RISK_GUARD: "risk_guard",
    at.DATA_END: "data_end",
    at.TRAILING_STOP: "trailing_stop",
    at.OPPOSITE_SIGNAL: "opposite_signal",
}
NOT_TAKEN_REASONS: dict[int, NotTakenReason] = {
    at.SYMBOL_LOCKED: "symbol_locked",
    at.MAX_POSITIONS: "max_positions",
    at.DAILY_LOSS_REACHED: "daily_loss",
    at.RISK_STATE: "risk_state",
    at.BELOW_MINIMUM_QUANTITY: "below_minimum_quantity",
    at.BELOW_MINIMUM_NOTIONAL: "below_minimum_notional",
    at.ABOVE_LEVERAGE: "above_leverage",
    at.NO_TRADE_TO_FILL: "no_trade_to_fill",
    at.NO_MORE_DATA: "data_end",
    at.STOP_PASSED: "stop_passed",
    at.NOT_SUPPORTED: "not_supported",
}
RISK_LEVELS: tuple[RiskLevel, ...] = ("normal", "warning", "circuit_break")
_WORDS: dict[NotTakenReason, str] = {
    "symbol_locked": "the symbol had an order or a position already",
    "max_positions": "as many positions were open or ordered as are allowed",
    "daily_loss": "the day's loss had reached its limit",
    "risk_state": "the risk guard had broken the circuit",
    "below_minimum_quantity": "the risk buys less than the least quantity that may be traded",
    "below_minimum_notional": "the position would be smaller than the least notional that may be traded",
    "above_leverage": "the position would be larger than leverage and balance allow",
    "no_trade_to_fill": "there was no trade to fill the entry before the hold was over",
    "data_end": "the data ended before the entry was filled",
    "not_supported": "the venue takes no trailing stop at this distance",
    "stop_passed": "the price was beyond the stop when the entry would have been filled",
}


def not_taken_words(reason: NotTakenReason) -> str:
    """Why a signal was not taken, as a clause."""
    return _WORDS[reason]
