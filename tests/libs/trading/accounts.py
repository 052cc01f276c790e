"""Small markets, signals and accounts for the tests of trading: prices of about 100, one decimal; quantities with three."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
from msgspec import UNSET

from libs.contracts.signals import Direction, SignalScored
from libs.trading.arrays import TradingSetup
from libs.trading.costs import Costs
from libs.trading.filters import SymbolFilters
from libs.trading.mark_prices import MarkTape
from libs.trading.market import FundingRates, TradeTape
from libs.trading.outcome import Outcome
from libs.trading.portfolio import PortfolioRules
from libs.trading.simulation import Simulator

DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
START_MS = 20_000 * DAY_MS
SYMBOL = "BTCUSDT"
FEES_ONLY = Costs(slippage=False, funding=False)
Trade = tuple[int, str] | tuple[int, str, str]


def tape(*trades: Trade, symbol: str = SYMBOL) -> TradeTape:
    """Trades of (ms after the start, price[, quantity]); quantity 1 where none is said."""
    quantities = [Decimal(trade[2] if len(trade) == 3 else "1") for trade in trades]
    return TradeTape(
        symbol,
        1,
        3,
        np.array([START_MS + trade[0] for trade in trades], np.int64),
        np.array([int(Decimal(trade[1]) * 10) for trade in trades], np.int64),
        np.array([int(quantity * 1000) for quantity in quantities], np.int64),
        np.zeros(len(trades), np.uint8),
    )


def marks(*steps: tuple[int, str] | tuple[int, str, str], symbol: str = SYMBOL) -> MarkTape:
    """Mark prices of (ms after the start, lowest[, highest])."""
    lowest, highest = ([int(Decimal(step[place]) * 10**8) for step in steps] for place in (1, -1))
    times = [START_MS + step[0] for step in steps]
    return MarkTape(symbol, np.array(times, np.int64), np.array(lowest, np.int64), np.array(highest, np.int64))


@dataclass(frozen=True)
class Idea:
    """What a signal says: prices as text, `at` in ms after the start."""

    at: int = MINUTE_MS
    direction: Direction = "long"
    price: str = "100.0"
    stop: str = "98.0"
    targets: tuple[str, str] = ("102.0", "104.0")
    symbol: str = SYMBOL
    hold_ms: int = 70 * MINUTE_MS
    strategy: str = "v51"
    trailing: str | None = None
    at_market: bool = False
    closes: bool = False
    by_mark: bool = False


SHORT = Idea(direction="short", stop="102.0", targets=("98.0", "96.0"))


def signal(idea: Idea) -> SignalScored:
    """The event of an idea."""
    at_ms = START_MS + idea.at
    return SignalScored(
        event_id=f"{idea.strategy}-{idea.symbol}-{at_ms}",
        event_time_ms=at_ms,
        strategy=idea.strategy,
        version=1,
        symbol=idea.symbol,
        score=80.0,
        threshold=75.0,
        direction=idea.direction,
        state="emitted",
        reason=None,
        sentence="",
        price=Decimal(idea.price),
        atr=Decimal("1.0"),
        take_profit_1=Decimal(idea.targets[0]),
        take_profit_2=Decimal(idea.targets[1]),
        stop_loss=Decimal(idea.stop),
        hold_until_ms=at_ms + idea.hold_ms,
        contributions=(),
        inputs={},
        coverage={},
        take_profit_type="market" if idea.at_market else UNSET,
        on_opposite_signal="close" if idea.closes else UNSET,
        trailing_distance=UNSET if idea.trailing is None else Decimal(idea.trailing),
        working_type="mark" if idea.by_mark else UNSET,
    )


def filters(symbol: str = SYMBOL, **changes: Any) -> SymbolFilters:
    """A tick of 0.1, a step of 0.001, a least notional of 5."""
    least: dict[str, Any] = {"min_quantity": Decimal("0.001"), "min_notional": Decimal(5)}
    return SymbolFilters(symbol, Decimal("0.1"), Decimal("0.001"), **(least | changes))


def funding(*settlements: tuple[int, str, str | None], symbol: str = SYMBOL) -> FundingRates:
    """Settlements of (ms after the start, rate, mark price or None)."""
    return FundingRates.of(
        symbol,
        [(START_MS + ms, Decimal(rate), None if mark is None else Decimal(mark)) for ms, rate, mark in settlements],
    )


@dataclass(frozen=True)
class Scene:
    """A market and an account."""

    tapes: Sequence[TradeTape]
    ideas: Sequence[Idea] = (Idea(),)
    costs: Costs = FEES_ONLY
    rules: PortfolioRules = field(default_factory=PortfolioRules)
    filters: Mapping[str, SymbolFilters] | None = None
    funding: Sequence[FundingRates] = ()
    until: int = DAY_MS
    marks: Sequence[MarkTape] = ()

    def setup(self) -> TradingSetup:
        known = {each.symbol: filters(each.symbol) for each in self.tapes} if self.filters is None else self.filters
        return TradingSetup(self.rules, self.costs, known, {rates.symbol: rates for rates in self.funding})

    def play(self, *cuts: int) -> Simulator:
        """The whole scene to its end, cut at these ms after the start."""
        simulator = Simulator(self.setup(), START_MS)
        signals = [signal(idea) for idea in self.ideas]
        begin = START_MS
        for end in (*(START_MS + cut for cut in sorted(cuts)), START_MS + self.until):
            tapes = {each.symbol: between(each, begin, end) for each in self.tapes}
            coming = [each for each in signals if begin <= each.event_time_ms < end]
            simulator.advance(tapes, coming, end, {each.symbol: each.between(begin, end) for each in self.marks})
            begin = end
        simulator.finish()
        return simulator

    def only(self) -> Outcome:
        """The one outcome of the scene."""
        (outcome,) = self.play().outcomes
        return outcome

    def having(self, **changes: Any) -> "Scene":
        return replace(self, **changes)


def between(whole: TradeTape, begin_ms: int, end_ms: int) -> TradeTape:
    """The trades of [begin, end)."""
    begin, end = np.searchsorted(whole.time_ms, [begin_ms, end_ms], side="left")
    return whole.select(int(begin), int(end))


def exits(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Reason, price and quantity of each exit, as text."""
    return [(fill.reason, str(fill.price), str(fill.quantity)) for fill in outcome.exits]
