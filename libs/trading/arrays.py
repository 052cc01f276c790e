"""The compiled loop from Python: a call for a slice of an account, or for a configuration of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from libs.trading.costs import Costs
from libs.trading.filter_rows import symbol_row
from libs.trading.filters import SymbolFilters
from libs.trading.machine import layout as at
from libs.trading.machine.loop import advance, close_all
from libs.trading.machine.run import Book, Market, Output, Run, Signals, Terms
from libs.trading.mark_prices import MarkTape
from libs.trading.market import FundingRates, MissingFunding, Part, Span, TradeTape, build_market
from libs.trading.portfolio import PortfolioRules, new_account

EQUITY_MS = 60_000
Scales = Mapping[str, tuple[int, int]]
Table = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TradingSetup:
    """How an account trades: its rules, the costs, and by symbol the filters and the funding where the costs ask for them."""

    rules: PortfolioRules = field(default_factory=PortfolioRules)
    costs: Costs = field(default_factory=Costs)
    filters: Mapping[str, SymbolFilters] = field(default_factory=dict)
    funding: Mapping[str, FundingRates] = field(default_factory=dict)

    @property
    def used_filters(self) -> Mapping[str, SymbolFilters]:
        return self.filters if self.costs.filters else {}

    @property
    def used_funding(self) -> Mapping[str, FundingRates]:
        return self.funding if self.costs.funding else {}

    def mark_ms(self, equity_ms: int) -> int:
        """The distance of instants at which positions are marked: the guard's, or the curve's where there is no guard.

        Raises `ValueError` when the curve's distance is no multiple of a minute.
        """
        if equity_ms < 0 or equity_ms % EQUITY_MS:
            raise ValueError("the equity curve has a point each minute, or each so many minutes")
        return self.rules.guard_interval_ms if self.rules.guarded else equity_ms or at.DAY_MS


@dataclass(frozen=True, slots=True)
class ArrayResult:
    """Rows as the compiled loop wrote them (`machine.layout`): closed positions in order of their exits, refused signals, the
    curve, and the account at the end. Signals are named by their numbers; money is in 10**-8 quote units."""

    closed: Table
    refused: Table
    equity: Table
    account: Table

    @property
    def net(self) -> Table:
        """Net result of each closed position (money)."""
        return self.gross - self.fees - self.slippage - self.closed[:, at.FUNDING]

    @property
    def gross(self) -> Table:
        """What the trades' own prices would have given (money)."""
        side, reference = self.closed[:, at.SIDE], self._fills(at.FILL_REFERENCE)
        quantity = self._fills(at.FILL_QUANTITY)
        moved = (reference[:, 1:] - reference[:, :1]) * quantity[:, 1:]
        result: Table = side * moved.sum(axis=1)
        return result

    @property
    def fees(self) -> Table:
        result: Table = self._fills(at.FILL_FEE).sum(axis=1)
        return result

    @property
    def slippage(self) -> Table:
        result: Table = self._fills(at.FILL_SLIPPAGE).sum(axis=1)
        return result

    @property
    def signals(self) -> Table:
        """The number of each closed position's signal."""
        return self.closed[:, at.SIGNAL]

    @property
    def entry_ms(self) -> Table:
        return self._fills(at.FILL_MS)[:, 0]

    @property
    def exit_ms(self) -> Table:
        result: Table = self._fills(at.FILL_MS).max(axis=1)
        return result

    def _fills(self, column: int) -> Table:
        """One column of all fills; those that did not happen are 0."""
        return self.closed[:, at.FIRST_FILL + column : at.FILLS_END : at.FILL_COLUMNS]


@dataclass(frozen=True, slots=True)
class PreparedMarket:
    """A market over a whole range, prepared once for any number of configurations; symbols in order of names."""

    scales: Scales
    market: Market
    span: Span
    equity_ms: int


def prepare(
    tapes: Mapping[str, TradeTape],
    setup: TradingSetup,
    span: tuple[int, int],
    equity_ms: int = 0,
    marks: Mapping[str, MarkTape] | None = None,
) -> PreparedMarket:
    """Prepare tapes of [span[0], span[1]) (ms) for `simulate_arrays`, for setups with this one's funding and guard interval.
    `marks`: mark prices of that time, for signals whose stops they trigger."""
    ordered = [tape for _, tape in sorted(tapes.items())]
    known = marks or {}
    whole = Span(*span, setup.mark_ms(equity_ms))
    market = build_market([Part(tape, 0, known.get(tape.symbol)) for tape in ordered], setup.used_funding, whole)
    return PreparedMarket({tape.symbol: tape.scale for tape in ordered}, market, whole, equity_ms)


