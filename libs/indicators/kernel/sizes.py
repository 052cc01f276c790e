"""The 24 h distribution of trade sizes: log-linear bins, a moving pointer per percentile, and a first-in-first-out chain of bins.

A bin is the exponent and the top 7 fraction bits of the notional's float64 image, so a percentile read from its bin's middle is
at most 2^-8 = 0.39 % off. Bins of the last 24 h are kept (2 bytes a trade) in fixed blocks, taken from one pool for all symbols.
"""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from libs.indicators import layout as at
from libs.indicators.kernel.compiler import Whole, compiled

Int64 = NDArray[np.int64]
BLOCK_ENTRIES = 2048
(HEAD_BLOCK, HEAD_ROOM_USED, TAIL_BLOCK, TAIL_READ) = range(4)


class Pool(NamedTuple):
    """Blocks of bins for all symbols: entries, the next block of each, a stack of free blocks and its height (one cell).

    `notional` is room for the notional of a run of trades, so that it is multiplied once.
    """

    entries: NDArray[np.uint16]
    next_block: NDArray[np.int32]
    free: NDArray[np.int32]
    free_count: Int64
    notional: Int64


class Slot(NamedTuple):
    """One symbol's state: its arena row, its chain of size blocks, and the pool that the blocks come from."""

    arena: Int64
    chain: Int64
    pool: Pool


@intrinsic
def _float_bits(typing_context, value):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generate


@compiled
def size_bin(notional: Whole) -> Whole:
    """The bin of a notional of at least 1 and below 2^62."""
    bits: Whole = _float_bits(np.float64(notional))  # type: ignore[call-arg]  # numba passes the context
    return (bits >> (52 - at.MANTISSA_BITS)) - (1023 << at.MANTISSA_BITS)


@compiled
def bin_middle(index: Whole) -> Whole:
    """The notional in the middle of a bin (exact for notionals below 2^7)."""
    exponent = index >> at.MANTISSA_BITS
    significand = (index & ((1 << at.MANTISSA_BITS) - 1)) + (1 << at.MANTISSA_BITS)
    if exponent <= at.MANTISSA_BITS:
        return significand >> (at.MANTISSA_BITS - exponent)
    shift = exponent - at.MANTISSA_BITS
    return (significand << shift) + (1 << (shift - 1))


@compiled
def has_room(chain: Int64, pool: Pool) -> bool:
    """Make sure that the chain can take one more bin; false when the pool has no block left (grow it and come again)."""
    if chain[HEAD_BLOCK] >= 0 and chain[HEAD_ROOM_USED] < BLOCK_ENTRIES:
        return True
    if pool.free_count[0] == 0:
        return False
    pool.free_count[0] -= 1
    block = np.int64(pool.free[pool.free_count[0]])
    if chain[HEAD_BLOCK] >= 0:
        pool.next_block[chain[HEAD_BLOCK]] = block
    else:
        chain[TAIL_BLOCK] = block
        chain[TAIL_READ] = 0
    chain[HEAD_BLOCK] = block
    chain[HEAD_ROOM_USED] = 0
    return True


@compiled
def _release_tail(chain: Int64, pool: Pool) -> None:
    block = chain[TAIL_BLOCK]
    pool.free[pool.free_count[0]] = block
    pool.free_count[0] += 1
    chain[TAIL_READ] = 0
    if block == chain[HEAD_BLOCK]:
        chain[HEAD_BLOCK] = -1
        chain[TAIL_BLOCK] = -1
        chain[HEAD_ROOM_USED] = 0
    else:
        chain[TAIL_BLOCK] = pool.next_block[block]


@compiled
def expire_sizes(slot: Slot, count: Whole) -> None:
    """Forget the oldest `count` bins."""
    arena, chain, pool = slot.arena, slot.chain, slot.pool
    histogram = arena[arena[at.AT_HISTOGRAM] :].view(np.int32)
    bin_95, bin_99 = arena[at.BIN_95], arena[at.BIN_99]
    below_95 = np.int64(0)
    below_99 = np.int64(0)
    left = count
    while left > 0:
        start = chain[TAIL_READ]
        taken = min(left, BLOCK_ENTRIES - start)
        entries = pool.entries[chain[TAIL_BLOCK], start : start + taken]
        for i in range(len(entries)):
            value = np.int64(entries[i])
            below_95 += np.int64(value < bin_95)
            below_99 += np.int64(value < bin_99)
        for i in range(len(entries)):
            histogram[entries[i]] -= 1
        chain[TAIL_READ] += taken
        left -= taken
        if chain[TAIL_READ] == BLOCK_ENTRIES:
            _release_tail(chain, pool)
    arena[at.SIZES] -= count
    arena[at.BELOW_95] -= below_95
    arena[at.BELOW_99] -= below_99


@compiled
def release_chain(chain: Int64, pool: Pool) -> None:
    """Give all blocks of a symbol back."""
    while chain[TAIL_BLOCK] >= 0:
        _release_tail(chain, pool)


@compiled
def _move_pointer(arena: Int64, histogram: NDArray[np.int32], cell: Whole, percent: Whole) -> None:
    """Nearest rank: the bin that holds rank ceil(percent * trades / 100); the cell after it counts the trades below."""
    rank = (arena[at.SIZES] * percent + 99) // 100
    pointer, below = arena[cell], arena[cell + 1]
    while below >= rank and pointer > 0:
        pointer -= 1
        below -= histogram[pointer]
    while pointer < at.BINS - 1 and below + histogram[pointer] < rank:
        below += histogram[pointer]
        pointer += 1
    arena[cell] = pointer
    arena[cell + 1] = below


@compiled
def move_thresholds(arena: Int64) -> None:
    """Put the percentiles of the last 24 h in force; without any trade no trade counts as large."""
    if arena[at.SIZES] > 0:
        histogram = arena[arena[at.AT_HISTOGRAM] :].view(np.int32)
        _move_pointer(arena, histogram, at.BIN_95, 95)
        _move_pointer(arena, histogram, at.BIN_99, 99)
        arena[at.THRESHOLD_95] = arena[at.BIN_95]
        arena[at.THRESHOLD_99] = arena[at.BIN_99]
        return
    for cell in (at.BIN_95, at.BELOW_95, at.BIN_99, at.BELOW_99):
        arena[cell] = 0
    arena[at.THRESHOLD_95] = at.BINS
    arena[at.THRESHOLD_99] = at.BINS
