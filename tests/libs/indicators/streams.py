"""Random logs of one symbol with everything a real one may hold, and their translation into kernel rows."""

from collections.abc import Iterable, Sequence

import numpy as np

from libs.indicators import layout as at
from libs.indicators.kernel import Kernel, LogRows
from libs.indicators.oracle import Gap, Oracle, Record, Rescaled, Trade, Watermark
from libs.indicators.settings import KernelSettings

SMALL = KernelSettings(
    bucket_ms=1_000,
    windows_ms=(5_000, 30_000, 240_000),
    sizes_ms=1_440_000,
    evaluation_ms=5_000,
    threshold_ms=3_000,
    candle_ms=10_000,
    memory_candles=20,
    rank_candles=24,
    restart_ms=1_800_000,
)
START_MS = 1_700_000_040_000
assert START_MS % 60_000 == 0


def random_log(seed: int, count: int, *, start_ms: int = START_MS) -> list[Record]:
    """`count` trades with equal, backwards and far apart stamps, shuffled and doubled ids, watermarks, holes and rescales."""
    random = np.random.default_rng(seed)
    gaps = np.where(random.random(count) < 0.5, 0, random.integers(0, 300, count))
    gaps[random.random(count) < 0.004] += random.integers(3_000, 60_000)
    gaps[random.random(count) < 0.0008] = random.integers(200_000, 2_500_000)
    times = start_ms + np.cumsum(gaps)
    late = random.random(count) < 0.03
    stamps = times - np.where(late, random.integers(1, 5_000, count), 0)
    ids = np.arange(count) + 10
    for first in np.flatnonzero(random.random(count - 5) < 0.02):
        ids[first : first + 4] = ids[first : first + 4][random.permutation(4)]
    doubled = random.random(count) < 0.01
    ids[1:][doubled[1:]] = ids[:-1][doubled[1:]]
    prices = 60_000 + np.cumsum(random.integers(-5, 6, count))
    quantities = np.maximum(1, np.exp(random.normal(3, 2, count)).astype(np.int64))
    sold = random.random(count) < 0.5
    log: list[Record] = []
    scale = 1
    for i in range(count):
        chance = random.random()
        if chance < 0.01:
            log.append(Watermark(int(times[i]) - int(random.integers(-500, 3_000))))
        elif chance < 0.013:
            back = int(random.integers(0, 40_000))
            log.append(
                Gap(int(ids[i]) - 1, int(times[i]) - back, int(times[i]) - int(random.integers(-9_000, back + 1)), 3)
            )
        elif chance < 0.0132:
            log.append(Rescaled(10, 1) if chance < 0.0131 else Rescaled(1, 10))
            scale *= 10
        log.append(Trade(int(ids[i]), int(stamps[i]), int(prices[i]), int(quantities[i]), bool(sold[i])))
    log.append(Watermark(int(times[-1]) + 400_000))
    return log


def rows_of(log: Sequence[Record], symbol: int = 0) -> LogRows:
    """Columns of a log without bars."""
    fields: list[tuple[int, int, int, int, int]] = []
    for record in log:
        if isinstance(record, Trade):
            fields.append((record.agg_id, record.time_ms, record.price, record.quantity, int(record.sold)))
        elif isinstance(record, Watermark):
            fields.append((0, record.time_ms, 0, 0, at.WATERMARK))
        elif isinstance(record, Gap):
            fields.append((record.last_missing_id, record.from_ms, record.to_ms, record.missing, at.HOLE))
        elif isinstance(record, Rescaled):
            fields.append((0, 0, record.price_factor, record.quantity_factor, at.RESCALE))
    table = np.array(fields, np.int64).reshape(-1, 5)
    ids, times, prices, quantities = (np.ascontiguousarray(table[:, i]) for i in range(4))
    return LogRows(np.full(len(table), symbol, np.int32), ids, times, prices, quantities, table[:, 4].astype(np.uint8))


def cut(rows: LogRows, start: int, stop: int) -> LogRows:
    """Rows [start, stop)."""
    return LogRows._make(column[start:stop] for column in rows)


def merge(order: np.ndarray, logs: Sequence[LogRows]) -> LogRows:
    """One log of the rows of many symbols; `order` says whose row comes when."""
    return LogRows._make(_merged(order, [log[i] for log in logs]) for i in range(6))


def _merged(order: np.ndarray, columns: list[np.ndarray]) -> np.ndarray:
    merged = np.empty(len(order), columns[0].dtype)
    for symbol, column in enumerate(columns):
        merged[order == symbol] = column
    return merged


def new_kernel(settings: KernelSettings = SMALL, names: Iterable[str] = ("BTCUSDT",)) -> Kernel:
    """A kernel with tiny output and pool, so that both run full again and again."""
    kernel = Kernel(settings, table_rows=3, pool_blocks=1)
    for name in names:
        kernel.symbols.add(name, 1, 3)
    return kernel


def run(kernel: Kernel, rows: LogRows, batch: int) -> list[dict[str, int]]:
    """Process in batches; places count from the start of `rows`."""
    found: list[dict[str, int]] = []
    for start in range(0, len(rows.symbol), batch):
        for evaluation in kernel.process(cut(rows, start, start + batch)):
            row = dict(zip(at.EVALUATION_COLUMNS, evaluation.tolist(), strict=True))
            found.append(row | {"place": row["place"] + start})
    return found


def expected(log: Sequence[Record], settings: KernelSettings = SMALL, symbol: int = 0) -> list[dict[str, int]]:
    """The oracle's evaluations, as `run` gives them."""
    oracle = Oracle(settings)
    for place, record in enumerate(log):
        oracle.feed(place, record)
    return [{name: ({"symbol": symbol} | row)[name] for name in at.EVALUATION_COLUMNS} for row in oracle.rows]
