"""The pure heart under random gaps, copies, reordering and late stamps: what comes out is complete, in order and honest."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from libs.contracts.frames import FrameGate, read_columns
from libs.contracts.market import AggTradeFrame
from services.trade_ingest.assembler import Assembler, AssemblerOptions, Resume
from services.trade_ingest.continuity import Continuity, Told
from services.trade_ingest.frame_builder import Origin
from tests.fakes.instruments import instrument

SYMBOL = "BTCUSDT"
START = 1_000_000


@dataclass(frozen=True, slots=True)
class Trade:
    """The port's `AggTrade`, from whatever venue."""

    symbol: str
    agg_id: int
    price: str
    quantity: str
    first_trade_id: int
    last_trade_id: int
    trade_time: int
    buyer_is_maker: bool
    event_time: int = 0


def trade(agg_id: int, time: int, symbol: str = SYMBOL, price: str = "61000.10") -> Trade:
    return Trade(
        agg_id=agg_id,
        price=price,
        quantity="0.250",
        first_trade_id=agg_id * 2,
        last_trade_id=agg_id * 2 + 1,
        trade_time=time,
        buyer_is_maker=agg_id % 2 == 0,
        symbol=symbol,
    )


def assembler(
    resume: Resume = Resume(0, START, START - 1),  # noqa: B008
    rows_per_frame: int = 7,
    symbols: tuple[str, ...] = (SYMBOL,),
) -> Assembler:
    options = AssemblerOptions(market_partitions=1, rows_per_frame=rows_per_frame, held_limit=20)
    return Assembler([instrument(name) for name in symbols], dict.fromkeys(symbols, resume), Origin("test", 3), options)


def ids_and_holes(frames: list[AggTradeFrame]) -> tuple[list[int], list[tuple[int, int]]]:
    ids = [int(agg_id) for frame in frames for agg_id in read_columns(frame).agg_id]
    return ids, [(hole.first_missing_id, hole.last_missing_id) for frame in frames for hole in frame.holes]


class Venue:
    """The ids that exist, their times, and the oldest one that REST still has."""

    def __init__(self, times: list[int], skipped: frozenset[int], oldest: int) -> None:
        self.trades = {
            number: trade(number, time) for number, time in enumerate(times, start=1) if number not in skipped
        }
        self.oldest = oldest

    def rest(self, from_id: int, until: int, limit: int) -> list[Trade]:
        ids = [number for number in self.trades if max(from_id, self.oldest) <= number <= until]
        return [self.trades[number] for number in ids[:limit]]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("stream"), st.integers(0, 3), st.integers(1, 9)),
        st.tuples(st.just("lose"), st.integers(0, 0), st.integers(1, 12)),
        st.tuples(st.just("fill"), st.integers(0, 0), st.integers(1, 6)),
        st.tuples(st.just("abandon"), st.integers(0, 0), st.integers(0, 0)),
        st.tuples(st.just("reconnect"), st.integers(0, 0), st.integers(0, 0)),
        st.tuples(st.just("flush"), st.integers(0, 0), st.integers(0, 0)),
    ),
    min_size=5,
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@example(deltas=[0] * 4, skipped=frozenset({1, 3}), oldest=5, plan=[("stream", 0, 1)] * 5)
@given(
    deltas=st.lists(st.integers(-40, 400), min_size=1, max_size=200),
    skipped=st.frozensets(st.integers(1, 200), max_size=8),
    oldest=st.integers(1, 60),
    plan=steps,
)
def test_what_is_published_is_contiguous_or_declared_missing(
    deltas: list[int], skipped: frozenset[int], oldest: int, plan: list[tuple[str, int, int]]
) -> None:
    times = [int(time) for time in START + np.cumsum(deltas)]
    venue, core = Venue(times, skipped, oldest), assembler()
    newest, frames = 0, list[AggTradeFrame]()
    tracker = core.feeds[SYMBOL].tracker
    for action, repeat, count in [
        *plan,
        *[("fill", 0, 1000)] * 60,
        *[("abandon", 0, 0), ("fill", 0, 1000)] * (len(skipped) + 1),  # held trades may have a gap before each
        ("flush", 0, 0),
    ]:
        if action == "stream":
            arriving = [venue.trades[n] for n in range(newest + 1, newest + count + 1) if n in venue.trades]
            core.take([item for item in arriving for _ in range(repeat + 1)], 5)
            newest = min(newest + count, len(times))
        elif action == "lose":
            core.interrupt([SYMBOL])
            newest = min(newest + count, len(times))
        elif action == "fill" and tracker.state is not Continuity.LIVE:
            rows = venue.rest(tracker.expected, newest, count)
            core.fill(SYMBOL, rows, Told(len(rows) < count, tracker.generation), 6)
        elif action == "abandon":
            core.abandon(SYMBOL, "test", 7)
        elif action == "reconnect":
            core.interrupt([SYMBOL])
        elif action == "flush":
            core.flush()
        frames += core.drain()
    ids, holes = ids_and_holes(frames)
    covered = sorted(ids + [number for first, last in holes for number in range(first, last + 1)])
    assert covered == list(range(1, len(covered) + 1)), "an id was skipped or came twice"
    assert ids == sorted(ids)
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    assert tracker.held == 0


