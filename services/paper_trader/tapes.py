"""Trades that wait for the accounts, in the decimals that the accounts trade in."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from libs.trading.market import TradeTape

Int64 = NDArray[np.int64]


def rescaled(parts: Sequence[TradeTape], scale: tuple[int, int]) -> TradeTape:
    """The parts as one tape with these price and quantity decimals. Finer ones are rounded to the nearest, at least to 1: an
    account counts in the decimals with which its symbol began."""
    same = [part if part.scale == scale else _in_decimals(part, scale) for part in parts]
    if len(same) == 1:
        return same[0]
    columns = [
        np.concatenate([getattr(part, name) for part in same])
        for name in ("time_ms", "price", "quantity", "buyer_is_maker")
    ]
    return TradeTape(same[0].symbol, *scale, *columns)


def _in_decimals(part: TradeTape, scale: tuple[int, int]) -> TradeTape:
    return replace(
        part,
        price_decimals=scale[0],
        quantity_decimals=scale[1],
        price=_shifted(part.price, scale[0] - part.price_decimals),
        quantity=_shifted(part.quantity, scale[1] - part.quantity_decimals),
    )


def _shifted(values: Int64, decimals: int) -> Int64:
    if decimals >= 0:
        finer: Int64 = values * 10**decimals
        return finer
    unit: int = 10**-decimals
    nearest: Int64 = np.maximum((values + unit // 2) // unit, 1)
    return nearest
