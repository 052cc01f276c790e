"""The run: events of all symbols in one order of time, marks between them, until the slice ends.

In one millisecond: the guard's look at the marks, settlements, decisions about signals, the venue's mark prices, trades (symbols
by name). A decision at E therefore knows what trades before E did, as the engine's evaluation at E does.
"""

from libs.indicators.kernel.compiler import Whole, compiled, entry
from libs.trading.machine import layout as at
from libs.trading.machine.fills import (
    enter,
    leave,
    marks_until,
    refuse,
    see,
    see_marks,
    settle,
    stops,
    takes_profit,
)
from libs.trading.machine.lifecycle import action, amount_of, close_by, follow_trade, stop_name, trigger, triggers
from libs.trading.machine.risk import admitted, guard
from libs.trading.machine.run import Run
from libs.trading.machine.search import Trail, first_outside, first_touch, first_trailed, lower_bound
from libs.trading.machine.sizing import first_part, sized


@compiled
def find_next(run: Run, symbol: Whole) -> None:
    """Write down what happens next to the symbol's position: when, at which trade, and of what kind."""
    position, market = run.book.positions[symbol], run.market
    position[at.EVENT_MS] = at.NEVER
    state = position[at.STATE]
    if state == at.FREE:
        return
    begin, end = position[at.CURSOR], market.ends[symbol]
    if state == at.OPEN:
        trade = lower_bound(market.time_ms, begin, end, position[at.CLOSE_DUE])
        low, high = triggers(position)
        if position[at.REDUCED] and position[at.TRAILING] and position[at.BY_MARK] == 0:
            trail = Trail(position[at.SIDE], position[at.BEST], position[at.TRAILING])
            trade = first_trailed(market, begin, trade, (low, high), trail)
        else:
            trade = first_outside(market, begin, trade, low, high)
    else:
        trade = lower_bound(market.time_ms, begin, end, position[at.DUE])
    position[at.EVENT_AT] = trade
    position[at.EVENT_KIND] = at.TRADE
    if trade < end:
        position[at.EVENT_MS] = market.time_ms[trade]
    if state == at.OPEN and position[at.BY_MARK]:
        find_touch(run, symbol)
    if state != at.ORDERED and run.terms.costs[at.FUNDING_ON]:
        coming = market.funding_starts[symbol] + position[at.FUNDING_AT]
        if coming < market.funding_starts[symbol + 1]:
            ms = market.funding_ms[coming]
            if ms <= position[at.EVENT_MS] and ms < market.until_ms:
                position[at.EVENT_MS] = ms
                position[at.EVENT_KIND] = at.SETTLEMENT


@compiled
def find_touch(run: Run, symbol: Whole) -> None:
    """Write down instead when the mark price reaches the stop, where that comes before what was found. A closing order that has
    arrived comes first: it only waits for a trade."""
    position, market = run.book.positions[symbol], run.market
    begin = position[at.MARK_CURSOR]
    end = max(begin, marks_until(run, symbol, min(position[at.CLOSE_DUE], position[at.EVENT_MS] + 1)))
    thousandths = position[at.TRAILING] if position[at.REDUCED] else 0 * begin
    trail = Trail(position[at.SIDE], position[at.BEST], thousandths)
    step = first_touch(market, begin, end, position[at.STOP], trail)
    if step < end:
        position[at.EVENT_AT], position[at.EVENT_KIND] = step, at.TOUCH
        position[at.EVENT_MS] = market.mark_price_ms[step]


@compiled
def take_touch(run: Run, symbol: Whole) -> None:
    """The mark price reaches the stop: a market order goes out, and meets the first trade after the stop's latency."""
    position, market = run.book.positions[symbol], run.market
    step = position[at.EVENT_AT]
    ms = market.mark_price_ms[step]
    see_marks(run, symbol, step)
    see(run, symbol, lower_bound(market.time_ms, position[at.CURSOR], market.ends[symbol], ms))
    trigger(position, ms, stop_name(position), run.terms.costs[at.STOP_LATENCY_MS])


@compiled
def take_trade(run: Run, symbol: Whole) -> None:
    """Do everything that the next trade does to the symbol's order or position."""
    position, market, costs = run.book.positions[symbol], run.market, run.terms.costs
    trade = position[at.EVENT_AT]
    ms, price = market.time_ms[trade], market.price[trade]
    if position[at.STATE] == at.ORDERED:
        enter(run, symbol, trade)
        return
    see(run, symbol, trade)
    see_marks(run, symbol, marks_until(run, symbol, ms + 1))
    position[at.CURSOR] = trade + 1
    why = action(position, ms, price)
    while why != at.NOTHING:
        triggered = stops(why) or (position[at.TAKE_MARKET] and takes_profit(why) and amount_of(position, why) > 0)
        if triggered and position[at.STATE] == at.OPEN and costs[at.STOP_LATENCY_MS] > 0:
            trigger(position, ms, why, costs[at.STOP_LATENCY_MS])
            break
        leave(run, symbol, trade, ms, why)
        if position[at.STATE] == at.FREE:
            return
        why = action(position, ms, price)
    # It lived through this price, unless it was gone before.
    position[at.LOW] = min(position[at.LOW], price)
    position[at.HIGH] = max(position[at.HIGH], price)
    follow_trade(position, price)


