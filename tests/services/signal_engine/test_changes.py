"""A change of configuration counts from one evaluation on, on every worker, and each row keeps what the factors gave."""

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.control import StrategyActivated
from libs.contracts.signals import IndicatorComputed
from libs.contracts.topics import AGGTRADE, STRATEGY_CONTROL
from libs.streaming.records import Record
from services.signal_engine.core import EngineCore
from services.signal_engine.snapshot import dump, load
from tests.services.signal_engine.test_core import KERNEL, decoded, one_trade_a_grid, outputs, signals_of
from tests.services.signal_engine.timelines import START_MS, TimelineFactory, activation, bootstrap


def _changing() -> list[Record]:
    """Ten evaluations; version 2 stands between the fifth and the sixth, version 3 between the eighth and the ninth."""
    timeline = TimelineFactory()
    timeline.fence()
    timeline.copy(AGGTRADE, bootstrap("BTCUSDT", 1))
    timeline.copy(STRATEGY_CONTROL, activation(50))
    one_trade_a_grid(timeline, range(1, 6))
    timeline.copy(STRATEGY_CONTROL, activation(60, version=2))
    one_trade_a_grid(timeline, range(6, 9))
    timeline.beat()
    timeline.copy(STRATEGY_CONTROL, activation(70, version=3))
    one_trade_a_grid(timeline, range(9, 11))
    return timeline.records


def _versions(core: EngineCore, batches: Sequence[Sequence[Record]]) -> list[tuple[int, int, float]]:
    """Number of the grid, version and threshold of each evaluation."""
    found: list[IndicatorComputed] = decoded(outputs(core, batches)[1])
    return [
        ((event.event_time_ms - START_MS) // 15_000, score.version, score.threshold)
        for event in found
        for score in event.scores
    ]


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), restarted=st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_change_counts_from_the_same_evaluation_on_every_worker(sizes: list[int], restarted: bool) -> None:
    """One worker takes the log at once, the other in pieces and perhaps with a restart in each: same bytes, same place."""
    records = _changing()
    expected = (
        [(n, 1, 50.0) for n in range(1, 6)] + [(n, 2, 60.0) for n in range(6, 9)] + [(n, 3, 70.0) for n in (9, 10)]
    )
    assert _versions(EngineCore(KERNEL), [records]) == expected
    whole = outputs(EngineCore(KERNEL), [records])
    core, at, got = EngineCore(KERNEL), 0, ([], [])  # type: tuple[EngineCore, int, tuple[list[bytes], list[bytes]]]
    while at < len(records):
        size = sizes[at % len(sizes)]
        signals, indicators = outputs(core, [records[at : at + size]])
        got[0].extend(signals)
        got[1].extend(indicators)
        at += size
        core = load(dump(core), KERNEL, core.next_offset) if restarted else core
    assert got == whole


def _named(event: StrategyActivated, name: str) -> StrategyActivated:
    definition = msgspec.json.decode(bytes(event.definition)) | {"name": name}
    return msgspec.structs.replace(event, strategy=name, definition=msgspec.Raw(msgspec.json.encode(definition)))


def test_the_rows_of_fifteen_seconds_are_there_on_a_grid_of_one() -> None:
    """Each keeps the inputs, and of each due strategy what its factors gave; a signal finds its row by symbol and time."""
    timeline = TimelineFactory()
    timeline.fence()
    timeline.copy(AGGTRADE, bootstrap("BTCUSDT", 1))
    timeline.copy(STRATEGY_CONTROL, activation(50, interval="1s"))
    timeline.copy(STRATEGY_CONTROL, _named(activation(50), "slow"))
    one_trade_a_grid(timeline, range(1, 5))
    rows = {event.event_time_ms: event for event in decoded(outputs(EngineCore(KERNEL), [timeline.records])[1])}
    coarse = [START_MS + 15_000 * number for number in range(2, 5)]  # the first trade is in the first bucket
    assert set(coarse) <= set(rows)
    for time_ms, row in rows.items():
        due = ["basis_only", "slow"] if time_ms in coarse else ["basis_only"]
        assert [score.strategy for score in row.scores] == due
        for score in row.scores:
            if any(item.name == "mark_price" for item in row.slow_inputs):
                assert score.contributions == {"basis": -1.0}
            else:
                assert score.contributions == {}
    signals = signals_of(EngineCore(KERNEL), timeline.records)
    assert signals
    for signal in signals:
        row = rows[signal.event_time_ms]
        assert (row.symbol, row.price) == (signal.symbol, signal.price)
        assert signal.strategy in {score.strategy for score in row.scores}
