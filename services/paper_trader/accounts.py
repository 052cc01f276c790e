"""The accounts of all strategies, advanced side by side over the same trades: what a slice of time did to each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.contracts.signals import SignalScored
from libs.trading.arrays import EQUITY_MS, TradingSetup
from libs.trading.closed import EquityMarks
from libs.trading.costs import Costs
from libs.trading.filters import MOST_SCALE, SymbolFilters, assumed_filters
from libs.trading.mark_prices import MarkTape
from libs.trading.market import FundingRates, TradeTape
from libs.trading.open_positions import OpenPosition
from libs.trading.outcome import NotTaken, Outcome
from libs.trading.portfolio import PortfolioRules, RiskState
from libs.trading.simulation import Simulator


@dataclass(frozen=True, slots=True)
class PaperTerms:
    """How paper accounts trade. `filters`: the exchange's, by symbol; None: assumed from the trades' decimals."""

    rules: PortfolioRules = field(default_factory=PortfolioRules)
    costs: Costs = field(default_factory=Costs)
    filters: Mapping[str, SymbolFilters] | None = None

    def tradable(self, symbol: str, scale: tuple[int, int]) -> bool:
        """Whether money can count the symbol's decimals, and its filters are known."""
        return sum(scale) <= MOST_SCALE and (self.filters is None or symbol in self.filters)

    def filters_of(self, symbol: str, scale: tuple[int, int]) -> SymbolFilters:
        """The filters of a symbol that is tradable."""
        return assumed_filters(symbol, scale) if self.filters is None else self.filters[symbol]


@dataclass(frozen=True, slots=True)
class AccountMove:
    """What a slice did to one account. `signals`: those of the slice, by id; `before`: the orders and positions at its beginning;
    `positions`, `risk`: as they are now."""

    strategy: str
    outcomes: Sequence[Outcome]
    not_taken: Sequence[NotTaken]
    signals: Mapping[str, SignalScored]
    before: Sequence[OpenPosition]
    positions: Sequence[OpenPosition]
    risk: RiskState
    equity: EquityMarks


@dataclass(frozen=True, slots=True)
class Slice:
    """Trades of every symbol that has had any, signals by strategy, and settlements that have become known; `marks`: the mark
    prices of symbols for the strategies `by_mark`, whose stops they trigger."""

    until_ms: int
    tapes: Mapping[str, TradeTape]
    signals: Mapping[str, Sequence[SignalScored]]
    funding: Sequence[FundingRates]
    marks: Mapping[str, MarkTape] = field(default_factory=dict)
    by_mark: frozenset[str] = frozenset()


class Accounts:
    """One simulation a strategy, and one without signals: a strategy's account begins as its copy, so that it is the same
    whenever it is made."""

    def __init__(self, terms: PaperTerms, start_ms: int) -> None:
        self.terms = terms
        self.idle = Simulator(TradingSetup(terms.rules, terms.costs), start_ms, EQUITY_MS)
        self.by_strategy: dict[str, Simulator] = {}
        self.setup = TradingSetup(terms.rules, terms.costs)

    def add(self, strategy: str) -> None:
        """An account for the strategy, unless it has one."""
        if strategy not in self.by_strategy:
            self.by_strategy[strategy] = Simulator.restore(self.setup, self.idle.state())

    def advance(self, coming: Slice) -> list[AccountMove]:
        """Take all accounts to the slice's end; what happened to each, in order of strategies."""
        self._know(coming)
        for strategy in sorted(coming.signals):
            self.add(strategy)
        self.idle.advance(coming.tapes, (), coming.until_ms)
        self.idle.drain()
        return [self._move(strategy, account, coming) for strategy, account in sorted(self.by_strategy.items())]

    def restore(self, idle: bytes, states: Mapping[str, bytes]) -> None:
        """The accounts as they were kept; the next slice tells them filters and funding. Raises `ForeignState`."""
        self.idle = Simulator.restore(self.setup, idle)
        self.by_strategy = {name: Simulator.restore(self.setup, state) for name, state in sorted(states.items())}

    def _know(self, coming: Slice) -> None:
        known = {
            symbol: self.terms.filters_of(symbol, tape.scale)
            for symbol, tape in coming.tapes.items()
            if symbol not in self.setup.filters
        }
        news = TradingSetup(self.terms.rules, self.terms.costs, known)
        funding = {**self.setup.funding, **{rates.symbol: rates for rates in coming.funding}}
        self.setup = TradingSetup(self.terms.rules, self.terms.costs, {**self.setup.filters, **known}, funding)
        for account in (self.idle, *self.by_strategy.values()):
            account.add_symbols(news)
            for rates in coming.funding:
                account.know_funding(rates)

    def _move(self, strategy: str, account: Simulator, coming: Slice) -> AccountMove:
        signals = coming.signals.get(strategy, ())
        before = account.positions
        marks = coming.marks if strategy in coming.by_mark else None
        account.advance(coming.tapes, signals, coming.until_ms, marks)
        found = account.drain()
        return AccountMove(
            strategy=strategy,
            outcomes=found.outcomes,
            not_taken=found.not_taken,
            signals={signal.event_id: signal for signal in signals},
            before=before,
            positions=account.positions,
            risk=account.risk,
            equity=found.equity,
        )
