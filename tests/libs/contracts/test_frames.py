"""Reading frames, and the one rule for duplicates: whatever the split, restarts and zombies, the same rows count once."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.frames import FrameGate, holes_of, read_columns, slice_of
from libs.contracts.market import AggTradeFrame, Hole, SymbolSlice
from libs.contracts.plausible import LATEST_MS
from libs.kit.errors import BadMessage
from tests.golden.samples import FRAME
from tests.libs.contracts.strategies import Row, frame_of

SYMBOLS = ("A", "B", "C")


def _accepted(gate: FrameGate, frames: Sequence[AggTradeFrame]) -> dict[str, list[tuple[int, int]]]:
    """(id, price) of the rows that count, by symbol, in log order."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for frame in frames:
        columns = gate.accept(frame)
        if columns is not None:
            for index, identity, price in zip(columns.symbol_index, columns.agg_id, columns.price, strict=True):
                found[frame.slices[index].symbol].append((int(identity), int(price)))
    return dict(found)


def _split(rows: Sequence[Row], cuts: Sequence[int], *, epoch: int = 0) -> list[AggTradeFrame]:
    edges = sorted({0, len(rows), *(cut % (len(rows) + 1) for cut in cuts)})
    pairs = pairwise(edges)
    return [frame_of(rows[a:b], epoch=epoch, sequence=n) for n, (a, b) in enumerate(pairs)]


@st.composite
def tapes(draw: st.DrawFn) -> list[Row]:
    """Interleaved trades of three symbols, ids contiguous per symbol, each row with a price of its own."""
    order = draw(st.lists(st.sampled_from(SYMBOLS), max_size=40))
    seen: dict[str, int] = dict.fromkeys(SYMBOLS, 100)
    rows = []
    for symbol in order:
        seen[symbol] += 1
        rows.append((symbol, seen[symbol], draw(st.integers(1, 10**9))))
    return rows


def _truth(rows: Sequence[Row]) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for symbol, identity, price in rows:
        found[symbol].append((identity, price))
    return dict(found)


CUTS = st.lists(st.integers(0, 40), max_size=8)


@given(tapes(), CUTS)
def test_the_split_into_frames_does_not_matter(rows: list[Row], cuts: list[int]) -> None:
    gate = FrameGate()
    assert _accepted(gate, _split(rows, cuts)) == _truth(rows)
    assert gate.dropped == 0


@given(tapes(), CUTS, CUTS, st.data())
def test_restarts_and_zombies_change_nothing(
    rows: list[Row], cuts: list[int], other_cuts: list[int], data: st.DataObject
) -> None:
    """Epoch 0 dies after `died` rows; epoch 1 resumes at or before that; epoch 0, not quite dead, goes on in between."""
    died = data.draw(st.integers(0, len(rows)))
    resumed = data.draw(st.integers(0, died))
    before = _split(rows[:died], cuts)
    after = _split(rows[resumed:], other_cuts, epoch=1)
    zombie = [msgspec.structs.replace(frame, epoch=0) for frame in _split(rows[died:], cuts)]
    frames = list(before)
    for frame in after:
        frames.append(frame)
        speaks: bool = data.draw(st.booleans())
        if zombie and speaks:
            frames.append(zombie.pop(0))
    gate = FrameGate()
    found = _accepted(gate, frames)
    if after:
        assert found == _truth(rows)
    for pairs in found.values():
        assert all(a < b for (a, _), (b, _) in pairwise(pairs))


@given(tapes(), CUTS, st.permutations(range(6)))
def test_any_repetition_of_frames_adds_no_row(rows: list[Row], cuts: list[int], order: list[int]) -> None:
    frames = _split(rows, cuts)
    repeated = [*frames, *(frames[n % len(frames)] for n in order if frames)]
    gate = FrameGate()
    assert _accepted(gate, repeated) == _truth(rows)
    assert gate.dropped == sum(len(read_columns(frame)) for frame in repeated[len(frames) :])


