"""What a connection has been told: per symbol the first and the greatest aggregate id that was written to it.

With the next connection's first ids this says which ids a reader cannot have got, so how many gaps it has to open.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.exchange_simulator.market import Int64s

_NOTHING = -1


class Told:
    """Two columns by symbol index: every window of every connection passes here."""

    __slots__ = ("_first", "_greatest", "_symbols")

    def __init__(self, symbols: Sequence[str] = ()) -> None:
        self._symbols = symbols
        self._first = np.full(len(symbols), _NOTHING, np.int64)
        self._greatest = np.full(len(symbols), _NOTHING, np.int64)

    def note(self, symbol_index: NDArray[np.int32], ids: Int64s) -> None:
        """Rows of a window, ids of a symbol ascending. Where an index stands twice, numpy keeps the last value."""
        fresh = self._first[symbol_index] == _NOTHING
        if fresh.any():
            self._first[symbol_index[fresh][::-1]] = ids[fresh][::-1]
        self._greatest[symbol_index] = ids

    def note_one(self, symbol_index: int, agg_id: int) -> None:
        """One message, which may come behind newer ones."""
        if self._first[symbol_index] == _NOTHING:
            self._first[symbol_index] = agg_id
        self._greatest[symbol_index] = max(int(self._greatest[symbol_index]), agg_id)

    def spans(self) -> dict[str, tuple[int, int]]:
        """(first, greatest) id by symbol, of those that had any."""
        found = np.flatnonzero(self._first != _NOTHING).tolist()
        return {self._symbols[index]: (int(self._first[index]), int(self._greatest[index])) for index in found}
