"""What a kernel computes: windows, grids and memories, in milliseconds and candles, and where each part lies in an arena row.

Every length is a whole number of buckets g, so that a window at a bucket edge is exact and not approximate.
"""

from dataclasses import dataclass
from math import gcd

from libs.contracts.plausible import MOST_DECIMALS
from libs.indicators import layout as at
from libs.kit.errors import UserError

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
NOTIONAL_CAP = 10**11
"""Quote units that a symbol must be able to turn over in its widest window (20 times BTCUSDT); its scale is refused otherwise."""


class OverflowRisk(UserError):
    """A symbol's scale or turnover does not fit 64-bit integers; names the symbol."""

    def __init__(self, symbol: str, what: str) -> None:
        super().__init__(what, where=symbol, todo="use fewer decimals for this symbol, or leave it out")
        self.symbol = symbol


@dataclass(frozen=True, slots=True)
class KernelSettings:
    """Lengths in ms unless named otherwise; all of them multiples of `bucket_ms`, which divides a minute.

    `windows_ms` ascending; `sizes_ms` is the memory of trade sizes; thresholds of large trades move every `threshold_ms`.
    `memory_candles` true ranges make one ATR, so an ATR and its rank among `rank_candles` are a pure function of the last
    `memory_candles + rank_candles` candles. A silence longer than `restart_ms` starts the symbol cold again.
    Raises `ValueError` when a length does not fit the grid.
    """

    bucket_ms: int = 15_000
    windows_ms: tuple[int, int, int] = (300_000, 1_800_000, 14_400_000)
    sizes_ms: int = 24 * HOUR_MS
    evaluation_ms: int = 15_000
    threshold_ms: int = 15_000
    candle_ms: int = 300_000
    atr_period: int = 14
    memory_candles: int = 144
    rank_candles: int = 288
    restart_ms: int = 48 * HOUR_MS

    def __post_init__(self) -> None:
        lengths = (*self.windows_ms, self.sizes_ms, self.evaluation_ms, self.threshold_ms, self.candle_ms, MINUTE_MS)
        if self.bucket_ms < 1 or any(length < 1 or length % self.bucket_ms for length in lengths):
            raise ValueError(f"every length must be a multiple of the bucket of {self.bucket_ms} ms: {lengths}")
        if sorted(self.windows_ms) != list(self.windows_ms):
            raise ValueError(f"windows must ascend: {self.windows_ms}")
        if not 1 <= self.atr_period <= self.memory_candles:
            raise ValueError("the ATR period must fit the memory of true ranges")
        if self.atr_period * at.PRICE_LIMIT << at.ATR_FRACTION_BITS >= 1 << 63:
            raise ValueError("the sum of the first true ranges would not fit 64 bits")
        if self.restart_ms < max(self.sizes_ms, self.windows_ms[-1]):
            raise ValueError("a restart must not cut a window short")

    @classmethod
    def for_evaluation(cls, evaluation_ms: int) -> "KernelSettings":
        """The product's windows on a grid of `evaluation_ms`; the bucket is the widest that fits all of them."""
        windows = (300_000, 1_800_000, 14_400_000)
        return cls(bucket_ms=gcd(*windows, 15_000, evaluation_ms), evaluation_ms=evaluation_ms)

    @property
    def window_buckets(self) -> tuple[int, int, int]:
        first, second, third = self.windows_ms
        return first // self.bucket_ms, second // self.bucket_ms, third // self.bucket_ms

    @property
    def size_buckets(self) -> int:
        return self.sizes_ms // self.bucket_ms


def check_scale(symbol: str, price_decimals: int, quantity_decimals: int) -> None:
    """Refuse a scale at load. Raises `OverflowRisk` when a busy window, `NOTIONAL_CAP` quote units, would leave 62 bits."""
    if (
        not 0 <= price_decimals <= MOST_DECIMALS
        or not 0 <= quantity_decimals <= MOST_DECIMALS
        or NOTIONAL_CAP * 10 ** (price_decimals + quantity_decimals) >= at.SUM_LIMIT
    ):
        raise OverflowRisk(
            symbol,
            f"{price_decimals} price and {quantity_decimals} quantity decimals do not fit 64-bit sums of notional",
        )


def arena_template(settings: KernelSettings) -> tuple[int, dict[int, int]]:
    """Width of an arena row in 64-bit cells, and the header cells that are not 0 in an empty one."""
    first, second, widest = settings.window_buckets
    buckets = at.HEADER_CELLS
    large = buckets + widest * at.FLOW_FIELDS
    counts = large + first * at.LARGE_FIELDS
    ranges = counts + (settings.size_buckets + 1) // 2
    atrs = ranges + settings.memory_candles
    histogram = atrs + settings.rank_candles
    bucket_ms = settings.bucket_ms
    cells = {
        at.LAST_ID: -1,
        at.BUCKET: -1,
        at.UNKNOWN_UNTIL: -1,
        at.THRESHOLD_95: at.BINS,
        at.THRESHOLD_99: at.BINS,
        at.BIN_DIVISOR: 1,
        at.BUCKET_MS: bucket_ms,
        at.WINDOW_BUCKETS: first,
        at.WINDOW_BUCKETS + 1: second,
        at.WINDOW_BUCKETS + 2: widest,
        at.SIZE_BUCKETS: settings.size_buckets,
        at.EVALUATION_BUCKETS: settings.evaluation_ms // bucket_ms,
        at.THRESHOLD_BUCKETS: settings.threshold_ms // bucket_ms,
        at.CANDLE_BUCKETS: settings.candle_ms // bucket_ms,
        at.ATR_PERIOD: settings.atr_period,
        at.MEMORY_CANDLES: settings.memory_candles,
        at.RANK_CANDLES: settings.rank_candles,
        at.RESTART_MS: settings.restart_ms,
        at.AT_FLOWS: buckets,
        at.AT_LARGE: large,
        at.AT_COUNTS: counts,
        at.AT_RANGES: ranges,
        at.AT_ATRS: atrs,
        at.AT_HISTOGRAM: histogram,
    }
    return histogram + at.BINS // 2, cells