@compiled
def take_settlement(run: Run, symbol: Whole) -> None:
    """Pay funding at the settlement that comes next."""
    position, market = run.book.positions[symbol], run.market
    ms = market.funding_ms[market.funding_starts[symbol] + position[at.FUNDING_AT]]
    settle(run, symbol, lower_bound(market.time_ms, market.starts[symbol], market.ends[symbol], ms))


@compiled
def close_opposite(run: Run, k: Whole) -> bool:
    """A signal that says so closes what its strategy holds the other way, or has ordered."""
    signals, position = run.signals, run.book.positions[run.signals.symbol[k]]
    opposite = position[at.SIDE] == -signals.side[k] and position[at.STRATEGY] == signals.strategy[k]
    if position[at.STATE] == at.FREE or signals.closes[k] == 0 or not opposite:
        return False
    return close_by(position, signals.time_ms[k] + run.terms.costs[at.LATENCY_MS], at.OPPOSITE_SIGNAL)


@compiled
def decide(run: Run, k: Whole) -> bool:
    """A signal: an order on its way, or a refusal. True when that changed what comes next."""
    signals, account, terms = run.signals, run.book.account, run.terms
    ms, symbol = signals.time_ms[k], signals.symbol[k]
    position = run.book.positions[symbol]
    closed = close_opposite(run, k)
    why = admitted(account, terms.rules, ms, position[at.STATE] != at.FREE)
    quantity = 0 * ms
    price, stop, side = signals.price[k], signals.stop[k], signals.side[k]
    if why == at.ACCEPTED and side * (price - stop) <= 0:
        why = at.STOP_PASSED
    if why == at.ACCEPTED and signals.trailing[k] < 0:
        why = at.NOT_SUPPORTED
    if why == at.ACCEPTED:
        quantity, why = sized(terms.symbols[symbol], terms.rules[at.RISK], account[at.BALANCE], price, stop)
    if why != at.ACCEPTED:
        refuse(run, signals.number[k], ms, why)
        return closed
    position[at.STATE] = at.ORDERED
    position[at.SIGNAL], position[at.SIDE] = signals.number[k], side
    position[at.QUANTITY], position[at.FIRST] = quantity, first_part(terms.symbols[symbol], quantity)
    position[at.STOP] = position[at.INITIAL_STOP] = stop
    position[at.TARGET_1], position[at.TARGET_2] = signals.target_1[k], signals.target_2[k]
    position[at.DUE] = ms + terms.costs[at.LATENCY_MS]
    position[at.HOLD_UNTIL] = signals.hold_until_ms[k]
    position[at.CLOSE_DUE] = signals.hold_until_ms[k] + terms.costs[at.LATENCY_MS]
    position[at.CLOSE_WHY] = at.HOLD_EXPIRED
    position[at.TRAILING], position[at.TAKE_MARKET] = signals.trailing[k], signals.take_market[k]
    position[at.STRATEGY], position[at.BY_MARK] = signals.strategy[k], signals.by_mark[k]
    account[at.TAKEN] += 1
    return True


@compiled
def add_mark(run: Run, ms: Whole) -> Whole:
    """What all open positions make or lose at the marks of this instant (money); a point of the curve where one is due."""
    market, rules = run.market, run.terms.rules
    column = ms // rules[at.MARK_MS] - market.first_mark
    unrealised = exposure = 0 * ms
    for symbol in range(len(run.book.positions)):
        position = run.book.positions[symbol]
        if position[at.STATE] >= at.OPEN:
            mark = market.marks[symbol, column] * run.terms.symbols[symbol, at.FINER]
            gain = mark - position[at.FIRST_FILL + at.FILL_PRICE]
            unrealised += position[at.SIDE] * gain * position[at.LEFT]
            exposure += mark * position[at.LEFT]
    if rules[at.EQUITY_MS] > 0 and ms % rules[at.EQUITY_MS] == 0:
        add_point(run, ms, unrealised, exposure)
    return unrealised


@compiled
def add_point(run: Run, ms: Whole, unrealised: Whole, exposure: Whole) -> None:
    """A point of the equity curve."""
    counts = run.output.counts
    row = run.output.equity[counts[at.EQUITY_ROWS]]
    counts[at.EQUITY_ROWS] += 1
    row[at.EQUITY_AT_MS], row[at.EQUITY] = ms, run.book.account[at.BALANCE] + unrealised
    row[at.EQUITY_POSITIONS], row[at.EXPOSURE] = run.book.account[at.OPENED], exposure


