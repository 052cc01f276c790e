"""The simulation of an account: signals and trades go in, slice of time by slice, and outcomes come out.

Rules and their reasons: docs/decisions/0022-trade-simulation.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from libs.contracts.signals import SignalScored
from libs.trading.arrays import (
    EQUITY_MS,
    ArrayResult,
    TradingSetup,
    books,
    require_funding,
    run_slice,
    terms_of,
)
from libs.trading.closed import EquityMarks, equity_marks, not_taken, outcome
from libs.trading.machine import layout as at
from libs.trading.machine.run import Book
from libs.trading.mark_prices import MarkTape
from libs.trading.market import FundingRates, Part, Span, TradeTape, build_market
from libs.trading.open_positions import OpenPosition, open_position
from libs.trading.outcome import NotTaken, Outcome
from libs.trading.portfolio import RiskState, new_account, quote, risk_state
from libs.trading.signal_columns import signal_columns
from libs.trading.simulation_state import SimulationState, SymbolState, dump, load


class Results(NamedTuple):
    """What a simulation has given since it was asked last: closed positions in order of their exits, emitted signals that opened
    none in order of when that was decided, and the points of the curve."""

    outcomes: tuple[Outcome, ...]
    not_taken: tuple[NotTaken, ...]
    equity: EquityMarks


@dataclass(slots=True)
class _Symbol:
    """What is carried from slice to slice: the end of the tape that the next fills may look back at, and the position."""

    tail: TradeTape
    position: NDArray[np.int64]


class Simulator:
    """One account over one range of time, which may come in slices: how it is cut changes nothing.

    `start_ms` is where the range begins; the equity curve has a point each `equity_ms` (a multiple of a minute; 0: none) and
    one at the end.
    """

    def __init__(self, setup: TradingSetup, start_ms: int, equity_ms: int = EQUITY_MS) -> None:
        self._setup, self._equity_ms = setup, equity_ms
        self._now_ms, self._finished = start_ms, False
        self._symbols: dict[str, _Symbol] = {}
        self._account = new_account(setup.rules.starting_balance)
        mark_ms = setup.mark_ms(equity_ms)
        self._account[at.NEXT_MARK] = -(-start_ms // mark_ms) * mark_ms
        self._numbered = 0
        self._signals: dict[int, SignalScored] = {}
        self._outcomes: list[Outcome] = []
        self._not_taken: list[NotTaken] = []
        self._equity: list[NDArray[np.int64]] = []

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """Closed positions, in order of their exits."""
        return tuple(self._outcomes)

    @property
    def not_taken(self) -> tuple[NotTaken, ...]:
        """Emitted signals that opened no position, in order of when that was decided."""
        return tuple(self._not_taken)

    @property
    def equity(self) -> EquityMarks:
        """The curve as far as time has come."""
        rows = [np.zeros((0, at.EQUITY_COLUMNS), np.int64), *self._equity]
        return equity_marks(np.concatenate(rows))

    @property
    def open_positions(self) -> int:
        """How many positions are open now."""
        return int(self._account[at.OPENED])

    @property
    def balance(self) -> Decimal:
        """What is realised by now, with the starting balance (quote units)."""
        return quote(self._account[at.BALANCE])

    @property
    def positions(self) -> tuple[OpenPosition, ...]:
        """What is ordered or open now, in order of symbols."""
        held = [(symbol, symbol.position) for _, symbol in sorted(self._symbols.items())]
        return tuple(
            open_position(row, self._signals[int(row[at.SIGNAL])], symbol.tail)
            for symbol, row in held
            if row[at.STATE] != at.FREE
        )

    @property
    def risk(self) -> RiskState:
        """What the account's rules remember."""
        return risk_state(self._account)

    @property
    def now_ms(self) -> int:
        """Up to when it has gone (ms)."""
        return self._now_ms

    def drain(self) -> Results:
        """What there is since the last call; it is forgotten here."""
        found = Results(self.outcomes, self.not_taken, self.equity)
        self._outcomes, self._not_taken, self._equity = [], [], []
        return found

    def state(self) -> bytes:
        """All that the future depends on; results go to `drain` and are not in it. Equal states give equal bytes, however the
        time before was cut."""
        return dump(
            SimulationState(
                now_ms=self._now_ms,
                equity_ms=self._equity_ms,
                finished=self._finished,
                account=self._account,
                numbered=self._numbered,
                symbols=[SymbolState(each.tail, each.position) for _, each in sorted(self._symbols.items())],
                signals=dict(sorted(self._signals.items())),
            )
        )

    @classmethod
    def restore(cls, setup: TradingSetup, data: bytes) -> Self:
        """The simulation as it was, going on under this setup. Raises `ForeignState` for bytes that another version kept."""
        kept = load(data)
        made = cls(setup, kept.now_ms, kept.equity_ms)
        made._finished, made._account, made._numbered = kept.finished, kept.account, kept.numbered
        made._symbols = {each.tail.symbol: _Symbol(each.tail, each.position) for each in kept.symbols}
        made._signals = kept.signals
        return made

    def know_funding(self, rates: FundingRates) -> None:
        """The settlements of a symbol, with those that have become known: none before now may differ from what it was.

        Raises `ValueError` when one does, because positions remember which settlement comes next by its number.
        """
        known = self._setup.funding.get(rates.symbol)
        passed = rates.time_ms[: int(np.searchsorted(rates.time_ms, self._now_ms))]
        if known is not None:
            before = known.time_ms[: int(np.searchsorted(known.time_ms, self._now_ms))]
            if not np.array_equal(before, passed):
                raise ValueError(f"{rates.symbol}: a settlement before now cannot be added or taken away")
        self._setup = replace(self._setup, funding={**self._setup.funding, rates.symbol: rates})

    def add_symbols(self, setup: TradingSetup) -> None:
        """Filters and funding of symbols that appear from now on; rules, costs and what is known of others stay."""
        ours = self._setup
        self._setup = replace(
            ours, filters={**setup.filters, **ours.filters}, funding={**setup.funding, **ours.funding}
        )

    def advance(
        self,
        tapes: Mapping[str, TradeTape],
        signals: Sequence[SignalScored],
        until_ms: int,
        marks: Mapping[str, MarkTape] | None = None,
    ) -> None:
        """Go on to `until_ms`, with all trades and signals since the last call and before it; `marks`: so for the mark prices of
        symbols where a signal's stop is triggered by them.

        Signals that were refused are passed over; those of one instant are taken by symbol and strategy. Raises `MissingFunding`;
        `ValueError` for times outside the slice, a signal of a symbol without a tape, or decimals that change.
        """
        if self._finished or until_ms < self._now_ms:
            raise ValueError("a simulation only goes forward")
        span = Span(self._now_ms, until_ms, self._setup.mark_ms(self._equity_ms))
        parts = self._parts(tapes, marks or {}, span)
        emitted = sorted(
            (signal for signal in signals if signal.state == "emitted"),
            key=lambda signal: (signal.event_time_ms, signal.symbol, signal.strategy, signal.version),
        )
        if emitted and not span.from_ms <= emitted[0].event_time_ms <= emitted[-1].event_time_ms < until_ms:
            raise ValueError("a signal's time is outside the slice")
        scales = {part.tape.symbol: part.tape.scale for part in parts}
        columns = signal_columns(emitted, scales, self._setup.used_filters, self._numbered)
        self._signals |= {self._numbered + k: signal for k, signal in enumerate(emitted)}
        self._numbered += len(emitted)
        market = build_market(parts, self._setup.used_funding, span)
        book = self._book()
        result = run_slice(market, terms_of(self._setup, scales, self._equity_ms), book, columns)
        self._take(result, book)
        self._keep_tails(parts)
        self._now_ms = until_ms

    def finish(self) -> None:
        """The data ends here: what is open is closed at the last price (`data_end`), what was ordered is not taken."""
        if self._finished:
            return
        self._finished = True
        span = Span(self._now_ms, self._now_ms, self._setup.mark_ms(self._equity_ms))
        parts = [Part(symbol.tail, len(symbol.tail)) for _, symbol in sorted(self._symbols.items())]
        scales = {part.tape.symbol: part.tape.scale for part in parts}
        market = build_market(parts, self._setup.used_funding, span)
        book = self._book()
        terms = terms_of(self._setup, scales, self._equity_ms)
        self._take(run_slice(market, terms, book, None), book)

    def _parts(self, tapes: Mapping[str, TradeTape], marks: Mapping[str, MarkTape], span: Span) -> list[Part]:
        """Each symbol's tape with what is carried before it, and its mark prices, in order of names."""
        for name, steps in marks.items():
            if len(steps) and not span.from_ms <= steps.time_ms[0] <= steps.time_ms[-1] < span.until_ms:
                raise ValueError(f"{name}: a mark price's time is outside the slice")
        for name, tape in sorted(tapes.items()):
            if name != tape.symbol:
                raise ValueError(f"{name}: the tape is {tape.symbol}'s")
            if len(tape) and not span.from_ms <= tape.time_ms[0] <= tape.time_ms[-1] < span.until_ms:
                raise ValueError(f"{name}: a trade's time is outside the slice")
            if name not in self._symbols:
                self._symbols[name] = _Symbol(tape.select(0, 0), np.zeros(at.POSITION_COLUMNS, np.int64))
                self._symbols[name].position[at.EVENT_MS] = at.NEVER
        parts = []
        for name, symbol in sorted(self._symbols.items()):
            coming, whole = tapes.get(name), symbol.tail
            if coming is not None:
                if coming.scale != whole.scale:
                    raise ValueError(f"{name}: the tape's decimals changed from {whole.scale} to {coming.scale}")
                whole = whole.followed_by(coming) if len(whole) else coming
            parts.append(Part(whole, len(symbol.tail), marks.get(name)))
        return parts

    def _book(self) -> Book:
        rows = [symbol.position for _, symbol in sorted(self._symbols.items())]
        return Book(self._account, books(rows))

    def _take(self, result: ArrayResult, book: Book) -> None:
        """Turn rows into outcomes, and keep the positions."""
        names = sorted(self._symbols)
        require_funding(book.account, names)
        for row in result.closed:
            signal = self._signals.pop(int(row[at.SIGNAL]))
            self._outcomes.append(outcome(row, signal, self._symbols[signal.symbol].tail.scale))
        for row in result.refused:
            self._not_taken.append(not_taken(row, self._signals.pop(int(row[at.REFUSED_SIGNAL]))))
        self._equity.append(result.equity)
        for name, row in zip(names, book.positions, strict=True):
            self._symbols[name].position = row.copy()

    def _keep_tails(self, parts: Sequence[Part]) -> None:
        """The trades that a fill of the next slice, or the end on the last trade, may look back at."""
        for part in parts:
            tape = part.tape
            since = tape.time_ms[-1] - self._setup.costs.impact_window_ms if len(tape) else 0
            self._symbols[tape.symbol].tail = tape.end_from(int(np.searchsorted(tape.time_ms, since, side="left")))
