"""A sweep's row is what `backtest run` would have said of that configuration."""

import pytest
from msgspec import UNSET

from services.backtester.sweep.trial import Arena
from tests.services.backtester.sweep.markets import base, collected


def test_the_base_strategy_is_told_as_its_report_tells_it() -> None:
    found = collected()
    trial = Arena.of(found.data).trials([base()])[0]
    row = Arena.of(found.data).figures(trial)
    result, expected = found.result, found.figures
    assert len(result.outcomes) > 10
    assert row["crossings"] == sum(signal.ungated_score is UNSET for signal in found.heard)
    assert row["signals"] == sum(signal.state == "emitted" for signal in result.signals)
    assert sorted(trial.net.tolist()) == sorted(int(outcome.net.scaleb(8)) for outcome in result.outcomes)
    for name, known in {
        "trades": expected.trades,
        "net": expected.net,
        "net_r": expected.total_r,
        "sharpe": expected.sharpe,
        "drawdown": expected.drawdown,
        "profit_factor": expected.profit_factor,
        "win_rate": expected.win_rate,
        "expectancy": expected.expectancy,
        "expectancy_r": expected.expectancy_r,
    }.items():
        assert known.value is not None, name
        assert row[name] == pytest.approx(known.value, rel=1e-9), name


def test_a_signal_of_the_warm_up_is_not_traded_but_its_cooldown_holds() -> None:
    found = collected()
    arena = Arena.of(found.data)
    start_ms = found.data.facts.start_ms
    trial = arena.trials([base()])[0]
    assert found.data.opinions.time_ms.min() < start_ms
    assert found.data.opinions.time_ms[trial.crossings.row].min() >= start_ms


def test_a_part_of_the_range_trades_only_its_own() -> None:
    data = collected().data
    middle_ms = (data.facts.start_ms + data.facts.end_ms) // 2
    halves = [data.within(data.facts.start_ms, middle_ms), data.within(middle_ms, data.facts.end_ms)]
    trials = [Arena.of(half).trials([base()])[0] for half in halves]
    for half, trial in zip(halves, trials, strict=True):
        assert len(trial.net) > 0
        assert trial.result.entry_ms.min() >= half.facts.start_ms
        assert trial.result.exit_ms.max() <= half.facts.end_ms