@compiled
def flatten(run: Run, ms: Whole) -> bool:
    """Send closing orders for everything that is open; whether that changed what comes next."""
    changed = False
    for symbol in range(len(run.book.positions)):
        position, due = run.book.positions[symbol], ms + run.terms.costs[at.LATENCY_MS]
        if position[at.STATE] == at.OPEN and close_by(position, due, at.RISK_GUARD):
            find_next(run, symbol)
            changed = True
    return changed


@compiled
def following_mark(run: Run, ms: Whole, last_ms: Whole) -> Whole:
    """The next instant to look at. Without a guard or an open position nothing changes before the next event, the next day,
    the end of a circuit break or a point of the curve, so what lies between is left out."""
    account, rules = run.book.account, run.terms.rules
    step = rules[at.MARK_MS]
    guarded = rules[at.WARNING_LOSS] < at.NEVER or rules[at.BREAK_LOSS] < at.NEVER
    if guarded and account[at.OPENED] > 0:
        return ms + step
    sooner = min(last_ms + 1, (ms // at.DAY_MS + 1) * at.DAY_MS)
    if account[at.LEVEL] == at.CIRCUIT_BREAK:
        sooner = min(sooner, account[at.BREAK_UNTIL])
    if rules[at.EQUITY_MS] > 0:
        sooner = min(sooner, (ms // rules[at.EQUITY_MS] + 1) * rules[at.EQUITY_MS])
    return max(ms + step, (sooner + step - 1) // step * step)


@compiled
def watch(run: Run, last_ms: Whole) -> bool:
    """Look at the marks up to and including `last_ms`; true when that changed what comes next, so that it is asked again."""
    account, rules = run.book.account, run.terms.rules
    while account[at.NEXT_MARK] <= last_ms:
        ms = account[at.NEXT_MARK]
        guard(account, rules, ms, add_mark(run, ms))
        changed = account[at.LEVEL] == at.CIRCUIT_BREAK and rules[at.FLATTEN] != 0 and flatten(run, ms)
        account[at.NEXT_MARK] = following_mark(run, ms, last_ms)
        if changed:
            return True
    return False


@compiled
def soonest(run: Run, k: Whole) -> tuple[Whole, Whole, Whole]:
    """Time, kind and symbol of what comes next; `k` is the next signal."""
    ms, kind, who = run.market.until_ms, at.TRADE, -1
    if k < len(run.signals.time_ms):
        ms, kind = run.signals.time_ms[k], at.DECISION
    for symbol in range(len(run.book.positions)):
        position = run.book.positions[symbol]
        event_ms, event_kind = position[at.EVENT_MS], position[at.EVENT_KIND]
        if event_ms < ms or (event_ms == ms and event_kind < kind):
            ms, kind, who = event_ms, event_kind, symbol
    return ms, kind, who


@entry
def advance(run: Run) -> bool:
    """Run a slice. False when the account's MISSING_MS names an hour without its funding: what was filled in is then void."""
    account, market = run.book.account, run.market
    for symbol in range(len(run.book.positions)):
        run.book.positions[symbol, at.CURSOR] = market.firsts[symbol]
        run.book.positions[symbol, at.MARK_CURSOR] = market.mark_price_starts[symbol]
        find_next(run, symbol)
    k = 0
    while account[at.MISSING_MS] < 0:
        ms, kind, symbol = soonest(run, k)
        if watch(run, min(ms, market.until_ms - 1)):
            continue
        if ms >= market.until_ms:
            break
        if kind == at.DECISION:
            k += 1
            if not decide(run, k - 1):
                continue
            symbol = run.signals.symbol[k - 1]
        elif kind == at.SETTLEMENT:
            take_settlement(run, symbol)
        elif kind == at.TOUCH:
            take_touch(run, symbol)
        else:
            take_trade(run, symbol)
        find_next(run, symbol)
    for symbol in range(len(run.book.positions)):
        if run.book.positions[symbol, at.STATE] >= at.OPEN:
            see(run, symbol, market.ends[symbol])
            see_marks(run, symbol, market.mark_price_starts[symbol + 1])
    return bool(account[at.MISSING_MS] < 0)


@entry
def close_all(run: Run) -> bool:
    """The data ended: what is open is closed at the last trade's price, what was ordered is not taken. False as above."""
    last_ms = run.market.until_ms - 1
    for symbol in range(len(run.book.positions)):
        position = run.book.positions[symbol]
        if position[at.STATE] == at.ORDERED:
            refuse(run, position[at.SIGNAL], last_ms, at.NO_MORE_DATA)
            run.book.account[at.TAKEN] -= 1
            position[at.STATE] = at.FREE
        elif position[at.STATE] >= at.OPEN:
            leave(run, symbol, run.market.ends[symbol] - 1, last_ms, at.DATA_END)
    if run.terms.rules[at.EQUITY_MS] > 0:
        add_point(run, run.market.until_ms, 0, 0)
    return bool(run.book.account[at.MISSING_MS] < 0)
