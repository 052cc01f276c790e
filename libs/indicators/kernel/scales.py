"""Decimals as integers of fewer decimals, a batch at a time."""

import numpy as np
from numpy.typing import NDArray

from libs.indicators.kernel.compiler import Whole, entry

Int64 = NDArray[np.int64]
_WRAP = 2**64


@entry
def _divide(halves: Int64, shift: Whole, inverse: Whole, most: Whole, quotients: Int64) -> bool:
    """Exact division by `2**shift * 5**shift`: what a shift leaves is multiplied with the inverse of the odd part modulo 2**64,
    which is a fraction of the time of a division, and gives more than `most` for everything that is no multiple."""
    one = np.uint64(1)
    low, faults = (one << shift) - one, np.uint64(0)
    for i in range(len(quotients)):
        value = np.uint64(halves[2 * i])
        quotient = (value >> shift) * inverse
        faults |= np.uint64(quotient > most) | (value & low) | ((value - one) >> np.uint64(63))
        quotients[i] = np.int64(quotient)
    return bool(faults == 0)


def exact_quotients(halves: Int64, decimals: int, quotients: Int64) -> bool:
    """Fill `quotients` (n) with the values of `halves` divided by `10**decimals`; whether each was a positive multiple of it.

    `halves`: 2n 64-bit halves of 128-bit integers below 2**63, lower half first, as Arrow keeps decimals.
    """
    unchanged = halves.view()
    unchanged.flags.writeable = False  # as Arrow's memory is, so that there is one machine code
    inverse, most = pow(5**decimals, -1, _WRAP), (_WRAP - 1) // 10**decimals
    return _divide(unchanged, np.uint64(decimals), np.uint64(inverse), np.uint64(most), quotients)
