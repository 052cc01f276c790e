"""The account's rules on one row of integers: the day's loss, the guard's state, and whether an entry is allowed."""

from libs.indicators.kernel.compiler import Whole, entry
from libs.trading.machine import layout as at
from libs.trading.machine.run import Int64


@entry
def roll_day(account: Int64, now_ms: Whole) -> None:
    """A new UTC day begins with no loss and no limit reached."""
    day = now_ms // at.DAY_MS
    if day != account[at.DAY]:
        account[at.DAY] = day
        account[at.REALISED] = 0
        account[at.LATCHED] = 0


@entry
def realise(account: Int64, rules: Int64, now_ms: Whole, amount: Whole) -> None:
    """Money came (above 0) or went. Once the day's loss has reached its limit, later wins of that day do not lift it."""
    roll_day(account, now_ms)
    account[at.BALANCE] += amount
    account[at.REALISED] += amount
    if account[at.REALISED] <= -rules[at.DAILY_LOSS]:
        account[at.LATCHED] = 1


@entry
def guard(account: Int64, rules: Int64, now_ms: Whole, unrealised: Whole) -> None:
    """The guard's look: the level of today's realised plus what is unrealised. A circuit break lasts for its cooldown, and
    begins again where the loss is still there."""
    roll_day(account, now_ms)
    if account[at.LEVEL] == at.CIRCUIT_BREAK and now_ms < account[at.BREAK_UNTIL]:
        return
    result = account[at.REALISED] + unrealised
    if result <= -rules[at.BREAK_LOSS]:
        account[at.LEVEL] = at.CIRCUIT_BREAK
        account[at.BREAK_UNTIL] = now_ms + rules[at.COOLDOWN_MS]
    elif result <= -rules[at.WARNING_LOSS]:
        account[at.LEVEL] = at.WARNING
    else:
        account[at.LEVEL] = at.NORMAL


@entry
def admitted(account: Int64, rules: Int64, now_ms: Whole, locked: bool) -> Whole:
    """ACCEPTED, or why no position may be opened now. `locked`: the symbol has an order or a position already."""
    roll_day(account, now_ms)
    if account[at.LEVEL] == at.CIRCUIT_BREAK:
        return at.RISK_STATE
    if account[at.LATCHED]:
        return at.DAILY_LOSS_REACHED
    if locked:
        return at.SYMBOL_LOCKED
    if account[at.TAKEN] >= rules[at.MOST_POSITIONS]:
        return at.MAX_POSITIONS
    return at.ACCEPTED
