"""Trades that no frame can hold: REST is asked for them, and nothing else is lost with them."""

from dataclasses import replace
from typing import Any

import pytest

from libs.contracts.frames import read_columns
from libs.contracts.market import AggTradeFrame
from libs.kit.errors import UserError
from services.trade_ingest.continuity import Continuity, Told
from tests.services.trade_ingest.test_assembler import START, SYMBOL, assembler, ids_and_holes, trade


def test_a_price_finer_than_the_scale_ends_the_process_with_advice_when_rest_says_so_too() -> None:
    core = assembler()
    finer = trade(1, START + 1, price="61000.15")
    core.take([finer], 1)
    core.flush()
    assert core.newly_filling == [SYMBOL]
    core.fill(SYMBOL, [finer], Told(True, 0), 2)
    with pytest.raises(UserError, match="exchangeInfo"):
        core.flush()


def test_a_process_that_ends_for_a_finer_scale_leaves_no_trade_behind() -> None:
    core = assembler()
    finer, newer = trade(2, START + 2, price="61000.15"), [trade(agg_id, START + agg_id) for agg_id in (3, 4, 5)]
    core.take([trade(1, START + 1), finer, newer[0]], 1)
    core.flush()
    core.fill(SYMBOL, [finer, newer[0]], Told(True, 0), 2)
    with pytest.raises(UserError, match="exchangeInfo"):
        core.flush()
    # What a service does on its way out: take what still comes, and send what is whole.
    core.take(newer[1:], 3)
    core.flush()
    assert ids_by_symbol(core.drain()) == {SYMBOL: [1]}


def test_rows_behind_an_unreadable_one_of_a_page_do_not_overtake_it() -> None:
    core = assembler(rows_per_frame=50)
    page = [trade(agg_id, START + agg_id) for agg_id in range(2, 301)]
    core.take([trade(1, START + 1), trade(300, START + 300)], 1)
    core.fill(SYMBOL, [replace(one, price="NaN") if one.agg_id == 60 else one for one in page[:-1]], Told(True, 0), 2)
    core.flush()
    assert ids_by_symbol(before := core.drain()) == {SYMBOL: list(range(1, 60))}
    core.fill(SYMBOL, page[58:], Told(True, 0), 3)
    core.flush()
    assert ids_by_symbol([*before, *core.drain()]) == {SYMBOL: list(range(1, 301))}


LIES = {
    "no number": {"price": "NaN"},
    "negative price": {"price": "-61000.10"},
    "negative quantity": {"quantity": "-0.500"},
    "absurd quantity": {"quantity": "9999999999.000"},
    "beyond 64 bits": {"quantity": "9" * 30},
    "negative time": {"trade_time": -(1 << 62)},
    "id beyond 64 bits": {"last_trade_id": 1 << 70},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_what_no_frame_can_hold_is_asked_for_by_rest_and_nothing_else_is_lost(lie: dict[str, Any]) -> None:
    other = "ETHUSDT"
    core = assembler(rows_per_frame=100, symbols=(SYMBOL, other))
    honest = [trade(agg_id, START + agg_id) for agg_id in range(1, 6)]
    told = [replace(one, **lie) if one.agg_id == 3 else one for one in honest]
    core.take([*told, trade(1, START + 1, symbol=other)], 1)
    core.flush()
    first = core.drain()
    assert ids_by_symbol(first) == {SYMBOL: [1, 2], other: [1]}
    assert core.feeds[SYMBOL].last_time == START + 2
    assert core.feeds[SYMBOL].published_watermark <= START + 2
    assert core.newly_filling == [SYMBOL]
    core.fill(SYMBOL, honest[2:], Told(True, 0), 2)
    core.take([trade(6, START + 6)], 3)
    core.flush()
    frames = [*first, *core.drain()]
    assert ids_by_symbol(frames)[SYMBOL] == [1, 2, 3, 4, 5, 6]
    assert not [hole for frame in frames for hole in frame.holes]
    assert core.counts.disbelieved == {SYMBOL: 1}
    assert core.counts.published == {SYMBOL: 6, other: 1}
    assert core.feeds[SYMBOL].watermark.late == 0


def test_what_rest_too_tells_as_nonsense_is_a_hole_and_what_follows_goes_on() -> None:
    core = assembler()
    rows = [trade(1, START + 1), trade(2, START + 2, price="-1.0"), trade(3, START + 3)]
    core.take(rows, 1)
    core.flush()
    core.fill(SYMBOL, rows[1:], Told(True, 0), 2)
    core.take([trade(4, START + 4)], 3)
    core.flush()
    assert ids_and_holes(core.drain()) == ([1, 3, 4], [(2, 2)])
    assert core.counts.missing == {SYMBOL: 1}
    assert core.feeds[SYMBOL].tracker.state is Continuity.LIVE


def test_a_hole_behind_an_unreadable_trade_is_declared_once() -> None:
    core = assembler(rows_per_frame=100)
    rows = [trade(1, START + 1), trade(2, START + 2, price="-1.0"), trade(5, START + 5)]
    core.take([trade(5, START + 5)], 1)
    core.fill(SYMBOL, rows, Told(True, 0), 2)
    core.flush()
    core.fill(SYMBOL, [trade(2, START + 2), trade(5, START + 5)], Told(True, 0), 3)
    core.flush()
    assert ids_and_holes(core.drain()) == ([1, 2, 5], [(3, 4)])
    assert core.counts.missing == {SYMBOL: 2}


def ids_by_symbol(frames: list[AggTradeFrame]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for frame in frames:
        columns = read_columns(frame)
        for index, agg_id in zip(columns.symbol_index.tolist(), columns.agg_id.tolist(), strict=True):
            found.setdefault(frame.slices[index].symbol, []).append(agg_id)
    return found


def test_trades_that_fit_one_by_one_and_not_together_do_not_end_the_process() -> None:
    core = assembler(rows_per_frame=100)
    absurd = [replace(trade(agg_id, START + agg_id, price="100.0"), quantity="200000000000.000") for agg_id in (1, 2)]
    core.take(absurd, 1)
    core.flush()
    core.fill(SYMBOL, [trade(agg_id, START + agg_id) for agg_id in (1, 2)], Told(True, 0), 2)
    core.flush()
    assert ids_and_holes(core.drain()) == ([1, 2], [])
