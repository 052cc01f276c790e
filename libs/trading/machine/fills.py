"""What a fill does to position and account: entry, partial and final exit, funding, and the end of a position."""

from libs.indicators.kernel.compiler import Whole, compiled
from libs.trading.machine import layout as at
from libs.trading.machine.charges import share_of, slippage
from libs.trading.machine.lifecycle import amount_of, break_even_price, follow, follow_trade, reach_first_target
from libs.trading.machine.risk import realise
from libs.trading.machine.run import Int64, Run
from libs.trading.machine.search import extent, lower_bound

# A settlement that the venue stamps within this time counts for its hour.
SETTLEMENT_TOLERANCE_MS = 60_000


@compiled
def refuse(run: Run, number: Whole, ms: Whole, why: Whole) -> None:
    """Write down a signal that opens no position."""
    counts = run.output.counts
    row = run.output.refused[counts[at.REFUSED_ROWS]]
    counts[at.REFUSED_ROWS] += 1
    row[at.REFUSED_SIGNAL], row[at.REFUSED_MS], row[at.REFUSED_WHY] = number, ms, why


@compiled
def forget(run: Run, symbol: Whole) -> None:
    """The symbol is free again; its cursor stays where it is."""
    position = run.book.positions[symbol]
    cursor = position[at.CURSOR]
    position[:] = 0
    position[at.CURSOR] = cursor
    position[at.EVENT_MS] = at.NEVER
    run.book.account[at.TAKEN] -= 1


@compiled
def see(run: Run, symbol: Whole, until: Whole) -> None:
    """Take the extremes of the trades that were not looked at yet, up to but without `until`."""
    position = run.book.positions[symbol]
    begin = position[at.CURSOR]
    if begin < until:
        low, high, _ = extent(run.market, begin, until)
        position[at.LOW] = min(position[at.LOW], low)
        position[at.HIGH] = max(position[at.HIGH], high)
        follow_trade(position, high if position[at.SIDE] > 0 else low)
        position[at.CURSOR] = until


@compiled
def see_marks(run: Run, symbol: Whole, until: Whole) -> None:
    """Let a stop that follows the mark price take the steps that were not looked at yet, up to but without `until`."""
    position, market = run.book.positions[symbol], run.market
    if position[at.BY_MARK] == 0:
        return
    side = position[at.SIDE]
    for step in range(position[at.MARK_CURSOR], until):
        follow(position, market.mark_price_high[step] if side > 0 else market.mark_price_low[step])
    position[at.MARK_CURSOR] = max(position[at.MARK_CURSOR], until)


@compiled
def marks_until(run: Run, symbol: Whole, ms: Whole) -> Whole:
    """The first step of the symbol's mark prices that is known at or after `ms`."""
    starts = run.market.mark_price_starts
    return lower_bound(run.market.mark_price_ms, starts[symbol], starts[symbol + 1], ms)


@compiled
def see_price(position: Int64, price: Whole) -> None:
    """One more price that the position lived through."""
    position[at.LOW] = min(position[at.LOW], price)
    position[at.HIGH] = max(position[at.HIGH], price)


@compiled
def add_fill(position: Int64, why: Whole, ms: Whole) -> Whole:
    """Begin the next fill; returns the column at which it stands."""
    column = at.FIRST_FILL + position[at.FILLS] * at.FILL_COLUMNS
    position[at.FILLS] += 1
    position[column + at.FILL_WHY] = why
    position[column + at.FILL_MS] = ms
    return column


@compiled
def enter(run: Run, symbol: Whole, trade: Whole) -> None:
    """The entry's market order meets this trade: the position is open, unless it came too late."""
    position, terms = run.book.positions[symbol], run.terms
    ms, price = run.market.time_ms[trade], run.market.price[trade]
    position[at.CURSOR] = trade + 1
    late = ms >= position[at.HOLD_UNTIL]
    if late or position[at.SIDE] * (price - position[at.STOP]) <= 0:
        refuse(run, position[at.SIGNAL], ms, at.NO_TRADE_TO_FILL if late else at.STOP_PASSED)
        forget(run, symbol)
        return
    quantity = position[at.QUANTITY]
    given = slippage(run.market, terms, symbol, trade, quantity)
    column = add_fill(position, at.ENTRY, ms)
    reference = price * terms.symbols[symbol, at.FINER]
    position[column + at.FILL_REFERENCE] = reference
    position[column + at.FILL_PRICE] = reference + position[at.SIDE] * given
    position[column + at.FILL_QUANTITY] = quantity
    fee = share_of(position[column + at.FILL_PRICE] * quantity, terms.costs[at.TAKER])
    position[column + at.FILL_FEE] = fee
    position[column + at.FILL_SLIPPAGE] = given * quantity
    position[at.STATE] = at.OPEN
    position[at.LEFT] = quantity
    position[at.LOW] = position[at.HIGH] = price
    position[at.MARK_CURSOR] = marks_until(run, symbol, ms + 1)
    starts = run.market.funding_starts
    # Whoever enters in the millisecond of a settlement was not there before it.
    coming = lower_bound(run.market.funding_ms, starts[symbol], starts[symbol + 1], ms + 1)
    position[at.FUNDING_AT] = coming - starts[symbol]
    run.book.account[at.OPENED] += 1
    realise(run.book.account, terms.rules, ms, -fee)


