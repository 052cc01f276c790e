"""A simulation in plain Python that looks at every trade, written from the rules and not from the compiled code.

Prices of accounts.py: one decimal, three for quantities; so a fine price is 10**-5 and money 10**-8. It decides who is right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from libs.contracts.signals import SignalScored
from libs.trading.arrays import TradingSetup
from libs.trading.mark_prices import MarkTape
from libs.trading.market import TradeTape
from tests.libs.trading.accounts import DAY_MS

FINER, UNIT = 10_000, 10**8
Fill = tuple[str, int, int, int, int]
"""Reason, time, fine price, quantity, fee."""


@dataclass
class Position:
    signal: SignalScored
    side: int
    quantity: int
    stop: int
    targets: tuple[int, int]
    due: int
    hold_until: int
    close_due: int
    close_why: str = "hold_expired"
    left: int = 0
    reduced: bool = False
    best: int = 0
    triggered: tuple[str, int] | None = None
    fills: list[Fill] = field(default_factory=list)
    funding: int = 0
    low: int = 0
    high: int = 0

    @property
    def by_mark(self) -> bool:
        return self.signal.working_type == "mark"


@dataclass
class Naive:
    """Play everything; `closed` and `refused` as tuples that can be compared."""

    setup: TradingSetup
    tapes: Sequence[TradeTape]
    signals: Sequence[SignalScored]
    start_ms: int
    until_ms: int
    closed: list[tuple[Any, ...]] = field(default_factory=list)
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    curve: list[tuple[int, int, int]] = field(default_factory=list)
    positions: dict[str, Position] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    day: int = 0
    realised: int = 0
    day_over: bool = False
    broken_until: int = -1
    marks: Sequence[MarkTape] = ()

    def __post_init__(self) -> None:
        self.balance = int(self.setup.rules.starting_balance * UNIT)
        self.risk = int(self.setup.rules.risk_per_trade * UNIT)
        self.seen: dict[str, list[tuple[int, int, int]]] = {tape.symbol: [] for tape in self.tapes}

    def play(self) -> None:
        events: list[tuple[int, int, Any, Any]] = []
        mark_ms = self.setup.rules.guard_interval_ms
        first = -(-self.start_ms // mark_ms) * mark_ms
        events += [(ms, 0, "", None) for ms in range(first, self.until_ms, mark_ms)]
        for symbol, rates in self.setup.used_funding.items():
            rows = zip(rates.time_ms.tolist(), rates.rate.tolist(), rates.mark_price.tolist(), strict=True)
            events += [(ms, 1, symbol, (rate, mark)) for ms, rate, mark in rows if ms < self.until_ms]
        ordered = sorted(self.signals, key=lambda each: (each.event_time_ms, each.symbol, each.strategy))
        events += [(each.event_time_ms, 2, f"{k:06}", each) for k, each in enumerate(ordered)]
        for tape in self.tapes:
            rows = zip(tape.time_ms.tolist(), tape.price.tolist(), tape.quantity.tolist(), strict=True)
            events += [(ms, 4, tape.symbol, (price, quantity)) for ms, price, quantity in rows]
        for told in self.marks:
            rows = zip(told.time_ms.tolist(), told.low.tolist(), told.high.tolist(), strict=True)
            events += [(ms, 3, told.symbol, (low, high)) for ms, low, high in rows]
        for ms, kind, symbol, what in sorted(events, key=lambda event: event[:3]):
            self.roll(ms)
            if kind == 0:
                self.mark(ms)
            elif kind == 1:
                self.settle(symbol, what)
            elif kind == 2:
                self.decide(ms, what)
            elif kind == 3:
                self.mark_price(ms, symbol, *what)
            else:
                self.trade(ms, symbol, *what)
        for symbol in sorted(self.positions):
            if self.positions[symbol].fills:
                self.market_exit(symbol, self.until_ms - 1, "data_end", self.last[symbol])
            else:
                self.refuse(self.positions.pop(symbol).signal, self.until_ms - 1, "data_end")

    def roll(self, ms: int) -> None:
        if ms // DAY_MS != self.day:
            self.day, self.realised, self.day_over = ms // DAY_MS, 0, False

    def gain(self, amount: int) -> None:
        self.balance += amount
        self.realised += amount
        limit = self.setup.rules.daily_loss_r
        if limit is not None and self.realised <= -limit * self.risk:
            self.day_over = True

    def mark(self, ms: int) -> None:
        opened = [(symbol, each) for symbol, each in sorted(self.positions.items()) if each.fills]
        unrealised = sum(
            each.side * (self.last[symbol] * FINER - each.fills[0][2]) * each.left for symbol, each in opened
        )
        if ms % 60_000 == 0:
            self.curve.append((ms, self.balance + unrealised, len(opened)))
        limit = self.setup.rules.circuit_break_r
        if ms >= self.broken_until:
            broken = limit is not None and self.realised + unrealised <= -limit * self.risk
            self.broken_until = ms + self.setup.rules.cooldown_minutes * 60_000 if broken else -1
        if self.broken_until >= 0 and self.setup.rules.flatten:
            for _, each in opened:
                if each.triggered is None:
                    self.close(each, ms, "risk_guard")

    def close(self, each: Position, ms: int, why: str) -> None:
        if ms + self.setup.costs.latency_ms < each.close_due:
            each.close_due, each.close_why = ms + self.setup.costs.latency_ms, why

    def settle(self, symbol: str, what: tuple[int, int]) -> None:
        each = self.positions.get(symbol)
        if each is None or not each.fills:
            return
        rate, mark = what
        fine = (mark + 500) // 1000 if mark else self.last[symbol] * FINER
        paid = each.side * round_half_up(fine * each.left * rate)
        each.funding += paid
        self.gain(-paid)

    def decide(self, ms: int, each: SignalScored) -> None:
        assert each.stop_loss is not None
        assert each.take_profit_1 is not None
        assert each.take_profit_2 is not None
        assert each.hold_until_ms is not None
        side = 1 if each.direction == "long" else -1
        price, stop = int(each.price * 10), int(each.stop_loss * 10)
        quantity = self.risk // max(1, abs(price - stop) * FINER)
        held = self.positions.get(each.symbol)
        opposite = held is not None and held.signal.strategy == each.strategy and held.side != side
        if held is not None and opposite and each.on_opposite_signal == "close":
            self.close(held, ms, "opposite_signal")
        why = self.closed_to(each.symbol)
        if not why and side * (price - stop) <= 0:
            why = "stop_passed"
        share = trailing_share(each)
        if not why and share is not None and not 1 <= share <= 100:
            why = "not_supported"
        why = why or self.too_small(each.symbol, price, quantity)
        if why:
            self.refuse(each, ms, why)
            return
        late = self.setup.costs.latency_ms
        targets = (int(each.take_profit_1 * 10), int(each.take_profit_2 * 10))
        self.positions[each.symbol] = Position(
            each, side, quantity, stop, targets, ms + late, each.hold_until_ms, each.hold_until_ms + late
        )

    def closed_to(self, symbol: str) -> str:
        """Why the account takes nothing now."""
        if self.broken_until >= 0:
            return "risk_state"
        if self.day_over:
            return "daily_loss"
        if symbol in self.positions:
            return "symbol_locked"
        return "max_positions" if len(self.positions) >= self.setup.rules.max_positions else ""

    def too_small(self, symbol: str, price: int, quantity: int) -> str:
        least = self.setup.filters[symbol]
        if quantity < least.min_quantity * 1000:
            return "below_minimum_quantity"
        return "below_minimum_notional" if quantity * price * FINER < least.min_notional * UNIT else ""

    def refuse(self, each: SignalScored, ms: int, why: str) -> None:
        self.refused.append((each.event_id, ms, why))

    def trade(self, ms: int, symbol: str, price: int, quantity: int) -> None:
        self.last[symbol] = price
        self.seen[symbol].append((ms, price, quantity))
        each = self.positions.get(symbol)
        if each is None:
            return
        if not each.fills:
            if ms >= each.due:
                self.enter(ms, symbol, price)
            return
        if each.triggered is not None:
            why, due = each.triggered
            if ms < due:
                each.low, each.high = min(each.low, price), max(each.high, price)
                return
            each.triggered = None
            if why != "take_profit_1":
                self.market_exit(symbol, ms, why, price)
                return
            self.take_first(symbol, ms, price)
        if ms >= each.close_due:
            self.market_exit(symbol, ms, each.close_why, price)
            return
        while symbol in self.positions and each.triggered is None and self.bracket(ms, symbol, price):
            pass
        if symbol in self.positions:
            each.low, each.high = min(each.low, price), max(each.high, price)
            if each.reduced and each.triggered is None and not each.by_mark:
                self.follow(each, price)

    def bracket(self, ms: int, symbol: str, price: int) -> bool:
        """One step of the bracket at a trade; false when there is nothing more to do."""
        each = self.positions[symbol]
        late = self.setup.costs.stop_latency_ms
        if not each.by_mark and each.side * price <= each.side * each.stop:
            why = self.stop_name(each)
            if late:
                each.triggered = (why, ms + late)
            else:
                self.market_exit(symbol, ms, why, price)
            return True
        target, at_market = each.targets[each.reduced], each.signal.take_profit_type == "market"
        ahead = each.side * (price - target)
        if ahead < 0 or (ahead == 0 and not at_market):
            return False
        why = "take_profit_2" if each.reduced else "take_profit_1"
        if at_market and late and (each.reduced or each.quantity // 2):
            each.triggered = (why, ms + late)
        elif why == "take_profit_1":
            self.take_first(symbol, ms, price)
        elif at_market:
            self.market_exit(symbol, ms, why, price)
        else:
            each.low, each.high = min(each.low, target), max(each.high, target)
            self.exit(symbol, ms, why, target * FINER, each.left)
        return True

    def take_first(self, symbol: str, ms: int, price: int) -> None:
        """The first target: half is sold, and the second stop stands."""
        each, half = self.positions[symbol], self.positions[symbol].quantity // 2
        target, at_market = each.targets[0], each.signal.take_profit_type == "market"
        met = price if at_market else target
        each.low, each.high = min(each.low, met), max(each.high, met)
        if half:
            given = self.slip(symbol, price, half) if at_market else 0
            self.exit(symbol, ms, "take_profit_1", met * FINER - each.side * given, half)
        each.reduced, each.stop = True, self.break_even(each)
        each.best = each.stop if each.by_mark else target
        self.follow(each, each.best)

    def break_even(self, each: Position) -> int:
        """What pays for entry and exit, or a tick before the target."""
        entry, fee = Fraction(each.fills[0][2], FINER), Fraction(self.setup.costs.taker_fee)
        if each.side > 0:
            return min(math.ceil(entry * (1 + fee) / (1 - fee)), each.targets[0] - 1)
        return max(math.floor(entry * (1 - fee) / (1 + fee)), each.targets[0] + 1)

    def follow(self, each: Position, price: int) -> None:
        each.best = max(each.best, price) if each.side > 0 else min(each.best, price)
        if (away := self.away(each)) is not None:
            behind = self.behind(each, away)
            each.stop = max(each.stop, behind) if each.side > 0 else min(each.stop, behind)

    def away(self, each: Position) -> int | None:
        return trailing_share(each.signal)

    def behind(self, each: Position, share: int) -> int:
        level = Fraction(each.best) * (1000 - each.side * share) / 1000
        return math.floor(level) if each.side > 0 else math.ceil(level)

    def stop_name(self, each: Position) -> str:
        if not each.reduced:
            return "stop_loss"
        away = self.away(each)
        trailed = away is not None and each.stop == self.behind(each, away)
        return "trailing_stop" if trailed else "break_even_stop"

    def mark_price(self, ms: int, symbol: str, low: int, high: int) -> None:
        """A step of mark prices (10**-8): the worst first, which triggers the stop, then the best, which it may follow."""
        each = self.positions.get(symbol)
        if each is None or not each.fills or not each.by_mark or each.triggered is not None or ms >= each.close_due:
            return
        worst, best = (low, high) if each.side > 0 else (high, low)
        if each.side * (worst - each.stop * 10**7) <= 0:
            each.triggered = (self.stop_name(each), ms + self.setup.costs.stop_latency_ms)
        elif each.reduced:
            # In whole tenths, as the stop that follows it: no better than it was.
            self.follow(each, math.floor(Fraction(best, 10**7)) if each.side > 0 else math.ceil(Fraction(best, 10**7)))

    def enter(self, ms: int, symbol: str, price: int) -> None:
        each = self.positions[symbol]
        late = ms >= each.hold_until
        if late or each.side * (price - each.stop) <= 0:
            self.refuse(self.positions.pop(symbol).signal, ms, "no_trade_to_fill" if late else "stop_passed")
            return
        fine = price * FINER + each.side * self.slip(symbol, price, each.quantity)
        fee = self.fee(fine * each.quantity, taker=True)
        each.fills.append(("entry", ms, fine, each.quantity, fee))
        each.left, each.low, each.high = each.quantity, price, price
        self.gain(-fee)

    def market_exit(self, symbol: str, ms: int, why: str, price: int) -> None:
        each = self.positions[symbol]
        each.low, each.high = min(each.low, price), max(each.high, price)
        self.exit(symbol, ms, why, price * FINER - each.side * self.slip(symbol, price, each.left), each.left)

    def exit(self, symbol: str, ms: int, why: str, fine: int, quantity: int) -> None:
        each = self.positions[symbol]
        rests = why.startswith("take") and each.signal.take_profit_type != "market"
        fee = self.fee(fine * quantity, taker=not rests)
        each.fills.append((why, ms, fine, quantity, fee))
        each.left -= quantity
        self.gain(each.side * (fine - each.fills[0][2]) * quantity - fee)
        if each.left == 0:
            del self.positions[symbol]
            self.closed.append((each.signal.event_id, tuple(each.fills), each.funding, each.low, each.high))

    def fee(self, notional: int, *, taker: bool) -> int:
        costs = self.setup.costs
        return round_half_up(notional * int((costs.taker_fee if taker else costs.maker_fee) * UNIT))

    def slip(self, symbol: str, price: int, quantity: int) -> int:
        costs = self.setup.costs
        if not costs.slippage:
            return 0
        now = self.seen[symbol][-1][0]
        window = [row for row in self.seen[symbol] if row[0] >= now - costs.impact_window_ms] or self.seen[symbol][-1:]
        half = max(round_half_up(price * FINER * int(costs.half_spread_bps * 10_000)), FINER)
        prices = [row[1] for row in window]
        move = max((max(prices) - min(prices)) * FINER, 2 * half)
        traded = sum(row[1] * row[2] for row in window) * FINER
        impact = float(costs.impact_coefficient) * move * math.sqrt(quantity * price * FINER / traded)
        return min(half + math.ceil(impact), price * FINER // 10)


def trailing_share(signal: SignalScored) -> int | None:
    """How far behind the best price the stop follows, in thousandths of it; None: it does not."""
    distance = signal.trailing_distance
    return round(Fraction(distance) / Fraction(signal.price) * 1000) if isinstance(distance, Decimal) else None


def round_half_up(product: int) -> int:
    """A product with a rate in 10**-8."""
    return (product + UNIT // 2) // UNIT
