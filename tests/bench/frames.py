"""Input for benchmarks: frames of a seeded market over any number of symbols, built before the clock starts."""

from collections.abc import Iterator

import numpy as np

from libs.contracts.market import AggTradeFrame, SymbolSlice
from libs.contracts.partitioning import partition_of

START_MS = 1_717_977_600_000


def symbols_of(count: int, partition: int, partitions: int) -> list[str]:
    """`count` made-up symbols, those of one partition."""
    return [name for n in range(count) if partition_of(name := f"S{n:03d}USDT", partitions) == partition]


def market(
    symbols: list[str], partition: int, shape: tuple[int, int], trades_per_second: int, seed: int = 7
) -> Iterator[AggTradeFrame]:
    """`shape` = (frames, trades per frame): time runs at `trades_per_second` over all symbols, watermarks at newest - 1."""
    frames, size = shape
    dice = np.random.default_rng(seed + partition)
    next_id = np.zeros(len(symbols), np.int64)
    price = np.full(len(symbols), 6_000_000, np.int64)
    step = 1000.0 / trades_per_second
    for number in range(frames):
        chosen = np.sort(dice.integers(0, len(symbols), size)).astype("<u2")
        index, counts = np.unique(chosen, return_counts=True)
        first = START_MS + int(number * size * step)
        span = max(1, int(size * step))
        times = np.empty(size, "<i8")
        ids = np.empty(size, "<i8")
        prices = np.empty(size, "<i8")
        slices, at = [], 0
        for symbol, rows in zip(index.tolist(), counts.tolist(), strict=True):
            rows_at = slice(at, at + rows)
            times[rows_at] = first + np.sort(dice.integers(0, span, rows))
            ids[rows_at] = next_id[symbol] + np.arange(rows)
            prices[rows_at] = price[symbol] + np.cumsum(dice.integers(-20, 21, rows))
            next_id[symbol] += rows
            price[symbol] = max(1000, int(prices[at + rows - 1]))
            last = int(next_id[symbol]) - 1
            slices.append((symbol, rows, int(ids[at]), last))
            at += rows
        watermark = first - 1
        position = {symbol: n for n, (symbol, *_) in enumerate(slices)}
        yield AggTradeFrame(
            event_id=f"bench:1:{number}",
            event_time_ms=int(times.max()),
            partition=partition,
            producer="bench",
            epoch=1,
            sequence=number,
            received_us=0,
            slices=tuple(SymbolSlice(symbols[s], 2, 3, rows, low, high, watermark) for s, rows, low, high in slices),
            symbol_index=np.array([position[s] for s in chosen.tolist()], "<u2").tobytes(),
            agg_id=ids.tobytes(),
            price=prices.tobytes(),
            quantity=dice.integers(1, 5000, size).astype("<i8").tobytes(),
            first_trade_id=(ids * 2).tobytes(),
            last_trade_id=(ids * 2 + 1).tobytes(),
            trade_time=times.tobytes(),
            buyer_is_maker=dice.integers(0, 2, size).astype("u1").tobytes(),
        )