@settings(max_examples=300, deadline=None)
@given(
    trades=st.lists(st.tuples(st.integers(-3000, 3000), st.integers(0, 2500)), min_size=1, max_size=120),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=60),
)
def test_no_trade_is_published_at_or_below_a_published_watermark(
    trades: list[tuple[int, int]], cuts: list[int]
) -> None:
    core, frames, now, position = assembler(), list[AggTradeFrame](), START, 0
    core.feeds[SYMBOL].tracker.begin(1)
    core.fill(SYMBOL, [], Told(True, 0), 0)
    rows = []
    for number, (delta, event_delay) in enumerate(trades, start=1):
        now += delta
        rows.append((trade(number, now), now + event_delay))
    for size in [*cuts, len(rows)]:
        part = rows[position : position + size]
        position += size
        core.take([row for row, _ in part], 1)
        if part:
            core.follow([SYMBOL], part[-1][1])
        core.flush()
        frames += core.drain()
    watermark, late, expected_late, model = START - 1, 0, 0, START - 1
    gate = FrameGate()
    for frame in frames:
        columns = gate.accept(frame)
        assert columns is not None
        assert all(int(time) > watermark for time in columns.time), "published at or below the watermark"
        times = [int(time) for time in columns.time]
        assert times == sorted(times), "effective times of a symbol never decrease"
        late += len(frame.late_row) // 4
        for part_ in frame.slices:
            assert part_.watermark_ms >= watermark, "a watermark fell"
            watermark = part_.watermark_ms
    position = 0
    for size in [*cuts, len(rows)]:
        part = rows[position : position + size]
        position += size
        for row, _ in part:
            if row.trade_time <= model:
                expected_late += 1
            model = max(model, row.trade_time - 1)
        if part:
            model = max(model, part[-1][1] - 1000)
    assert late == expected_late == core.feeds[SYMBOL].watermark.late
    assert watermark <= core.feeds[SYMBOL].watermark.value == model


def test_a_late_trade_keeps_its_stamp_and_counts_right_after_the_watermark() -> None:
    core = assembler()
    core.take([trade(1, START + 500), trade(2, START + 100)], 9)
    core.flush()
    (frame,) = core.drain()
    columns = read_columns(frame)
    assert columns.trade_time.tolist() == [START + 500, START + 100]
    assert columns.time.tolist() == [START + 500, START + 500]
    assert columns.price.tolist() == [610001, 610001]
    assert columns.quantity.tolist() == [250, 250]
    assert frame.slices[0].watermark_ms == START + 499
    assert frame.received_us == 9


