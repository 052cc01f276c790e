"""polars: rolling sums by time at every trade, and for comparison over sums of 15 s."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from libs.indicators.kernel import LogRows
from tests.bench.bench_kernel import EVALUATION_MS
from tests.bench.peers.contender import Contender, Reading, first_edge, floats_of

LENGTHS = ("5m", "30m", "4h")
PARTS = ("signed", "quantity", "notional")


def contender(rows: LogRows) -> Contender:
    """Windows at each trade, read at the edges."""
    frame = _with_edges(rows)
    work = _over(frame.lazy())
    return Contender(f"polars {pl.__version__} rolling", len(rows.time), lambda: work, "wall", goal=50)


def buckets(rows: LogRows) -> Contender:
    """The sums of 15 s first; windows over these are the same at edges."""
    grouped = _with_edges(rows).lazy().group_by_dynamic("time", every=f"{EVALUATION_MS}ms")
    work = _over(grouped.agg(pl.col(*PARTS).sum(), edge=True))
    return Contender(f"polars {pl.__version__} on buckets", len(rows.time), lambda: work, "wall")


def _over(frame: Any) -> Callable[[], Reading]:
    """Every window's CVD and VWAP, [edge - length, edge), at all edges."""
    sums = [
        pl.col(part).rolling_sum_by("time", window_size=length, closed="left").alias(f"{part}_{length}")
        for length in LENGTHS
        for part in PARTS
    ]
    read = [
        expression
        for length in LENGTHS
        for expression in (
            pl.col(f"signed_{length}").alias(f"cvd_{length}"),
            (pl.col(f"notional_{length}") / pl.col(f"quantity_{length}")).alias(f"vwap_{length}"),
        )
    ]
    query = frame.select("edge", *sums).filter("edge").select(read)

    def work() -> Reading:
        last = query.collect().row(-1)
        return list(zip(last[::2], last[1::2], strict=True))

    return work


def _with_edges(rows: LogRows) -> Any:
    """The trades, and a row without any quantity at each edge, where polars can be asked for a window that ends there."""
    trades = floats_of(rows)
    edges = np.arange(first_edge(rows), int(trades.time_ms[-1]) + 1, EVALUATION_MS)
    zeros = np.zeros(len(edges))
    signed = np.where(trades.sold, -trades.quantity, trades.quantity)
    notional = trades.price * trades.quantity
    frame = pl.DataFrame(
        {
            "time": np.concatenate([trades.time_ms, edges]),
            "signed": np.concatenate([signed, zeros]),
            "quantity": np.concatenate([trades.quantity, zeros]),
            "notional": np.concatenate([notional, zeros]),
            "edge": np.concatenate([np.zeros(len(signed), np.bool_), np.ones(len(edges), np.bool_)]),
        }
    )
    return frame.with_columns(pl.col("time").cast(pl.Datetime("ms"))).sort("time")
