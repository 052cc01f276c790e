"""The columns of the integer tables that the compiled trading rules share, and the units of what stands in them.

Money is in 10**-8 quote units (the precision in which the venue keeps balances). A tape's prices and quantities are in its
own decimals p and q. A *fine* price is in 10**-(8 - q) quote units, so that fine price * quantity is money, exactly.
"""

MONEY_DECIMALS = 8
UNIT = 10**MONEY_DECIMALS
"""One quote unit in money, and 1 in a rate."""
MILLION = 1_000_000
"""1 in the impact coefficient."""
NEVER = 1 << 62
"""A time that does not come, an amount that is not reached."""
LARGEST_NOTIONAL = 1 << 58
"""2.9 billion quote units: a position above it could leave 64 bits when its price rises."""
DAY_MS = 86_400_000
BLOCK = 512
"""Trades a block: what a search may skip at once. 70 minutes of a busy market are a few hundred blocks."""

# What a position is.
FREE, ORDERED, OPEN, CLOSING = range(4)
# What comes next, in the order of what happens in the same millisecond: marks are looked at before all of them. TOUCH: the
# mark price has reached the stop of a position whose stop it triggers.
SETTLEMENT, DECISION, TOUCH, TRADE = range(4)

# Why a fill happened, in the order of `libs.trading.outcome.FillReason`; NOTHING is no fill.
(
    NOTHING,
    ENTRY,
    TAKE_PROFIT_1,
    TAKE_PROFIT_2,
    STOP_LOSS,
    BREAK_EVEN_STOP,
    HOLD_EXPIRED,
    RISK_GUARD,
    DATA_END,
    TRAILING_STOP,
    OPPOSITE_SIGNAL,
) = range(11)
# Why there is no position, in the order of `libs.trading.outcome.NotTakenReason`; ACCEPTED is no refusal.
(
    ACCEPTED,
    SYMBOL_LOCKED,
    MAX_POSITIONS,
    DAILY_LOSS_REACHED,
    RISK_STATE,
    BELOW_MINIMUM_QUANTITY,
    BELOW_MINIMUM_NOTIONAL,
    ABOVE_LEVERAGE,
    NO_TRADE_TO_FILL,
    NO_MORE_DATA,
    STOP_PASSED,
    NOT_SUPPORTED,
) = range(12)
# The risk guard's states, in the order of `libs.contracts.trading.RiskLevel`.
NORMAL, WARNING, CIRCUIT_BREAK = range(3)

# A position: one row per symbol, because an account has one position per symbol at most.
(
    STATE,
    SIGNAL,  # its number among all signals of this run
    SIDE,  # 1 long, -1 short
    QUANTITY,
    FIRST,  # what the first take-profit closes
    LEFT,
    STOP,  # where the stop is now (tape price)
    INITIAL_STOP,
    TARGET_1,
    TARGET_2,
    DUE,  # ORDERED, CLOSING: when the order reaches the venue (ms)
    HOLD_UNTIL,
    CLOSE_DUE,  # OPEN: when a closing order reaches the venue at the latest (ms)
    CLOSE_WHY,
    REDUCED,  # 1 once the first take-profit was reached
    LOW,  # extremes of the tape's price while it is open
    HIGH,
    FUNDING,  # paid so far (money)
    FUNDING_AT,  # which of the symbol's settlements comes next
    CURSOR,  # index of the first trade that was not looked at
    EVENT_MS,
    EVENT_AT,
    EVENT_KIND,
    FILLS,
    FIRST_FILL,
) = range(25)
# A fill, up to three a position: entry, the first take-profit, the rest. Reference and price are fine prices.
FILL_WHY, FILL_MS, FILL_REFERENCE, FILL_PRICE, FILL_QUANTITY, FILL_FEE, FILL_SLIPPAGE, FILL_COLUMNS = range(8)
MOST_FILLS = 3
FILLS_END = FIRST_FILL + MOST_FILLS * FILL_COLUMNS
# More of a position, behind the fills, where a kept state of before can be made longer.
(
    TRIGGERED,  # CLOSING: why the order at the venue that was triggered fills
    BEST,  # the best price since the first take-profit (tape price); by mark, break-even until a step was better
    TRAILING,  # how far behind it the stop follows then, in thousandths of it; 0: it stays
    TAKE_MARKET,  # 1: take-profits are market orders, triggered by a touch
    STRATEGY,  # whose it is (`signal_columns.strategy_number`)
    BY_MARK,  # 1: the mark price triggers its stops, and moves the one that follows; 0: trades do
    MARK_CURSOR,  # index of the first step of mark prices that was not looked at
    POSITION_COLUMNS,
) = range(FILLS_END, FILLS_END + 8)

# An account.
(
    BALANCE,
    DAY,
    REALISED,  # today (money)
    LATCHED,  # 1: today's loss has reached its limit
    LEVEL,
    BREAK_UNTIL,
    TAKEN,  # positions ordered or open
    OPENED,  # positions open
    NEXT_MARK,
    MISSING_MS,
    MISSING_SYMBOL,
    ACCOUNT_COLUMNS,
) = range(12)

# Rules and costs.
RISK, MOST_POSITIONS, DAILY_LOSS, WARNING_LOSS, BREAK_LOSS, COOLDOWN_MS, FLATTEN, MARK_MS, EQUITY_MS, RULE_COLUMNS = (
    range(10)
)
(
    TAKER,
    MAKER,
    SLIPPAGE,
    HALF_SPREAD,
    IMPACT,
    IMPACT_WINDOW_MS,
    LATENCY_MS,
    STOP_LATENCY_MS,
    GAPS,
    FUNDING_ON,
    COST_COLUMNS,
) = range(11)
# A symbol: FINER turns a tape price into a fine one; notional in money; 0 leverage: no cap.
FINER, TICK, STEP, MIN_QUANTITY, MAX_QUANTITY, MIN_NOTIONAL, LEVERAGE, FUNDING_INTERVAL_MS, SYMBOL_COLUMNS = range(9)

# A signal that opened no position, and a point of the equity curve.
REFUSED_SIGNAL, REFUSED_MS, REFUSED_WHY, REFUSED_COLUMNS = range(4)
EQUITY_AT_MS, EQUITY, EQUITY_POSITIONS, EXPOSURE, EQUITY_COLUMNS = range(5)
# How many rows of each output are filled.
CLOSED_ROWS, REFUSED_ROWS, EQUITY_ROWS, COUNT_COLUMNS = range(4)