def simulate_arrays(prepared: PreparedMarket, signals: Signals, setup: TradingSetup) -> ArrayResult:
    """One configuration over the whole range, to its end: what `Simulator` gives, as rows. Signals in order of time.

    Raises `MissingFunding`; `ValueError` when the market was prepared for another guard interval, or a filter is missing.
    """
    if setup.mark_ms(prepared.equity_ms) != prepared.span.mark_ms:
        raise ValueError("the market was prepared for another guard interval")
    account = new_account(setup.rules.starting_balance)
    account[at.NEXT_MARK] = -(-prepared.span.from_ms // prepared.span.mark_ms) * prepared.span.mark_ms
    position = np.zeros(at.POSITION_COLUMNS, np.int64)
    book = Book(account, books([position] * len(prepared.scales)))
    terms = terms_of(setup, prepared.scales, prepared.equity_ms)
    run = _run(prepared.market, terms, book, signals)
    if advance(run):
        close_all(run)
    require_funding(account, sorted(prepared.scales))
    return _result(run)


def run_slice(market: Market, terms: Terms, book: Book, signals: Signals | None) -> ArrayResult:
    """One slice of an account, whose book is changed; without signals (None) the end of the data."""
    if signals is not None:
        run = _run(market, terms, book, signals)
        advance(run)
        return _result(run)
    nothing = np.zeros(0, np.int64)
    run = _run(market, terms, book, Signals(*[nothing] * len(Signals._fields)))
    close_all(run)
    return _result(run)


def terms_of(setup: TradingSetup, scales: Scales, equity_ms: int) -> Terms:
    """Rules, costs and symbols in columns, symbols in order of names. Raises `ValueError` for a symbol without its filters."""
    rules = setup.rules.table()
    rules[at.MARK_MS], rules[at.EQUITY_MS] = setup.mark_ms(equity_ms), equity_ms
    rows = np.zeros((len(scales), at.SYMBOL_COLUMNS), np.int64)
    for row, (name, scale) in zip(rows, sorted(scales.items()), strict=True):
        if setup.costs.filters and name not in setup.filters:
            raise ValueError(f"{name}: the exchange's filters are on, and this symbol's are not known")
        row[:] = symbol_row(name, scale, setup.used_filters.get(name))
        if name in setup.used_funding:
            row[at.FUNDING_INTERVAL_MS] = setup.used_funding[name].interval_ms
    return Terms(rules, setup.costs.table(), rows)


def books(rows: Sequence[Table]) -> Table:
    """Positions one below the other."""
    return np.stack(rows) if rows else np.zeros((0, at.POSITION_COLUMNS), np.int64)


def require_funding(account: Table, names: Sequence[str]) -> None:
    """Raise `MissingFunding` when the run met an hour without its rate."""
    if account[at.MISSING_MS] >= 0:
        raise MissingFunding(names[int(account[at.MISSING_SYMBOL])], int(account[at.MISSING_MS]))


def _run(market: Market, terms: Terms, book: Book, signals: Signals) -> Run:
    most = len(signals.number) + len(book.positions)
    equity_ms = int(terms.rules[at.EQUITY_MS])
    marked_ms = market.marks.shape[1] * int(terms.rules[at.MARK_MS])
    points = marked_ms // equity_ms + 2 if equity_ms else 0
    output = Output(
        closed=np.zeros((most, at.POSITION_COLUMNS), np.int64),
        refused=np.zeros((most, at.REFUSED_COLUMNS), np.int64),
        equity=np.zeros((points, at.EQUITY_COLUMNS), np.int64),
        counts=np.zeros(at.COUNT_COLUMNS, np.int64),
    )
    return Run(market, terms, book, signals, output)


def _result(run: Run) -> ArrayResult:
    output, counts = run.output, run.output.counts
    return ArrayResult(
        closed=output.closed[: counts[at.CLOSED_ROWS]],
        refused=output.refused[: counts[at.REFUSED_ROWS]],
        equity=output.equity[: counts[at.EQUITY_ROWS]],
        account=run.book.account,
    )