def test_a_trade_beyond_a_grid_edge_is_urgent_and_its_frame_says_when_it_was_received() -> None:
    core = assembler(rows_per_frame=100)
    edge = (START // 1000 + 1) * 1000
    core.take([trade(1, START + 1), trade(2, edge - 1)], 1)
    assert not core.waits_beyond_an_edge
    core.take([trade(3, edge)], 2)
    assert core.waits_beyond_an_edge
    core.take([trade(4, edge + 1)], 3)
    core.cut_edges()
    (frame,) = core.drain()
    assert ids_and_holes([frame]) == ([1, 2, 3, 4], [])
    assert frame.slices[0].watermark_ms == edge, "the evaluation of the edge is released"
    assert frame.received_us == 2, "when the first trade beyond the edge was received, not the last one of the frame"
    core.take([trade(5, edge + 999)], 4)
    assert not core.waits_beyond_an_edge
    core.flush()
    assert core.drain()[0].received_us == 4


def test_a_quiet_symbol_follows_the_connection_less_the_grace_but_not_in_doubt() -> None:
    core = assembler()
    core.take([trade(1, START + 5)], 1)
    core.flush()
    core.drain()
    core.follow([SYMBOL], START + 3600)
    core.flush()
    (frame,) = core.drain()
    assert frame.slices[0].rows == 0
    assert frame.slices[0].watermark_ms == START + 2600
    core.interrupt([SYMBOL])
    core.follow([SYMBOL], START + 9000)
    core.flush()
    assert core.drain() == []
    core.take([trade(2, START + 9001)], 1)
    core.follow([SYMBOL], START + 11_500)
    core.flush()
    assert core.drain()[-1].slices[0].watermark_ms == START + 10_500, "the next id proved continuity"


def test_other_symbols_go_on_while_one_has_a_gap() -> None:
    options = AssemblerOptions(market_partitions=1)
    both = [instrument(), instrument("ETHUSDT")]
    resumes = {SYMBOL: Resume(0, START, START), "ETHUSDT": Resume(0, START, START)}
    core = Assembler(both, resumes, Origin("test", 0), options)
    core.take([trade(5, START + 10), trade(1, START + 11, "ETHUSDT"), trade(6, START + 12)], 1)
    core.flush()
    (frame,) = core.drain()
    assert Counter({part.symbol: part.rows for part in frame.slices}) == {"ETHUSDT": 1}
    assert core.newly_filling == [SYMBOL]
    core.fill(SYMBOL, [trade(n, START + n) for n in range(1, 5)], Told(False, 0), 2)
    core.flush()
    ids, holes = ids_and_holes(core.drain())
    assert ids == [1, 2, 3, 4, 5, 6]
    assert holes == []
    assert core.feeds[SYMBOL].tracker.state is Continuity.LIVE


def test_a_gap_given_up_stands_as_a_hole_before_the_next_row() -> None:
    core = assembler()
    core.take([trade(1, START + 1), trade(4, START + 90)], 1)
    core.abandon(SYMBOL, "venue_unavailable", 2)
    core.flush()
    (frame,) = core.drain()
    (hole,) = frame.holes
    assert (hole.first_missing_id, hole.last_missing_id) == (2, 3)
    assert (hole.from_ms, hole.to_ms, hole.cause) == (START + 1, START + 90, "venue_unavailable")
    assert core.counts.missing == {SYMBOL: 2}


def test_an_absurd_stamp_of_the_stream_is_asked_for_again_and_moves_nothing() -> None:
    core = assembler()
    core.believed_until = START + 60_000
    core.take([trade(1, START + 1), trade(2, START + 10**9), trade(3, START + 30)], 1)
    assert core.newly_filling == [SYMBOL]
    assert core.counts.disbelieved == {SYMBOL: 1}
    core.fill(SYMBOL, [trade(2, START + 20), trade(3, START + 30)], Told(True, 0), 2)
    core.take([trade(4, START + 40)], 3)
    core.flush()
    frames = core.drain()
    assert ids_and_holes(frames) == ([1, 2, 3, 4], [])
    assert core.feeds[SYMBOL].watermark.late == 0
    assert frames[-1].slices[0].watermark_ms == START + 39


def test_an_absurd_stamp_that_stands_alone_is_asked_for_too() -> None:
    core = assembler()
    core.believed_until = START + 60_000
    core.take([trade(1, START + 1), trade(2, START + 10**9)], 1)
    assert core.newly_filling == [SYMBOL], "nothing newer has to come before it is missed"
    core.follow([SYMBOL], START + 5000)
    core.fill(SYMBOL, [trade(2, START + 20)], Told(True, 0), 2)
    core.flush()
    assert ids_and_holes(core.drain()) == ([1, 2], [])
    assert core.feeds[SYMBOL].watermark.late == 0, "the watermark stood still meanwhile"


def test_an_absurd_stamp_that_rest_confirms_is_late_and_keeps_its_raw_time() -> None:
    core = assembler()
    core.believed_until = START + 60_000
    core.take([trade(1, START + 1), trade(2, START + 10**9)], 1)
    core.fill(SYMBOL, [trade(2, START + 10**9)], Told(True, 0), 2)
    core.take([trade(3, START + 30)], 3)
    core.flush()
    columns = [read_columns(frame) for frame in core.drain()]
    assert [int(time) for part in columns for time in part.trade_time] == [START + 1, START + 10**9, START + 30]
    assert [int(time) for part in columns for time in part.time] == [START + 1, START + 1, START + 30]
    assert core.feeds[SYMBOL].watermark.late == 1
