"""One table of several symbols' trades, in the order in which the venue tells them."""

import numpy as np
from numpy.typing import NDArray

from services.exchange_simulator.market import TradeColumns


def merge_by_event(parts: list[tuple[int, TradeColumns]]) -> tuple[TradeColumns, NDArray[np.int32]]:
    """One table of several symbols' trades in event-time order, with the symbol index of every row."""
    index = np.concatenate([np.full(len(part), symbol, np.int32) for symbol, part in parts] or [np.zeros(0, np.int32)])
    merged = TradeColumns.concatenate([part for _, part in parts])
    if len(parts) <= 1:
        return merged, index
    order = np.argsort(merged.event_ms, kind="stable")
    return merged.take(order), index[order]
