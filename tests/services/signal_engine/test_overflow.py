"""Numbers that would leave 64 bits cost their own symbol its history, and nothing else: no crash, no other symbol's row."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE, MARKPRICE, STRATEGY_CONTROL
from libs.indicators.settings import KernelSettings
from libs.streaming.records import Record
from services.signal_engine.core import EngineCore
from services.signal_engine.snapshot import dump, load
from tests.services.frame_factory import Envelope, Row, make_frame
from tests.services.signal_engine.test_core import decoded, grid_of, signals_of
from tests.services.signal_engine.timelines import START_MS, TimelineFactory, activation, bootstrap, mark_price

ABSURD, HONEST = "BTCUSDT", "ETHUSDT"
KERNEL = KernelSettings()
# At 5,000,000 ticks nearly 2^57 units of notional, half of what a frame may be worth: 32 fit, 31 beside a history.
ABSURD_QUANTITY = (1 << 57) // 5_000_000
FITTING = 32


def frames_of(count: int, absurd_quantity: int) -> list[AggTradeFrame]:
    """A trade of each symbol in each second; those of `ABSURD` are of this size from the sixth minute on."""
    made = []
    for number in range(count):
        time_ms = START_MS + 1_000 * number
        size = absurd_quantity if number >= 300 else 1_000
        rows = [Row(ABSURD, number, 5_000_000, size, time_ms, False), Row(HONEST, number, 300_000, 9, time_ms, True)]
        made.append(make_frame(Envelope(sequence=number), rows, {ABSURD: time_ms - 1, HONEST: time_ms - 1}))
    return made


def timeline_of(frames: list[AggTradeFrame]) -> TimelineFactory:
    timeline = TimelineFactory()
    timeline.fence()
    for frame in frames:
        timeline.copy(AGGTRADE, frame)
    return timeline


def run_in_batches(records: Sequence[Record], size: int) -> tuple[list[bytes], list[tuple[int, str]], bytes]:
    """Indicators, refused places with their reasons, and the state; with a snapshot and a restart after each batch."""
    core = EngineCore(KERNEL)
    indicators, refused = [], []
    for start in range(0, len(records), size):
        out = core.process(records[start : start + size])
        indicators += [output.encoded.value for output in out.indicators]
        refused += [(record.offset, str(problem)) for record, problem in out.refused]
        core = load(dump(core), KERNEL, core.next_offset)
    return indicators, refused, dump(core)


def test_absurd_frames_in_series_cost_their_symbol_its_history_and_nobody_else_anything() -> None:
    absurd = run_in_batches(timeline_of(frames_of(420, ABSURD_QUANTITY)).records, 10**9)
    honest = run_in_batches(timeline_of(frames_of(420, 1_000)).records, 10**9)
    assert honest[1] == []
    of_other, undisturbed = ([e for e in decoded(run[0]) if e.symbol == HONEST] for run in (absurd, honest))
    assert of_other == undisturbed
    events = [e for e in decoded(absurd[0]) if e.symbol == ABSURD]
    assert [e.event_time_ms for e in events] == [e.event_time_ms for e in of_other]
    # The first record is the fence, so a record's offset is its frame's number and one more.
    offsets = [offset for offset, _ in absurd[1]]
    assert offsets == [1 + 300 + FITTING - 1 + n * (FITTING + 1) for n in range(3)]
    assert all(why.startswith("overflow_risk") and ABSURD in why for _, why in absurd[1])
    assert sum(event.trades_missing for event in events) == len(offsets)
    cold_ms = START_MS + 1_000 * (offsets[0] - 1)
    before, after = ([e for e in events if (e.event_time_ms > cold_ms) is later] for later in (False, True))
    assert before[-1].windows[0].coverage > 0.9
    assert max(e.windows[0].coverage for e in after) < 0.15
    assert all(0 <= w.notional < Decimal(2**62).scaleb(-5) for e in events for w in e.windows)


def test_what_is_refused_does_not_depend_on_cuts_and_restarts() -> None:
    records = timeline_of(frames_of(360, ABSURD_QUANTITY)).records
    runs = [run_in_batches(records, size) for size in (1, 7, 50, 10**9)]
    assert all(run == runs[0] for run in runs)
    assert runs[0][1]


def test_a_damaged_symbol_gives_no_signal() -> None:
    timeline, next_id = TimelineFactory(), 0
    timeline.fence()
    timeline.copy(AGGTRADE, bootstrap(ABSURD, 1))
    timeline.copy(STRATEGY_CONTROL, activation(50))
    for grid in range(10):
        timeline.copy(MARKPRICE, mark_price(ABSURD, START_MS + 15_000 * grid, 10_010))
        absurd = grid == 4
        for place in range(FITTING + 1 if absurd else 1):
            time_ms = START_MS + 15_000 * grid + place
            rows = [Row(ABSURD, next_id, 5_000_000, ABSURD_QUANTITY if absurd else 1, time_ms, False)]
            timeline.copy(AGGTRADE, make_frame(Envelope(sequence=next_id), rows, {ABSURD: time_ms - 1}))
            next_id += 1
    found = [
        (grid_of(signal), signal.state, signal.reason) for signal in signals_of(EngineCore(KERNEL), timeline.records)
    ]
    assert [item for item in found if item[1] == "emitted"] == [(1, "emitted", None), (4, "emitted", None)]
    assert [item for item in found if item[0] > 4] == [(grid, "refused", "warm_up") for grid in range(5, 10)]


def test_what_came_before_a_finer_scale_is_read_in_its_own_for_every_cut() -> None:
    timeline = TimelineFactory()
    timeline.fence()
    for number, scale in enumerate(((1, 0), (1, 0), (2, 0), (2, 0), (3, 1), (3, 1))):
        time_ms = START_MS + 15_000 * number
        price, quantity = 10 ** (scale[0] + 2), 10 ** scale[1]
        rows = [Row(HONEST, number, price, quantity, time_ms, False)]
        timeline.copy(AGGTRADE, make_frame(Envelope(sequence=number), rows, {HONEST: time_ms - 1}, decimals=scale))
    runs = [run_in_batches(timeline.records, size) for size in (1, 2, 3, 5, 10**9)]
    assert all(run == runs[0] for run in runs)
    found = [(str(e.price).rstrip("0"), int(e.windows[2].notional)) for e in decoded(runs[0][0])]
    assert found == [("100.", 100 * n) for n in range(1, 6)]


def test_a_scale_that_does_not_fit_leaves_the_other_symbols_of_the_frame_alone() -> None:
    timeline = TimelineFactory()
    timeline.fence()
    for number in range(3):
        time_ms = START_MS + 15_000 * number
        rows = [Row(HONEST, number, 5, 9, time_ms, False), Row(ABSURD, number, 5, 9, time_ms, False)]
        made = make_frame(Envelope(sequence=number), rows, {HONEST: time_ms - 1, ABSURD: time_ms - 1})
        unfit = msgspec.structs.replace(made.slices[1], price_decimals=9, quantity_decimals=9)
        timeline.copy(AGGTRADE, msgspec.structs.replace(made, slices=(made.slices[0], unfit)))
    out = EngineCore(KERNEL).process(timeline.records)
    assert [(record.offset, problem.reason) for record, problem in out.refused] == [
        (offset, "overflow_risk") for offset in (1, 2, 3)
    ]
    events = decoded([output.encoded.value for output in out.indicators])
    assert [(e.symbol, e.windows[0].volume) for e in events] == [(HONEST, Decimal("0.009")), (HONEST, Decimal("0.018"))]
