"""One configuration on one span of time: its signals scored again, traded with all costs, and told in a row of figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from libs.trading.arrays import EQUITY_MS, ArrayResult, PreparedMarket, prepare, simulate_arrays
from libs.trading.closed import equity_marks
from libs.trading.machine import layout as at
from libs.trading.rescored_signals import rescored_signals
from libs.trading.rescoring import Crossings, rescore
from libs.trading.strategy import Strategy
from services.backtester.metrics.drawdown import drawdown
from services.backtester.metrics.figure import stable
from services.backtester.metrics.returns import DAYS_A_YEAR, daily_closes, daily_returns, sharpe
from services.backtester.result import EquityCurve, RunFacts
from services.backtester.sweep.data import SweepData

Figures = dict[str, float | None]
FIGURES = (
    *("crossings", "signals", "trades", "net", "net_r", "sharpe", "drawdown", "profit_factor"),
    *("win_rate", "expectancy", "expectancy_r"),
)
"""Columns of a row; `net` and `expectancy` in quote units, `sharpe` a year of daily returns, `drawdown` a share of the peak (0 or
above). None where a figure cannot be known (no trades, no losing trade, no two whole days)."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration's account."""

    crossings: Crossings
    result: ArrayResult
    curve: EquityCurve
    net: NDArray[np.int64]
    risk: NDArray[np.int64]
    """Of each closed position, in 10**-8 quote units."""


@dataclass(frozen=True, slots=True)
class Arena:
    """A span of data, prepared once, on which any number of configurations are tried."""

    data: SweepData
    market: PreparedMarket

    @classmethod
    def of(cls, data: SweepData) -> "Arena":
        """Of all the data, or of the part that `SweepData.within` gives."""
        span = (data.facts.start_ms, data.facts.end_ms)
        return cls(data, prepare(data.tapes, data.setup, span, EQUITY_MS, data.marks))

    def rows(self, strategies: Sequence[Strategy]) -> list[Figures]:
        """A row each, in their order."""
        return [self.figures(trial) for trial in self.trials(strategies)]

    def trials(self, strategies: Sequence[Strategy]) -> list[Trial]:
        """Score all of them at once, then trade each."""
        crossings = rescore(self.data.opinions, strategies)
        return [self._trade(strategy, crossings.of(number)) for number, strategy in enumerate(strategies)]

    def figures(self, trial: Trial) -> Figures:
        """The row of a trial, by the names of `FIGURES`; definitions are those of the reports (`metrics`)."""
        counts: Figures = {
            "crossings": float(len(trial.crossings.row)),
            "signals": float(trial.crossings.emitted.sum()),
        }
        return counts | trade_figures(trial.net, trial.risk) | curve_figures(trial.curve, self.data.facts)

    def daily(self, trial: Trial) -> NDArray[np.float64]:
        """The account's daily returns (shares)."""
        return daily_returns(daily_closes(trial.curve, self.data.facts))

    def _trade(self, strategy: Strategy, crossings: Crossings) -> Trial:
        data = self.data
        inside = self._inside(crossings)
        filters = data.setup.used_filters
        signals = rescored_signals(data.opinions, inside, strategy, data.scales, filters)
        result = simulate_arrays(self.market, signals, data.setup)
        marks = equity_marks(result.equity)
        curve = EquityCurve(marks.time_ms, marks.equity, marks.open_positions, marks.exposure)
        return Trial(inside, result, curve, result.net, self._risk(inside, result))

    def _inside(self, crossings: Crossings) -> Crossings:
        """Those within the span: cooldowns remember what was before it, trades do not."""
        time_ms = self.data.opinions.time_ms[crossings.row]
        kept = (time_ms >= self.data.facts.start_ms) & (time_ms < self.data.facts.end_ms)
        starts = np.array([0, int(kept.sum())], np.int64)
        return Crossings(
            starts, crossings.row[kept], crossings.score[kept], crossings.side[kept], crossings.reason[kept]
        )

    def _risk(self, crossings: Crossings, result: ArrayResult) -> NDArray[np.int64]:
        """|entry - first stop| * quantity, as `closed.outcome` has it."""
        opinions, closed, scales = self.data.opinions, result.closed, self.data.scales
        finer = np.array([10 ** (at.MONEY_DECIMALS - sum(scales[name])) for name in opinions.symbols], np.int64)
        unit = finer[opinions.symbol[crossings.row[result.signals]]]
        entry = closed[:, at.FIRST_FILL + at.FILL_PRICE]
        risk: NDArray[np.int64] = np.abs(entry - closed[:, at.INITIAL_STOP] * unit) * closed[:, at.QUANTITY]
        return risk


def trade_figures(net: NDArray[np.int64], risk: NDArray[np.int64]) -> Figures:
    """Figures of closed positions: their net results and initial risks in 10**-8 quote units."""
    count = len(net)
    multiples = net / risk if count else np.zeros(0)
    won, lost = int(net[net > 0].sum()), -int(net[net < 0].sum())
    total = int(net.sum()) / at.UNIT
    return {
        "trades": float(count),
        "net": stable(total),
        "net_r": stable(float(multiples.sum())),
        "profit_factor": stable(won / lost) if lost else None,
        "win_rate": stable(float((net > 0).sum()) / count) if count else None,
        "expectancy": stable(total / count) if count else None,
        "expectancy_r": stable(float(multiples.mean())) if count else None,
    }


def curve_figures(curve: EquityCurve, facts: RunFacts) -> Figures:
    """Figures of the account's curve over the range of these facts."""
    returns = daily_returns(daily_closes(curve, facts))
    return {"sharpe": sharpe(returns).value, "drawdown": drawdown(curve, facts).depth}


def a_day(sharpe_a_year: float) -> float:
    """A Sharpe ratio of daily returns before it is made one of a year."""
    return float(sharpe_a_year / np.sqrt(DAYS_A_YEAR))
