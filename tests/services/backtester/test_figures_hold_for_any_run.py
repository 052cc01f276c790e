"""Whatever a run made: figures are numbers or have a reason, tables add up, and the report is read back as it was written."""

import math
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.backtester.metrics.catalogue import BY_NAME
from services.backtester.metrics.figures import Figures
from services.backtester.report import make_report, read_report
from services.backtester.report.costs import cost_lines
from services.backtester.report.document import Report, encoded
from services.backtester.report.words import band_words, figure_words
from services.backtester.result import BacktestResult
from tests.services.backtester.results import MINUTE_MS, START_MS, curve, facts, outcome, plain_result

MONEY = st.decimals(-20_000, 20_000, places=2)


@st.composite
def runs(draw: st.DrawFn) -> BacktestResult:
    """Up to 25 trades over up to 20 days, and a curve that need not fit them: bad input must not make bad figures."""
    days = draw(st.floats(0.01, 20))
    trades = []
    for number, (gross, cost, held) in enumerate(
        draw(st.lists(st.tuples(MONEY, st.decimals(0, 50, places=2), st.integers(1, 500)), max_size=25))
    ):
        net = gross - 2 * cost
        trades.append(
            outcome(
                str(net),
                entry_ms=START_MS + number * MINUTE_MS,
                held_ms=held * MINUTE_MS,
                gross=gross,
                fees=cost,
                slippage=cost,
                score=draw(st.floats(0, 100)),
            )
        )
    points = draw(st.lists(st.tuples(st.floats(0, days), st.floats(-5_000, 50_000)), max_size=20))
    exposure = tuple(abs(equity) for _, equity in points)
    of = facts(days=days, configurations=draw(st.integers(1, 100_000)))
    return plain_result(tuple(trades), curve(*sorted(points), exposure=exposure), of)


@settings(max_examples=60, deadline=None)
@given(runs())
def test_any_run_has_a_report(run: BacktestResult) -> None:
    report = make_report(run)
    for name in Figures.__struct_fields__:
        figure = getattr(report.figures, name)
        assert (figure.value is None) == bool(figure.reason), name
        for value in (figure.value, figure.low, figure.high):
            assert value is None or math.isfinite(value), name
        assert "nan" not in figure_words(figure, BY_NAME[name]) + band_words(figure, BY_NAME[name])
    _probabilities_are(report)
    _sums_are(report, run)
    assert read_report(encoded(report)) == report
    assert make_report(run) == report


def _probabilities_are(report: Report) -> None:
    figures = report.figures
    for figure in (
        figures.luck,
        figures.deflated_sharpe,
        figures.probabilistic_sharpe,
        figures.luck_of_trades,
        figures.win_rate,
    ):
        assert figure.value is None or 0 <= figure.value <= 1
    assert figures.drawdown.value is not None
    assert figures.drawdown.value >= 0
    assert 0 <= report.deepest.under_water <= 1
    if figures.deflated_sharpe.value is not None and figures.probabilistic_sharpe.value is not None:
        assert figures.deflated_sharpe.value <= figures.probabilistic_sharpe.value


def _sums_are(report: Report, run: BacktestResult) -> None:
    net = float(sum((one.net for one in run.outcomes), Decimal(0)))
    for groups in (report.tables.by_symbol, report.tables.by_hold, report.tables.by_score, report.tables.by_hour):
        assert math.isclose(sum(group.net for group in groups), net, abs_tol=1e-3)
        assert sum(group.trades for group in groups) == len(run.outcomes)
    *steps, last = cost_lines(report)
    assert math.isclose(sum(step.amount for step in steps), last.amount, abs_tol=1e-3)
    assert msgspec.json.decode(msgspec.json.encode(report.figures), type=Figures) == report.figures
