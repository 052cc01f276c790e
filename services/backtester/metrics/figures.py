"""Every figure of a result, with its band where one can be given."""

from collections.abc import Callable

import msgspec
import numpy as np

from services.backtester.metrics import exposure, trades
from services.backtester.metrics.bootstrap import (
    band,
    day_statistics,
    luck_of_trades,
    quantile,
    resampled,
    trade_statistics,
)
from services.backtester.metrics.drawdown import drawdown
from services.backtester.metrics.figure import Figure, Floats, banded, known, ratio, unknown
from services.backtester.metrics.luck import LEAST_SAMPLE, deflated_sharpe, probabilistic_sharpe
from services.backtester.metrics.returns import (
    cagr,
    calmar,
    daily_closes,
    daily_returns,
    sharpe,
    sortino,
    volatility,
)
from services.backtester.result import BacktestResult

_EXPECTED_DEPTH = 0.95
_BANDED = (
    *("net", "expectancy", "expectancy_r", "win_rate", "profit_factor"),
    *("sharpe", "sortino", "volatility", "cagr"),
)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures by name; `services.backtester.metrics.catalogue` says what each is, in which unit, and whence."""

    net: Figure
    gross: Figure
    fees: Figure
    slippage: Figure
    funding: Figure
    total_return: Figure
    total_r: Figure
    cagr: Figure
    volatility: Figure
    sharpe: Figure
    sortino: Figure
    calmar: Figure
    trades: Figure
    win_rate: Figure
    profit_factor: Figure
    payoff: Figure
    expectancy: Figure
    expectancy_r: Figure
    best_r: Figure
    worst_r: Figure
    win_streak: Figure
    loss_streak: Figure
    median_hold: Figure
    mean_hold: Figure
    drawdown: Figure
    drawdown_amount: Figure
    drawdown_expected: Figure
    longest_under_water: Figure
    time_under_water: Figure
    time_in_market: Figure
    mean_exposure: Figure
    greatest_exposure: Figure
    turnover: Figure
    capacity: Figure
    score_correlation: Figure
    probabilistic_sharpe: Figure
    deflated_sharpe: Figure
    luck_of_trades: Figure
    luck: Figure


def figures(result: BacktestResult) -> Figures:
    """All figures of a result; a pure function of it, bands included."""
    parts = _money(result) | _trades(result) | _account(result) | _returns(result)
    draws = _trade_draws(result)
    parts["luck_of_trades"] = _luck_of_trades(result, draws)
    parts["luck"] = _luck(parts["deflated_sharpe"], parts["luck_of_trades"])
    parts["drawdown_expected"] = _expected_drawdown(draws)
    for name, values in (draws | _day_draws(result)).items():
        if name in _BANDED:
            parts[name] = banded(parts[name], band(values))
    return Figures(**parts)


def _luck(deflated: Figure, of_trades: Figure) -> Figure:
    """The greater of the two probabilities that are known: days see what trades share, trades see more than few days."""
    found = [of_trades.value] if of_trades.value is not None else []
    if deflated.value is not None:
        found.append(1 - deflated.value)
    return known(max(found)) if found else unknown(of_trades.reason)


def _money(result: BacktestResult) -> dict[str, Figure]:
    outcomes = result.outcomes
    return {
        "net": known(trades.total(outcome.net for outcome in outcomes)),
        "gross": known(trades.total(outcome.gross for outcome in outcomes)),
        "fees": known(trades.total(outcome.fees for outcome in outcomes)),
        "slippage": known(trades.total(outcome.slippage for outcome in outcomes)),
        "funding": known(trades.total(outcome.funding for outcome in outcomes)),
        "total_r": known(float(trades.multiples(outcomes).sum())),
    }


def _trades(result: BacktestResult) -> dict[str, Figure]:
    outcomes = result.outcomes
    wins, losses = trades.streaks(outcomes)
    return {
        "trades": known(len(outcomes)),
        "win_rate": trades.win_rate(outcomes),
        "profit_factor": trades.profit_factor(outcomes),
        "payoff": trades.payoff(outcomes),
        "expectancy": trades.expectancy(outcomes),
        "expectancy_r": trades.expectancy_r(outcomes),
        "best_r": _of_trades(result, lambda found: float(found.max())),
        "worst_r": _of_trades(result, lambda found: float(found.min())),
        "win_streak": known(wins) if outcomes else unknown(trades.NO_TRADES),
        "loss_streak": known(losses) if outcomes else unknown(trades.NO_TRADES),
        "median_hold": trades.median_hold(outcomes),
        "mean_hold": trades.mean_hold(outcomes),
        "score_correlation": trades.score_correlation(outcomes),
        "capacity": exposure.capacity(outcomes),
    }


def _of_trades(result: BacktestResult, take: Callable[[Floats], float]) -> Figure:
    found = trades.multiples(result.outcomes)
    return known(take(found)) if found.size else unknown(trades.NO_TRADES)


def _account(result: BacktestResult) -> dict[str, Figure]:
    facts, outcomes = result.facts, result.outcomes
    fall = drawdown(result.equity, facts)
    account = exposure.account(result.equity, facts)
    return {
        "drawdown": known(fall.depth),
        "drawdown_amount": known(fall.amount),
        "longest_under_water": known(fall.longest_ms),
        "time_under_water": known(fall.under_water),
        "time_in_market": known(exposure.time_in_market(outcomes, facts)),
        "mean_exposure": known(account.mean_exposure),
        "greatest_exposure": known(account.greatest_exposure),
        "turnover": exposure.turnover(outcomes, account.mean_equity, facts.days),
    }


def _returns(result: BacktestResult) -> dict[str, Figure]:
    facts = result.facts
    returns = daily_returns(daily_closes(result.equity, facts))
    last = float(result.equity.equity[-1]) if result.equity.equity.size else facts.starting_balance
    growth = cagr(facts.starting_balance, last, facts.days)
    return {
        "total_return": ratio(last - facts.starting_balance, facts.starting_balance, "no starting balance"),
        "cagr": growth,
        "volatility": volatility(returns),
        "sharpe": sharpe(returns),
        "sortino": sortino(returns),
        "calmar": calmar(growth, drawdown(result.equity, facts).depth),
        "probabilistic_sharpe": probabilistic_sharpe(returns),
        "deflated_sharpe": deflated_sharpe(returns, facts.configurations),
    }


def _trade_draws(result: BacktestResult) -> dict[str, Floats]:
    """Resampled trades; nothing where there are too few."""
    if len(result.outcomes) < LEAST_SAMPLE:
        return {}
    columns = np.stack([trades.nets(result.outcomes), trades.multiples(result.outcomes)])
    return resampled(columns, trade_statistics(result.facts.starting_balance))


def _day_draws(result: BacktestResult) -> dict[str, Floats]:
    """Resampled days; nothing where there are too few."""
    returns = daily_returns(daily_closes(result.equity, result.facts))
    return resampled(returns[np.newaxis], day_statistics()) if returns.size >= LEAST_SAMPLE else {}


def _luck_of_trades(result: BacktestResult, draws: dict[str, Floats]) -> Figure:
    if "expectancy_r" not in draws:
        return unknown(f"needs {LEAST_SAMPLE} trades")
    mean = float(trades.multiples(result.outcomes).mean())
    return luck_of_trades(mean, draws["expectancy_r"], result.facts.configurations)


def _expected_drawdown(draws: dict[str, Floats]) -> Figure:
    """The depth that one in twenty orders of these trades exceeds, a share of the peak of closed trades."""
    if "drawdown" not in draws:
        return unknown(f"needs {LEAST_SAMPLE} trades")
    return known(quantile(draws["drawdown"], _EXPECTED_DEPTH))