@given(tapes(), st.integers(0, 40))
def test_a_gate_restored_in_the_middle_decides_the_same(rows: list[Row], cut: int) -> None:
    frames = _split(rows, [cut, cut // 2, 2 * cut])
    half = len(frames) // 2
    whole, first = FrameGate(), FrameGate()
    _accepted(first, frames[:half])
    restored = FrameGate(epochs=dict(first.epochs), last_ids=dict(first.last_ids))
    _accepted(whole, frames[:half])
    again = [*frames[half:], *frames]
    assert _accepted(restored, again) == _accepted(whole, again)


def test_a_late_copy_of_missing_trades_does_not_enter_after_the_hole() -> None:
    gate = FrameGate()
    hole = Hole("A", 2, 3, 0, 0, "retention")
    frames = [
        frame_of([("A", 1, 1)]),
        frame_of([("A", 4, 4)], sequence=1, holes=[hole]),
        frame_of([("A", 2, 2), ("A", 3, 3), ("A", 5, 5)], epoch=1),
    ]
    assert _accepted(gate, frames) == {"A": [(1, 1), (4, 4), (5, 5)]}


def test_a_hole_at_the_end_of_a_frame_counts_before_any_row_follows() -> None:
    gate = FrameGate()
    frames = [frame_of([("A", 1, 1)], holes=[Hole("A", 2, 5, 0, 0, "retention")]), frame_of([("A", 5, 5), ("A", 6, 6)])]
    assert _accepted(gate, frames) == {"A": [(1, 1), (6, 6)]}


def test_epochs_are_per_producer() -> None:
    gate = FrameGate()
    assert gate.accept(frame_of([("A", 1, 1)], producer="x", epoch=5)) is not None
    assert gate.accept(frame_of([("B", 1, 1)], producer="y", epoch=2)) is not None
    assert gate.accept(frame_of([("B", 2, 2)], producer="x", epoch=4)) is None
    assert gate.dropped == 1
    assert gate.epochs == {"x": 5, "y": 2}


def test_a_frame_without_rows_passes_and_moves_nothing() -> None:
    gate = FrameGate(last_ids={"A": 9})
    empty = msgspec.structs.replace(frame_of([]), slices=(SymbolSlice("A", 1, 3, 0, -1, -1, 77),))
    columns = gate.accept(empty)
    assert columns is not None
    assert len(columns) == 0
    assert gate.last_ids == {"A": 9}


def test_columns_of_the_golden_frame() -> None:
    columns = read_columns(FRAME)
    assert columns.symbol_index.tolist() == [0, 1, 0, 0]
    assert columns.price.tolist() == [551_200, 234_501, 551_201, 551_199]
    assert columns.buyer_is_maker.tolist() == [0, 1, 1, 0]
    shift = (columns.time - columns.trade_time).tolist()
    assert shift == [50, 0, 0, 0], "only the late row has an effective time of its own"
    assert columns.trade_time.flags.writeable is False


def test_selection_keeps_every_column_in_step() -> None:
    columns = read_columns(FRAME)
    chosen = columns.select(columns.symbol_index == 0)
    assert len(chosen) == 3
    assert chosen.quantity.tolist() == [12, 3, 250]
    assert chosen.last_trade_id.tolist() == [columns.last_trade_id[i] for i in (0, 2, 3)]


def test_lookups_by_symbol() -> None:
    assert [hole.first_missing_id for hole in holes_of(FRAME, "BTCUSDT")] == [2_331_590_002]
    assert list(holes_of(FRAME, "ETHUSDT")) == []
    part = slice_of(FRAME, "ETHUSDT")
    assert part is not None
    assert part.rows == 1
    assert slice_of(FRAME, "XRPUSDT") is None


BROKEN: dict[str, dict[str, bytes | tuple[SymbolSlice, ...]]] = {
    "half an integer": {"price": FRAME.price[:-1]},
    "a short column": {"quantity": FRAME.quantity[:-8]},
    "a long column": {"buyer_is_maker": FRAME.buyer_is_maker + b"\x00"},
    "an index without a slice": {"symbol_index": np.array([0, 1, 0, 9], "<u2").tobytes()},
    "counts that do not add up": {"symbol_index": np.array([0, 1, 1, 0], "<u2").tobytes()},
    "a slice missing": {"slices": FRAME.slices[:1]},
    "late times without rows": {"late_row": b""},
    "a late row outside": {"late_row": np.array([4], "<u4").tobytes()},
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_frame_is_refused_whole(what: str) -> None:
    frame = msgspec.structs.replace(FRAME, **BROKEN[what])
    gate = FrameGate()
    with pytest.raises(BadMessage) as caught:
        gate.accept(frame)
    assert caught.value.reason == "bad_frame"
    assert gate == FrameGate(), "a refused frame leaves no trace"


def _wide(*values: int) -> bytes:
    return np.array(values, "<i8").tobytes()


BTC, ETH, *REST = FRAME.slices
LYING: dict[str, dict[str, bytes | tuple[SymbolSlice, ...] | tuple[Hole, ...]]] = {
    "a hole that ends before it begins": {"holes": (Hole(BTC.symbol, 6, 5, 0, 0, "retention"),)},
    "a hole of negative ids": {"holes": (Hole(BTC.symbol, -1, 5, 0, 0, "retention"),)},
    "a hole of more trades than there can be": {"holes": (Hole(BTC.symbol, 0, 2**63 - 1, 0, 0, "retention"),)},
    "a first id below its rows": {"slices": (msgspec.structs.replace(BTC, first_id=BTC.first_id - 1), ETH, *REST)},
    "a last id above its rows": {"slices": (msgspec.structs.replace(BTC, last_id=2**62), ETH, *REST)},
    "a first id above its rows": {"slices": (BTC, msgspec.structs.replace(ETH, first_id=ETH.first_id + 1), *REST)},
    "ids without rows": {"slices": (*FRAME.slices, SymbolSlice("XRPUSDT", 1, 1, 0, 5, 9, 7))},
    "rows out of order": {"agg_id": FRAME.agg_id[24:32] + FRAME.agg_id[8:24] + FRAME.agg_id[:8]},
    "an id twice": {"agg_id": FRAME.agg_id[:24] + FRAME.agg_id[16:24]},
    "a symbol twice": {"slices": (BTC, msgspec.structs.replace(ETH, symbol=BTC.symbol), *REST)},
    "a scale that no integer holds": {"slices": (msgspec.structs.replace(BTC, price_decimals=40), ETH, *REST)},
    "a negative price": {"price": _wide(1, 2, -3, 4)},
    "a negative quantity": {"quantity": _wide(1, 2, 3, -1)},
    "a notional beyond 62 bits": {"price": _wide(1, 2, 2**40, 4), "quantity": _wide(1, 1, 2**40, 1)},
    "a trade of the year 2100": {"trade_time": _wide(1, 2, 3, LATEST_MS)},
    "a trade before 1970": {"trade_time": _wide(1, 2, 3, -1)},
    "an effective time of the year 2100": {"late_time": _wide(LATEST_MS)},
}


@pytest.mark.parametrize("what", LYING)
def test_a_frame_that_lies_is_refused_whole(what: str) -> None:
    frame = msgspec.structs.replace(FRAME, **LYING[what])
    gate = FrameGate()
    with pytest.raises(BadMessage) as caught:
        gate.accept(frame)
    assert caught.value.reason == "bad_frame"
    assert gate == FrameGate(), "a refused frame leaves no trace"


@given(tapes(), CUTS)
def test_what_ingest_makes_is_believed_in_any_interleaving(rows: list[Row], cuts: list[int]) -> None:
    assert sum(len(read_columns(frame)) for frame in _split(rows, cuts)) == len(rows)