@compiled
def takes_profit(why: Whole) -> bool:
    """Whether a take-profit fills."""
    return bool(why == at.TAKE_PROFIT_1 or why == at.TAKE_PROFIT_2)


@compiled
def stops(why: Whole) -> bool:
    """Whether a stop does."""
    return bool(why == at.STOP_LOSS or why == at.BREAK_EVEN_STOP or why == at.TRAILING_STOP)


@compiled
def price_of_exit(run: Run, symbol: Whole, trade: Whole, why: Whole) -> tuple[Whole, Whole]:
    """The tape price that an exit is measured by, and what is given away per unit (fine; 0 for a resting order)."""
    position, costs = run.book.positions[symbol], run.terms.costs
    level = position[at.STOP]
    if takes_profit(why):
        level = position[at.TARGET_1 if why == at.TAKE_PROFIT_1 else at.TARGET_2]
        if position[at.TAKE_MARKET] == 0:
            return level, 0
    price = run.market.price[trade]
    # The level of a stop that the mark price triggers is no price of the tape's market.
    at_level = takes_profit(why) or (stops(why) and position[at.BY_MARK] == 0)
    if costs[at.GAPS] == 0 and at_level:
        price = level
    return price, slippage(run.market, run.terms, symbol, trade, amount_of(position, why))


@compiled
def leave(run: Run, symbol: Whole, trade: Whole, ms: Whole, why: Whole) -> None:
    """Fill an exit: write it down, move money, and move on: to break-even after the first target, or to the end."""
    position, terms, account = run.book.positions[symbol], run.terms, run.book.account
    finer = terms.symbols[symbol, at.FINER]
    quantity = amount_of(position, why)
    price, given = price_of_exit(run, symbol, trade, why)
    see_price(position, price)
    if quantity > 0:
        column = add_fill(position, why, ms)
        filled = price * finer - position[at.SIDE] * given
        rests = takes_profit(why) and position[at.TAKE_MARKET] == 0
        rate = terms.costs[at.MAKER] if rests else terms.costs[at.TAKER]
        fee = share_of(filled * quantity, rate)
        position[column + at.FILL_REFERENCE] = price * finer
        position[column + at.FILL_PRICE] = filled
        position[column + at.FILL_QUANTITY] = quantity
        position[column + at.FILL_FEE] = fee
        position[column + at.FILL_SLIPPAGE] = given * quantity
        position[at.LEFT] -= quantity
        made = position[at.SIDE] * (filled - position[at.FIRST_FILL + at.FILL_PRICE]) * quantity
        realise(account, terms.rules, ms, made - fee)
    if why == at.TAKE_PROFIT_1:
        reach_first_target(position, break_even_price(position, terms.symbols[symbol], terms.costs[at.TAKER]))
    if position[at.LEFT] == 0:
        check_settlements(run, symbol, ms)
        counts = run.output.counts
        row = run.output.closed[counts[at.CLOSED_ROWS]]
        for column in range(at.POSITION_COLUMNS):
            row[column] = position[column]
        counts[at.CLOSED_ROWS] += 1
        account[at.OPENED] -= 1
        forget(run, symbol)


@compiled
def settle(run: Run, symbol: Whole, trade: Whole) -> None:
    """Pay (or receive) funding on what is left; `trade` is the first one after the settlement. Without a mark price of the
    venue, the last trade's price stands in."""
    position, market = run.book.positions[symbol], run.market
    at_settlement = market.funding_starts[symbol] + position[at.FUNDING_AT]
    mark = market.funding_mark[at_settlement]
    if mark == 0:
        mark = market.price[trade - 1] * run.terms.symbols[symbol, at.FINER]
    paid = position[at.SIDE] * share_of(mark * position[at.LEFT], market.funding_rate[at_settlement])
    position[at.FUNDING] += paid
    position[at.FUNDING_AT] += 1
    realise(run.book.account, run.terms.rules, market.funding_ms[at_settlement], -paid)


@compiled
def check_settlements(run: Run, symbol: Whole, ms: Whole) -> None:
    """Note the first hour of the position's life that should have had a settlement and has none."""
    account, market = run.book.account, run.market
    if run.terms.costs[at.FUNDING_ON] == 0 or account[at.MISSING_MS] >= 0:
        return
    interval = run.terms.symbols[symbol, at.FUNDING_INTERVAL_MS]
    end = market.funding_starts[symbol + 1]
    entered = run.book.positions[symbol, at.FIRST_FILL + at.FILL_MS]
    due = (entered // interval + 1) * interval
    while due <= ms:
        found = lower_bound(market.funding_ms, market.funding_starts[symbol], end, due)
        if found == end or market.funding_ms[found] - due >= SETTLEMENT_TOLERANCE_MS:
            account[at.MISSING_MS] = due
            account[at.MISSING_SYMBOL] = symbol
            return
        due += interval
