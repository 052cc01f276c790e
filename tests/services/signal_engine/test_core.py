"""The engine's core against the oracle, and the same bytes for every way to cut and restart the log."""

import random
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import decode
from libs.contracts.frames import read_columns
from libs.contracts.market import AggTradeFrame
from libs.contracts.signals import IndicatorComputed, SignalScored
from libs.contracts.topics import AGGTRADE, INDICATOR, MARKPRICE, STRATEGY_CONTROL
from libs.indicators.features import Scale, feature_row
from libs.indicators.oracle import Gap, Oracle, Trade, Watermark
from libs.indicators.settings import KernelSettings
from libs.streaming.records import Record
from libs.trading.engine.core import Evaluation
from libs.trading.engine.features import indicator_event
from libs.trading.engine.slow_inputs import as_events
from libs.trading.factor import Situation
from services.signal_engine.core import EngineCore
from services.signal_engine.snapshot import dump, load
from tests.services.frame_factory import Envelope, Row, make_frame
from tests.services.signal_engine.timelines import (
    START_MS,
    TimelineFactory,
    activation,
    bootstrap,
    mark_price,
    mixed_timeline,
    open_interest,
    random_frames,
)

KERNEL = KernelSettings()
SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
Bytes = tuple[list[bytes], list[bytes]]


def outputs(core: EngineCore, batches: Sequence[Sequence[Record]]) -> Bytes:
    """Values of the signals and of the indicators, in order."""
    signals, indicators = [], []
    for batch in batches:
        out = core.process(batch)
        signals += [output.encoded.value for output in out.signals]
        indicators += [output.encoded.value for output in out.indicators]
    return signals, indicators


def decoded(values: list[bytes]) -> list[IndicatorComputed]:
    headers = {"schema": IndicatorComputed.SCHEMA.encode(), "content-type": b"application/json"}
    found = [decode(value, headers) for value in values]
    assert all(isinstance(event, IndicatorComputed) for event in found)
    return [event for event in found if isinstance(event, IndicatorComputed)]


def oracle_events(frames: list[AggTradeFrame], symbol: str) -> list[IndicatorComputed]:
    """What the reference implementation says about one symbol, without slow inputs."""
    oracle = Oracle(KERNEL)
    for frame in frames:
        index = next(n for n, part in enumerate(frame.slices) if part.symbol == symbol)
        rows = read_columns(frame)
        holes = [hole for hole in frame.holes if hole.symbol == symbol]
        for at in (rows.symbol_index == index).nonzero()[0]:
            while holes and holes[0].last_missing_id < rows.agg_id[at]:
                hole = holes.pop(0)
                missing = hole.last_missing_id - hole.first_missing_id + 1
                oracle.feed(0, Gap(hole.last_missing_id, hole.from_ms, hole.to_ms, missing))
            sold = bool(rows.buyer_is_maker[at])
            agg_id, time, price, quantity = (int(c[at]) for c in (rows.agg_id, rows.time, rows.price, rows.quantity))
            oracle.feed(0, Trade(agg_id, time, price, quantity, sold))
        oracle.feed(0, Watermark(frame.slices[index].watermark_ms))
    scale = Scale(symbol, 2, 3)
    features = (feature_row(row, scale, KERNEL) for row in oracle.rows)
    return [indicator_event(Evaluation(Situation(row, {}), (), [], "", []), KERNEL.evaluation_ms) for row in features]


def test_indicators_are_the_oracles() -> None:
    frames = random_frames(3, SYMBOLS, 900)
    timeline = TimelineFactory()
    timeline.fence()
    for frame in frames:
        timeline.copy(AGGTRADE, frame)
    events = decoded(outputs(EngineCore(KERNEL), [timeline.records])[1])
    assert len(events) > 60
    assert {event.windows[0].coverage for event in events} > {0.0, 1.0}
    assert any(event.trades_missing for event in events)
    for symbol in SYMBOLS:
        assert [event for event in events if event.symbol == symbol] == oracle_events(frames, symbol)


