"""The kernel's one call: a batch of log rows of many symbols in, evaluations out, to be called again until it is done."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.indicators import layout as at
from libs.indicators.kernel.compiler import Whole, compiled, entry
from libs.indicators.kernel.rows import (
    DONE,
    POOL_EMPTY,
    SURELY_FITS,
    LogRows,
    Release,
    Sink,
    add_row,
    add_run,
    advance,
    apply_hole,
    clear,
    first_at_or_after,
    is_clean,
    open_first_bucket,
    rescale,
    stretch_end,
)
from libs.indicators.kernel.sizes import BLOCK_ENTRIES, HEAD_ROOM_USED, Pool, Slot, has_room

Int64 = NDArray[np.int64]


class State(NamedTuple):
    """All symbols: an arena row and a chain of size blocks each, and the pool of blocks."""

    arenas: Int64
    chains: Int64
    pool: Pool


class Groups(NamedTuple):
    """The rows of each symbol of a batch lie in [next_row, stop); `next_row` moves as they are taken."""

    symbol: Int64
    next_row: Int64
    stop: Int64


@compiled
def _row_time(arena: Int64, rows: LogRows, row: Whole) -> Whole:
    """The instant up to which this row proves the log complete, exclusive; at least the clock."""
    if rows.kind[row] == at.WATERMARK:
        return max(rows.time[row] + 1, arena[at.CLOCK])
    return max(rows.time[row], arena[at.CLOCK])


@compiled
def _take_trades(slot: Slot, rows: LogRows, row: Whole, stop: Whole) -> tuple[Whole, Whole]:
    """Add the clean trades from `row` on that fall into the open bucket and the head block, or the one at `row`.

    Returns the next row and a code: OVERFLOW when the one at `row` did not fit.
    """
    arena, chain = slot.arena, slot.chain
    if stop > row:
        bound = (arena[at.BUCKET] + 1) * arena[at.BUCKET_MS]
        limit = min(stop, row + BLOCK_ENTRIES - chain[HEAD_ROOM_USED])
        end = row + first_at_or_after(rows.time[row:limit], bound)
        if end > row and add_run(slot, rows, row, end, SURELY_FITS):
            return end, DONE
    return row + 1, add_row(slot, rows, row)


@compiled
def _step_group(state: State, sink: Sink, rows: LogRows, groups: Groups, group: Whole) -> Whole:
    """Take the rows of one symbol, moving `next_row`. Returns a code; anything but DONE asks to be called again."""
    symbol, stop = groups.symbol[group], groups.stop[group]
    slot = Slot(state.arenas[symbol], state.chains[symbol], state.pool)
    arena = slot.arena
    row = groups.next_row[group]
    stretch, clean_until, code = row, row, DONE
    while row < stop and code == DONE:
        groups.next_row[group] = row
        kind = rows.kind[row]
        if kind == at.HOLE:
            apply_hole(arena, rows, row)
            row += 1
            continue
        if kind == at.RESCALE:
            code = rescale(slot, rows.price[row], rows.quantity[row])
            row += 1
            continue
        if kind == at.WATERMARK and (rows.time[row] < 0 or arena[at.BUCKET] < 0):
            # A symbol begins with its first trade or bar: when its first proof arrives is a matter of timing.
            row += 1
            continue
        if kind <= at.TRADE_SELL and rows.agg_id[row] <= arena[at.LAST_ID]:
            arena[at.DROPPED] += 1
            row += 1
            continue
        time_ms = _row_time(arena, rows, row)
        if arena[at.BUCKET] >= 0 and time_ms - arena[at.CLOCK] > arena[at.RESTART_MS]:
            clear(slot)
        if arena[at.BUCKET] < 0:
            open_first_bucket(arena, time_ms, bool(kind <= at.TRADE_SELL))
        target = time_ms // arena[at.BUCKET_MS]
        if target > arena[at.BUCKET]:
            code = advance(slot, sink, target, Release(symbol, row, time_ms - 1))
            if code != DONE:
                return code
        if kind == at.WATERMARK:
            arena[at.CLOCK] = time_ms
            row += 1
            continue
        if not has_room(slot.chain, slot.pool):
            return POOL_EMPTY
        if row >= stretch:
            stretch = stretch_end(rows, row, stop)
            clean = is_clean(rows.agg_id[row:stretch], rows.time[row:stretch], arena[at.LAST_ID], arena[at.CLOCK])
            clean_until = stretch if clean else row
        row, code = _take_trades(slot, rows, row, clean_until)
    groups.next_row[group] = row
    return code


@entry
def run_groups(state: State, sink: Sink, rows: LogRows, groups: Groups) -> tuple[Whole, Whole]:
    """Take all groups. Returns a code and the group it is about; call again unless it is DONE.

    After OVERFLOW the row before the group's `next_row` is the one that did not fit.
    """
    for group in range(len(groups.symbol)):
        code = _step_group(state, sink, rows, groups, group)
        if code != DONE:
            return code, group
    return DONE, -1


@entry
def is_one_symbol(symbols: NDArray[np.int32]) -> bool:
    """Whether all rows are of the first row's symbol."""
    others = np.int64(0)
    for i in range(len(symbols)):
        others += np.int64(symbols[i] != symbols[0])
    return bool(others == 0)


@entry
def group_rows(rows: LogRows, scratch: LogRows, order: Int64, groups: Groups) -> Whole:
    """Sort rows by symbol, log order kept (counting sort), into `scratch`; `order` gets their places. Returns the groups used.

    `groups` has one cell per known symbol.
    """
    starts = groups.stop
    starts[:] = 0
    for i in range(len(rows.symbol)):
        starts[rows.symbol[i]] += 1
    used = 0
    position = 0
    for symbol in range(len(starts)):
        count = starts[symbol]
        starts[symbol] = position
        if count > 0:
            groups.symbol[used] = symbol
            groups.next_row[used] = position
            used += 1
        position += count
    for i in range(len(rows.symbol)):
        to = starts[rows.symbol[i]]
        starts[rows.symbol[i]] += 1
        order[to] = i
        scratch.agg_id[to] = rows.agg_id[i]
        scratch.time[to] = rows.time[i]
        scratch.price[to] = rows.price[i]
        scratch.quantity[to] = rows.quantity[i]
        scratch.kind[to] = rows.kind[i]
    for group in range(used):
        groups.stop[group] = starts[groups.symbol[group]]
    return used
