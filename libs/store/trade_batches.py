"""Rows of many frames as one group per symbol and scale: the form in which they are written."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.contracts.frames import TradeColumns
from libs.contracts.market import AggTradeFrame
from libs.store.copy_format import SymbolTrades


class FrameRows(NamedTuple):
    """Some rows of a frame; the frame names the symbols and scales that the rows' `symbol_index` points at."""

    frame: AggTradeFrame
    columns: TradeColumns


def group_by_symbol(parts: Sequence[FrameRows]) -> list[SymbolTrades]:
    """The rows grouped by symbol and scale, in frame order within each group, so ids that rose keep rising."""
    codes: dict[tuple[str, int, int], int] = {}
    group_of_row: list[NDArray[np.intp]] = []
    for frame, columns in parts:
        lookup = [
            codes.setdefault((piece.symbol, piece.price_decimals, piece.quantity_decimals), len(codes))
            for piece in frame.slices
        ]
        group_of_row.append(np.array(lookup, np.intp)[columns.symbol_index])
    if not parts:
        return []
    every = TradeColumns(*(np.concatenate(column) for column in zip(*map(_arrays, parts), strict=True)))
    groups = np.concatenate(group_of_row)
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum(np.bincount(groups, minlength=len(codes)))
    starts = np.concatenate(([0], ends[:-1]))
    return [
        _group(key, every, order[starts[code] : ends[code]]) for key, code in codes.items() if starts[code] < ends[code]
    ]


def _arrays(part: FrameRows) -> tuple[NDArray[np.generic], ...]:
    rows = part.columns
    return (
        rows.symbol_index,
        rows.agg_id,
        rows.price,
        rows.quantity,
        rows.first_trade_id,
        rows.last_trade_id,
        rows.trade_time,
        rows.time,
        rows.buyer_is_maker,
    )


def _group(key: tuple[str, int, int], rows: TradeColumns, chosen: NDArray[np.intp]) -> SymbolTrades:
    symbol, price_decimals, quantity_decimals = key
    return SymbolTrades(
        symbol=symbol,
        price_decimals=price_decimals,
        quantity_decimals=quantity_decimals,
        agg_id=rows.agg_id[chosen],
        price=rows.price[chosen],
        quantity=rows.quantity[chosen],
        first_trade_id=rows.first_trade_id[chosen],
        last_trade_id=rows.last_trade_id[chosen],
        trade_time=rows.trade_time[chosen],
        time=rows.time[chosen],
        buyer_is_maker=rows.buyer_is_maker[chosen],
    )
