"""How much of the time and of the account was at risk, how much was traded, and how much more could be."""

from collections.abc import Sequence

import msgspec
import numpy as np

from libs.trading.outcome import Outcome
from services.backtester.metrics.figure import CENT, Figure, Floats, known, ratio, unknown
from services.backtester.metrics.trades import NO_TRADES, notional, total, traded_notional
from services.backtester.result import EquityCurve, RunFacts


class Account(msgspec.Struct, frozen=True):
    """Over the range, weighted by time: mean equity (quote units), mean and greatest exposure / equity (shares)."""

    mean_equity: float
    mean_exposure: float
    greatest_exposure: float


def time_in_market(outcomes: Sequence[Outcome], facts: RunFacts) -> float:
    """Time with at least one open position / length of the range, a share. Source: definition."""
    covered, reached = 0, facts.start_ms
    for entry, exit_ in sorted((outcome.entry.time_ms, outcome.exit_time_ms) for outcome in outcomes):
        covered += max(0, exit_ - max(entry, reached))
        reached = max(reached, exit_)
    return covered / (facts.end_ms - facts.start_ms)


def account(curve: EquityCurve, facts: RunFacts) -> Account:
    """Each point of the curve counts until the next, the last until the end, and the starting balance until the first.

    mean = sum(value * time) / sum(time). Exposure counts as 0 where no equity is left. Source: definition.
    """
    edges = np.concatenate(([facts.start_ms], curve.time_ms, [facts.end_ms]))
    spans = np.diff(np.clip(edges, facts.start_ms, facts.end_ms)).astype(np.float64)
    equity = np.concatenate(([facts.starting_balance], curve.equity))
    share = np.zeros_like(equity)
    np.divide(np.concatenate(([0.0], curve.exposure)), equity, out=share, where=equity >= CENT)
    return Account(_mean(equity, spans), _mean(share, spans), float(share.max()))


def _mean(values: Floats, spans: Floats) -> float:
    return float((values * spans).sum() / spans.sum())


def turnover(outcomes: Sequence[Outcome], mean_equity: float, days: float) -> Figure:
    """Notional of all entries and exits / mean equity / days: times the account is turned over a day. Source: definition."""
    return ratio(
        traded_notional(outcomes),
        (mean_equity if mean_equity >= CENT else 0.0) * days,
        "nothing is left of the account",
    )


def capacity(outcomes: Sequence[Outcome]) -> Figure:
    """Entry notional of a trade (quote units) at which impact would eat the whole edge, by the square-root law.

    Impact costs a trade notional * sqrt(notional), so with every size times m the run would have made
    m * (gross - fees - funding) - m^1.5 * slippage, which is 0 at m = ((gross - fees - funding) / slippage)^2; the total is
    greatest at 4/9 of that. Capacity = m * mean entry notional. It is an extrapolation: all slippage counts as impact, though
    the spread's share does not grow (so it errs to the low side), and fills are taken as certain at any size (to the high).
    Source: the law, Almgren, Thum, Hauptmann and Li (2005), "Direct estimation of equity market impact".
    """
    if not outcomes:
        return unknown(NO_TRADES)
    slippage = total(outcome.slippage for outcome in outcomes)
    if slippage <= 0:
        return unknown("no slippage was counted")
    edge = total(outcome.gross - outcome.fees - outcome.funding for outcome in outcomes)
    if edge <= 0:
        return unknown("no edge before slippage")
    mean = sum(notional(outcome.entry) for outcome in outcomes) / len(outcomes)
    return known((edge / slippage) ** 2 * mean)