@given(st.integers(0, 20), st.lists(st.integers(1, 60), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_any_cut_and_any_restart_give_the_same_bytes(seed: int, sizes: list[int]) -> None:
    records = mixed_timeline(seed, SYMBOLS, 150).records
    whole = EngineCore(KERNEL)
    expected = outputs(whole, [records])
    core, at = EngineCore(KERNEL), 0
    got: Bytes = ([], [])
    dice = random.Random(seed)
    while at < len(records):
        size = dice.choice(sizes)
        part = outputs(core, [records[at : at + size]])
        got = (got[0] + part[0], got[1] + part[1])
        at += size
        core = load(dump(core), KERNEL, core.next_offset)
    assert got == expected
    assert expected[0]
    assert expected[1]
    assert dump(core) == dump(whole)


def test_a_replay_is_silent_up_to_what_others_have_seen_and_skips_what_it_has_taken() -> None:
    records = mixed_timeline(5, SYMBOLS, 300).records
    expected = outputs(EngineCore(KERNEL), [records])[1]
    events = decoded(expected)
    seen = events[: len(events) // 2]
    core = EngineCore(KERNEL)
    core.silent_until = {symbol: max(e.event_time_ms for e in seen if e.symbol == symbol) for symbol in SYMBOLS}
    assert sorted(outputs(core, [records])[1]) == sorted(expected[len(seen) :])
    assert outputs(core, [records]) == ([], [])


def test_garbage_in_the_timeline_is_refused_and_the_stream_goes_on() -> None:
    timeline = TimelineFactory()
    timeline.fence()
    frames = random_frames(1, SYMBOLS, 200)
    for number, frame in enumerate(frames):
        timeline.copy(AGGTRADE, frame)
        if number == 50:
            timeline.garbage(b"\xff", {"schema": b"agg_trade_frame/1", "content-type": b"application/msgpack"})
            timeline.garbage(b"{}", {"schema": b"no_such_thing/1"})
    out = EngineCore(KERNEL).process(timeline.records)
    assert [problem.reason for _, problem in out.refused] == ["bad_timeline_header", "unknown_schema"]
    assert len(out.indicators) == sum(len(oracle_events(frames, symbol)) for symbol in SYMBOLS)


def test_a_slow_input_counts_from_its_place_in_the_log() -> None:
    timeline = TimelineFactory()
    timeline.fence()
    for number in range(4):
        time_ms = START_MS + 15_000 * number
        rows = [Row("BTCUSDT", number, 100, 1, time_ms, False)]
        timeline.copy(AGGTRADE, make_frame(Envelope(sequence=number), rows, {"BTCUSDT": time_ms - 1}))
        timeline.copy(INDICATOR, open_interest("BTCUSDT", time_ms, str(number)))
    events = decoded(outputs(EngineCore(KERNEL), [timeline.records])[1])
    assert [[(i.name, int(i.value), i.age_ms) for i in event.slow_inputs] for event in events] == [
        [("open_interest", number, 15_000)] for number in range(3)
    ]


def test_slow_inputs_are_in_the_event_by_name() -> None:
    core = EngineCore(KERNEL)
    core.engine.symbol_inputs("BTCUSDT").take_indicator(open_interest("BTCUSDT", 1_000, "5"))
    readings = core.engine.symbol_inputs("BTCUSDT").at(2_000)
    assert [(item.name, item.as_of_ms, item.age_ms) for item in as_events(readings, 2_000)] == [
        ("open_interest", 1_000, 1_000)
    ]


def one_trade_a_grid(timeline: TimelineFactory, grids: range) -> None:
    """A mark price and a frame that releases one evaluation for each number."""
    for number in grids:
        time_ms = START_MS + 15_000 * number
        timeline.copy(MARKPRICE, mark_price("BTCUSDT", time_ms, 10_010))
        rows = [Row("BTCUSDT", number, 5_000_000, 1, time_ms, False)]
        timeline.copy(AGGTRADE, make_frame(Envelope(sequence=number), rows, {"BTCUSDT": time_ms - 1}))


def signals_of(core: EngineCore, records: Sequence[Record]) -> list[SignalScored]:
    headers = {"schema": SignalScored.SCHEMA.encode(), "content-type": b"application/json"}
    found = [decode(value, headers) for value in outputs(core, [records])[0]]
    return [event for event in found if isinstance(event, SignalScored)]


def grid_of(signal: SignalScored) -> int:
    return (signal.event_time_ms - START_MS) // 15_000


def test_a_strategy_counts_from_its_place_until_it_is_withdrawn() -> None:
    timeline = TimelineFactory()
    timeline.fence()
    timeline.copy(AGGTRADE, bootstrap("BTCUSDT", 1))
    one_trade_a_grid(timeline, range(4))
    timeline.copy(STRATEGY_CONTROL, activation(50))
    one_trade_a_grid(timeline, range(4, 9))
    timeline.copy(STRATEGY_CONTROL, activation(50, enabled=False))
    one_trade_a_grid(timeline, range(9, 11))
    found = signals_of(EngineCore(KERNEL), timeline.records)
    assert [(grid_of(signal), signal.state, signal.reason) for signal in found] == [
        (4, "emitted", None),
        (5, "refused", "cooldown"),
        (6, "refused", "cooldown"),
        (7, "emitted", None),
        (8, "refused", "cooldown"),
        (9, "refused", "disabled"),
        (10, "refused", "disabled"),
    ]
    assert {signal.direction for signal in found} == {"short"}
    assert all(signal.stop_loss > signal.price > signal.take_profit_1 for signal in found)  # type: ignore[operator]


def test_what_is_withdrawn_is_what_is_in_force_also_after_a_refused_version() -> None:
    """A person who withdraws a strategy after a refusal means the version that signals, not the one that never counted."""
    timeline = TimelineFactory()
    timeline.fence()
    timeline.copy(AGGTRADE, bootstrap("BTCUSDT", 1))
    timeline.copy(STRATEGY_CONTROL, activation(50))
    one_trade_a_grid(timeline, range(4))
    refused = bytes(activation(50, version=2).definition).replace(b'"basis"', b'"nobody_knows"')
    timeline.copy(STRATEGY_CONTROL, msgspec.structs.replace(activation(50, version=2), definition=msgspec.Raw(refused)))
    one_trade_a_grid(timeline, range(4, 8))
    gone = activation(50, version=2, enabled=False)
    timeline.copy(STRATEGY_CONTROL, msgspec.structs.replace(gone, definition=msgspec.Raw(refused)))
    one_trade_a_grid(timeline, range(8, 12))
    core = EngineCore(KERNEL)
    whole = signals_of(core, timeline.records)
    assert {signal.version for signal in whole} == {1}
    assert [signal.reason for signal in whole if grid_of(signal) > 7] == ["disabled"] * 4
    assert "disabled" not in {signal.reason for signal in whole if grid_of(signal) <= 7}
    first, rest = EngineCore(KERNEL), timeline.records[-3:]
    before = signals_of(first, timeline.records[:-3])
    restored = load(dump(first), KERNEL, first.next_offset)
    assert before + signals_of(restored, rest) == whole, "a snapshot forgets what was withdrawn"


def test_a_strategy_that_asks_for_seconds_gets_a_grid_of_seconds() -> None:
    timeline = TimelineFactory()
    timeline.fence()
    timeline.copy(STRATEGY_CONTROL, activation(50, interval="1s"))
    one_trade_a_grid(timeline, range(3))
    core = EngineCore(KERNEL)
    events = decoded(outputs(core, [timeline.records])[1])
    assert [event.event_time_ms for event in events] == [START_MS + 1_000 * n for n in range(1, 31)]
    assert {event.interval_ms for event in events} == {1_000}
    assert load(dump(core), KERNEL, 0).engine.kernel.settings.evaluation_ms == 1_000


def test_a_broken_strategy_is_refused_and_the_old_one_stays() -> None:
    timeline = TimelineFactory()
    timeline.fence()
    timeline.copy(AGGTRADE, bootstrap("BTCUSDT", 1))
    timeline.copy(STRATEGY_CONTROL, activation(50))
    timeline.copy(STRATEGY_CONTROL, activation(500, version=2))
    one_trade_a_grid(timeline, range(2))
    out = EngineCore(KERNEL).process(timeline.records)
    assert [problem.reason for _, problem in out.refused] == ["bad_strategy"]
    assert [count.state for count in out.counts] == ["emitted"]
    first, second = out.answers
    assert (first.taken, first.version, first.activation_id, first.reason) == (True, 1, activation(50).event_id, "")
    assert (second.taken, second.version, second.activation_id) == (False, 2, activation(500, version=2).event_id)
    assert "basis_only: $.threshold: must be at most 100" in second.reason
    assert (second.partition, second.offset) == (out.refused[0][0].partition, out.refused[0][0].offset)
    again = EngineCore(KERNEL).process(timeline.records).answers
    assert again == out.answers, "a replay answers otherwise"
