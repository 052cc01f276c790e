"""Two runs side by side: equal ones are equal, and each kind of difference is found and counted once."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from services.backtester.report import compare, make_report, read_report, report_json, write_comparison
from services.backtester.report.comparison import encoded
from services.backtester.report.comparison_screens import summary
from services.backtester.result import BacktestResult
from tests.services.backtester.results import Shape, make_result


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return make_result(Shape(days=6))


def test_a_run_equals_itself_even_from_its_file(result: BacktestResult) -> None:
    found = compare(result, read_report(report_json(result)))
    assert found.equal
    assert (found.same_signals, found.same_outcomes) == (len(result.signals), len(result.outcomes))
    assert all(pair.difference in (0, None) for pair in found.figures)
    assert summary(found).startswith("Equal")


def test_each_difference_is_found(result: BacktestResult) -> None:
    refused = next(one for one in result.signals if one.state == "refused")
    traded = result.outcomes[0]
    other = replace(
        result,
        signals=tuple(
            msgspec.structs.replace(one, reason="warm_up" if one.reason != "warm_up" else "cooldown")
            if one is refused
            else one
            for one in result.signals[:-1]
        ),
        outcomes=(msgspec.structs.replace(traded, net=traded.net - Decimal(1)), *result.outcomes[1:-1]),
    )
    found = compare(result, other)
    assert [row.signal_id for row in found.only_a] == [result.signals[-1].signal_id]
    assert found.only_b == ()
    assert [(pair.a.signal_id, pair.b.state) for pair in found.other_signals] == [(refused.signal_id, "refused")]
    assert [(one.a_exit, one.b_exit) for one in found.other_outcomes] == [
        (traded.exit_reason, traded.exit_reason),
        (result.outcomes[-1].exit_reason, "not traded"),
    ]
    assert found.other_outcomes[1].b_r is None
    trades = next(pair for pair in found.figures if pair.name == "trades")
    assert trades.difference == -1


def test_versions_of_a_strategy_are_matched_by_place(result: BacktestResult) -> None:
    """Their signals' ids cannot be the same: name and version are part of them."""
    facts = msgspec.structs.replace(result.facts, strategies=(("v53", 1, "aa"),))
    renamed = replace(
        result,
        facts=facts,
        signals=tuple(msgspec.structs.replace(one, signal_id=f"new-{one.signal_id}") for one in result.signals),
        outcomes=tuple(msgspec.structs.replace(one, signal_id=f"new-{one.signal_id}") for one in result.outcomes),
    )
    found = compare(result, renamed)
    assert found.matched_by == "symbol and time"
    assert found.equal


def test_files_of_a_comparison(result: BacktestResult, tmp_path: Path) -> None:
    found = compare(result, make_result(Shape(days=6, seed=9)))
    paths = write_comparison(found, tmp_path)
    assert paths.json.read_bytes() == encoded(found) == encoded(compare(result, make_result(Shape(days=6, seed=9))))
    page = paths.html.read_text()
    assert "Signals only in b" in page
    assert "Net PnL" in page
    assert make_report(result).report_hash in page
