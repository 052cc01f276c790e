"""What a feed says of itself, and what is missing, decide whether a signal is made: at their place in the log, not before."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.codec import decode
from libs.contracts.market import AggTradeFrame, FeedState, FeedStatusChanged, Hole
from libs.contracts.signals import SignalScored
from libs.contracts.topics import AGGTRADE, FEEDSTATUS, MARKPRICE, STRATEGY_CONTROL
from libs.indicators.kernel import Kernel, LogRows
from libs.indicators.kernel.engine import Evaluations
from libs.indicators.log import LogBatch
from libs.indicators.settings import KernelSettings
from libs.streaming.records import Record
from libs.trading.engine.slow_inputs import SymbolInputs
from services.signal_engine.core import EngineCore
from services.signal_engine.snapshot import dump, load
from tests.services.frame_factory import Envelope, Row, make_frame
from tests.services.signal_engine.test_core import SYMBOLS, decoded, outputs, signals_of
from tests.services.signal_engine.timelines import (
    START_MS,
    TimelineFactory,
    activation,
    bootstrap,
    feed_report,
    mark_price,
    mixed_timeline,
)

KERNEL = KernelSettings()
SYMBOL = "BTCUSDT"
GRID_MS = 15_000


def grid(number: float) -> int:
    return START_MS + int(GRID_MS * number)


def frame_at(number: int, holes: tuple[Hole, ...] = (), agg_id: int | None = None) -> AggTradeFrame:
    """One trade on the grid, which releases the evaluation there."""
    rows = [Row(SYMBOL, number if agg_id is None else agg_id, 5_000_000, 1, grid(number), False)]
    return make_frame(Envelope(sequence=number), rows, {SYMBOL: grid(number) - 1}, holes)


def timeline_of(reports: dict[int, FeedStatusChanged], grids: int = 8) -> TimelineFactory:
    """A strategy that signals at each evaluation (less its cooldown of 40 s), and reports before the frames of a number."""
    timeline = TimelineFactory()
    timeline.fence()
    timeline.copy(AGGTRADE, bootstrap(SYMBOL, 1))
    timeline.copy(STRATEGY_CONTROL, activation(50))
    for number in range(grids):
        if number in reports:
            timeline.copy(FEEDSTATUS, reports[number])
        timeline.copy(MARKPRICE, mark_price(SYMBOL, grid(number), 10_010))
        timeline.copy(AGGTRADE, frame_at(number))
    return timeline


def verdicts(records: Sequence[Record]) -> dict[int, str]:
    """By evaluation number: "emitted", or why not."""
    return {
        (signal.event_time_ms - START_MS) // GRID_MS: signal.reason or signal.state
        for signal in signals_of(EngineCore(KERNEL), records)
    }


@pytest.mark.parametrize("state", ["starting", "silent", "stale", "halted", "down"])
def test_no_signal_is_made_from_a_feed_that_is_not_live(state: FeedState) -> None:
    reports = {
        0: feed_report(SYMBOL, "live", grid(0), grid(0)),
        2: feed_report(SYMBOL, state, grid(1.5), grid(1.5)),
        5: feed_report(SYMBOL, "live", grid(4.5), grid(4.5)),
    }
    found = verdicts(timeline_of(reports).records)
    assert found == {
        1: "emitted",
        **dict.fromkeys((2, 3, 4), "feed_not_live"),
        5: "emitted",
        **dict.fromkeys((6, 7), "cooldown"),
    }
    refused = signals_of(EngineCore(KERNEL), timeline_of(reports).records)[1]
    assert refused.sentence.endswith(f"; refused because the trade feed had been {state} for 7 seconds")


def test_a_state_counts_from_when_it_began_and_for_no_evaluation_before() -> None:
    live = feed_report(SYMBOL, "live", grid(0), grid(0))
    after = feed_report(SYMBOL, "silent", grid(3) + 1, grid(3) + 1)
    # Told before the frames that release evaluations 1 to 3: it looks ahead of them, and does not count for them.
    assert verdicts(timeline_of({0: live, 1: after}).records) == {
        1: "emitted",
        **dict.fromkeys((2, 3), "cooldown"),
        **dict.fromkeys((4, 5, 6, 7), "feed_not_live"),
    }
    begun = feed_report(SYMBOL, "silent", grid(3) + 1, grid(1))
    assert verdicts(timeline_of({0: live, 1: begun}).records)[1] == "feed_not_live"


def test_a_report_counts_from_when_it_is_told_if_something_else_was_told_of_the_time_before() -> None:
    inputs = SymbolInputs()
    said: list[tuple[FeedState, int, int]] = [("live", 10, 10), ("silent", 20, 20), ("live", 30, 10)]
    for state, at_ms, since_ms in said:
        inputs.take_feed(feed_report(SYMBOL, state, at_ms, since_ms))
    assert [inputs.feeds_at(now)["trades"].state for now in (19, 20, 29, 30)] == ["live", "silent", "silent", "live"]


def test_a_feed_that_has_said_nothing_is_judged_by_its_watermarks() -> None:
    assert "feed_not_live" not in verdicts(timeline_of({}).records).values()
    other = feed_report("ETHUSDT", "down", grid(0), grid(0))
    assert "feed_not_live" not in verdicts(timeline_of({0: other}).records).values()


class CountingKernel(Kernel):
    """Counts how often it is run."""

    runs = 0

    def process(self, rows: LogBatch | LogRows) -> Evaluations:
        self.runs += 1
        return super().process(rows)


def test_a_report_that_repeats_a_state_costs_no_run_of_the_kernel() -> None:
    def runs(*reports: FeedStatusChanged) -> int:
        timeline = TimelineFactory()
        timeline.fence()
        timeline.copy(FEEDSTATUS, feed_report(SYMBOL, "live", grid(0), grid(0)))
        for number in range(4):
            timeline.copy(AGGTRADE, frame_at(number))
            if number < len(reports):
                timeline.copy(FEEDSTATUS, reports[number])
        core = EngineCore(KERNEL)
        core.engine.kernel = counted = CountingKernel(KERNEL)
        core.process(timeline.records)
        return counted.runs

    repeats = [feed_report(SYMBOL, "live", grid(number), grid(0)) for number in range(1, 4)]
    assert runs(*repeats) == 1
    assert runs(repeats[0], feed_report(SYMBOL, "silent", grid(2), grid(2)), repeats[2]) == 3
    assert runs(*[feed_report(SYMBOL, "down", grid(n), grid(n), "no_factor_reads_it") for n in range(3)]) == 1


@given(st.integers(0, 30))
@settings(max_examples=15, deadline=None)
def test_repeated_reports_change_no_output_wherever_they_stand(seed: int) -> None:
    timeline, plain = mixed_timeline(seed, SYMBOLS, 120), EngineCore(KERNEL)
    records = timeline.records
    told: dict[tuple[str, str], FeedStatusChanged] = {}
    core, expected = EngineCore(KERNEL), outputs(plain, [records])
    got: tuple[list[bytes], list[bytes]] = ([], [])
    for record in records:
        part = outputs(core, [[record]])
        got = (got[0] + part[0], got[1] + part[1])
        event = (
            decode(record.value, record.headers) if record.headers.get("schema") == b"feed_status_changed/1" else None
        )
        if isinstance(event, FeedStatusChanged):
            told[event.symbol, event.feed] = event
        for known in told.values():
            assert not core.engine.symbol_inputs(known.symbol).is_news(known)
            core.engine.symbol_inputs(known.symbol).take_feed(known)
    assert got == expected
    assert dump(core) == dump(plain)


def test_a_snapshot_keeps_the_states_of_feeds() -> None:
    reports = {0: feed_report(SYMBOL, "live", grid(0), grid(0)), 2: feed_report(SYMBOL, "silent", grid(2), grid(2))}
    records = timeline_of(reports).records
    cut = len(records) - 6
    core = EngineCore(KERNEL)
    first = outputs(core, [records[:cut]])[0]
    restored = load(dump(core), KERNEL, core.next_offset)
    assert restored.engine.inputs == core.engine.inputs
    rest = outputs(restored, [records[cut:]])[0]
    assert first + rest == outputs(EngineCore(KERNEL), [records])[0]
    headers = {"schema": SignalScored.SCHEMA.encode(), "content-type": b"application/json"}
    last = decode(rest[-1], headers)
    assert isinstance(last, SignalScored)
    assert last.reason == "feed_not_live"


def test_a_hole_lowers_the_coverage_of_exactly_the_windows_it_lies_in() -> None:
    timeline = TimelineFactory()
    timeline.fence()
    timeline.copy(AGGTRADE, bootstrap(SYMBOL, 1))
    # Ids 2 to 9 lie somewhere between the trades at grids 1 and 3: three buckets of 15 s are touched, 1 to 3.
    hole = Hole(SYMBOL, 2, 9, grid(1), grid(3), "test")
    for number in range(26):
        if number == 2:
            continue
        holes = (hole,) if number == 3 else ()
        timeline.copy(AGGTRADE, frame_at(number, holes, number if number < 2 else number + 10))
    found = {
        (event.event_time_ms - START_MS) // GRID_MS: event
        for event in decoded(outputs(EngineCore(KERNEL), [timeline.records])[1])
    }
    # A window ends before the evaluation's grid: at 24 the 20 buckets 4 to 23, at 23 bucket 3 is still inside.
    unknown = {number: round((1 - found[number].windows[0].coverage) * 20) for number in range(1, 26)}
    assert unknown == {
        **dict.fromkeys((1,), 0),
        2: 1,
        3: 2,
        **dict.fromkeys(range(4, 22), 3),
        22: 2,
        23: 1,
        24: 0,
        25: 0,
    }
    assert found[25].windows[1].coverage == 1 - 3 / 120
    assert found[25].windows[2].coverage == 1 - 3 / 960
    assert [found[number].trades_missing for number in (2, 3, 4)] == [8, 0, 0]
