"""What a backtest gives: everything that a report, a comparison or a drift check needs, and nothing of how it was made."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from libs.contracts.signals import SignalScored
from libs.trading.outcome import NotTaken, Outcome

View = Literal["as-seen", "repaired"]
TRADES = "trades"
"""The name under which coverage says how many of a symbol's trades are there."""
WARM_UP = "trades of the warm-up"
"""The same of the time before the range; stated only where something is missing."""
MARKS_OF_STOPS = "mark prices of stops"
"""The same of mark prices; stated only where they trigger stops."""


class InputCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one input of a symbol the range has: share from 0 to 1, rows, and what is missing, a clause ("" if nothing).
    `insisted`: a strategy refuses to signal without it."""

    symbol: str
    name: str
    share: float
    rows: int
    missing: str = ""
    insisted: bool = False


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Evaluations of a strategy (name and version) without a signal, by why; `share` of those at which it was asked."""

    strategy: str
    reason: str
    count: int
    share: float


class RunFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was run over what. Times in ms [start, end); money in quote units. `assumptions`: one line each, printed on top of
    every report (fees, slippage, latency, funding, filters, or that they were off). `ideal`: costs were turned off, and the
    report is branded. `configurations`: how many were tried to arrive at this one (1 for a single run)."""

    strategies: tuple[tuple[str, int, str], ...]
    """Name, version and content digest of each."""
    symbols: tuple[str, ...]
    source: str
    """In words, with the folder: for people. Where the files lie changes nothing, so it is not hashed; `source_kind` is."""
    view: View
    start_ms: int
    end_ms: int
    ideal: bool
    assumptions: tuple[str, ...]
    starting_balance: float
    risk_per_trade: float
    code_version: str
    source_kind: str = ""
    configurations: int = 1
    trades_read: int = 0
    evaluations: int = 0

    @property
    def days(self) -> float:
        return (self.end_ms - self.start_ms) / dt.timedelta(days=1).total_seconds() / 1000


class SignalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A signal in short, so that a long range fits the memory; the whole story stays with the engine's records."""

    signal_id: str
    time_ms: int
    strategy: str
    version: int
    symbol: str
    direction: str
    score: float
    state: str
    reason: str | None
    price: str

    @staticmethod
    def of(signal: SignalScored) -> "SignalRow":
        """The row of a signal."""
        return SignalRow(
            signal_id=signal.event_id,
            time_ms=signal.event_time_ms,
            strategy=signal.strategy,
            version=signal.version,
            symbol=signal.symbol,
            direction=signal.direction,
            score=signal.score,
            state=signal.state,
            reason=signal.reason,
            price=format(signal.price, "f"),
        )


@dataclass(frozen=True, slots=True)
class Candles:
    """Bars of one symbol for the charts, oldest first; times are the bars' starts (ms), prices in quote units."""

    interval_ms: int
    time_ms: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EquityCurve:
    """The account at instants (ms), marked to the market: balance plus unrealised, in quote units; open positions then."""

    time_ms: NDArray[np.int64]
    equity: NDArray[np.float64]
    open_positions: NDArray[np.int64]
    exposure: NDArray[np.float64]
    """Notional of all open positions, in quote units."""


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """One run. `signals` in order of time, symbol and strategy: emitted and refused; `outcomes` in order of their exits."""

    facts: RunFacts
    coverage: tuple[InputCoverage, ...]
    signals: tuple[SignalRow, ...]
    outcomes: tuple[Outcome, ...]
    not_taken: tuple[NotTaken, ...]
    equity: EquityCurve
    silences: tuple[Silence, ...] = ()
    candles: dict[str, Candles] = field(default_factory=dict)
