"""The kernel's reference: every feature recomputed from the raw records at every evaluation, in plain Python integers.

Slow on purpose (records times windows) and written without looking at how the kernel keeps its sums, so that equality of all
integer features means something. Tests and the recorded-day comparison use it.
"""

import math
from dataclasses import dataclass, field

from libs.indicators.layout import PRICE_LIMIT, SUM_LIMIT
from libs.indicators.settings import MINUTE_MS, KernelSettings

Features = dict[str, int]


@dataclass(frozen=True, slots=True)
class Trade:
    """One log row: effective time (ms), price and quantity in ticks and steps, `sold`: the taker sold."""

    agg_id: int
    time_ms: int
    price: int
    quantity: int
    sold: bool


@dataclass(frozen=True, slots=True)
class Watermark:
    time_ms: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole of the log: ids up to `last_missing_id` are missing between two times (ms)."""

    last_missing_id: int
    from_ms: int
    to_ms: int
    missing: int


@dataclass(frozen=True, slots=True)
class Rescaled:
    price_factor: int
    quantity_factor: int


@dataclass(frozen=True, slots=True)
class Bars:
    """Bootstrap: minutes (open time, volume, taker-buy volume, quote volume) and candles (open time, o, h, l, c)."""

    minutes: tuple[tuple[int, int, int, int], ...]
    candles: tuple[tuple[int, int, int, int, int], ...]


Record = Trade | Watermark | Gap | Rescaled | Bars


@dataclass(slots=True)
class _Counted:
    """A trade as it counts: clamped time, current scale, the bin of its size, and which thresholds it reached."""

    time_ms: int
    price: int
    quantity: int
    sold: bool
    size_bin: int
    over: tuple[bool, bool]

    @property
    def notional(self) -> int:
        return self.price * self.quantity


@dataclass(slots=True)
class _Candle:
    number: int
    bounds: tuple[int, int, int, int]
    true_range: int
    complete_bars: bool


@dataclass(slots=True)
class _Past:
    """All that was seen since the (last) cold start."""

    clock: int = -1
    trades: list[_Counted] = field(default_factory=list)
    barred: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    holes: list[tuple[int, int]] = field(default_factory=list)
    first_known: int = 0
    candles: list[_Candle] = field(default_factory=list)
    atrs: list[int] = field(default_factory=list)
    bar_close: int = 0
    thresholds: tuple[int, int] | None = None


def bin_of(notional: int) -> int:
    """Exponent and top 7 fraction bits of the notional as a double."""
    mantissa, exponent = math.frexp(float(notional))
    return (exponent - 1) * 128 + int((mantissa * 2 - 1) * 128)


def middle_of(size_bin: int) -> int:
    """The notional in the middle of a bin; below 128 each notional has a bin of its own."""
    exponent, step = divmod(size_bin, 128)
    low, high = (128 + step) * 2**exponent, (129 + step) * 2**exponent
    return int(low // 128 if exponent <= 7 else (low + high) // 256)


class Oracle:
    """Feeds on records in log order; `rows` collects the evaluations, named as the kernel's table names them."""

    def __init__(self, settings: KernelSettings) -> None:
        self.settings = settings
        self.past = _Past()
        self.rows: list[Features] = []
        self.last_id = -1
        self.divisor = 1
        self.traded = False
        self.waiting_holes: list[tuple[int, int]] = []
        self.faults = {"late": 0, "dropped": 0, "missing": 0}

    def feed(self, place: int, record: Record) -> None:
        """Take one record; `place` is its index in the log."""
        if isinstance(record, Trade):
            self._trade(place, record)
        elif isinstance(record, Watermark):
            if record.time_ms >= 0 and self.past.clock >= 0:
                self._reach(place, max(record.time_ms + 1, self.past.clock), first_is_whole=True)
        elif isinstance(record, Gap):
            self._hole(record)
        elif isinstance(record, Rescaled):
            self._rescale(record)
        else:
            self._warm(record)

    def _trade(self, place: int, trade: Trade) -> None:
        if trade.agg_id <= self.last_id:
            self.faults["dropped"] += 1
            return
        time_ms = max(trade.time_ms, self.past.clock)
        self._reach(place, time_ms, first_is_whole=False)
        if trade.price <= 0 or trade.quantity <= 0:
            self.faults["dropped"] += 1
            return
        self.last_id, self.traded = trade.agg_id, True
        if trade.price >= PRICE_LIMIT or trade.price * trade.quantity + self._carried() >= SUM_LIMIT:
            self._count_missing(1)
            self._start_cold(time_ms)
            return
        self.faults["late"] += trade.time_ms < time_ms
        size_bin = bin_of(max(1, trade.price * trade.quantity // self.divisor))
        limits = self.past.thresholds
        over = (limits is not None and size_bin >= limits[0], limits is not None and size_bin >= limits[1])
        self.past.trades.append(_Counted(time_ms, trade.price, trade.quantity, trade.sold, size_bin, over))

    def _carried(self) -> int:
        """What the widest window and the open bucket hold: notional, or quantity where that is more."""
        now = self.past.clock // self.settings.bucket_ms
        first = now - self.settings.windows_ms[-1] // self.settings.bucket_ms
        trades = [t for t in self.past.trades if t.time_ms >= first * self.settings.bucket_ms]
        bars = [bar for bucket, bar in self.past.barred.items() if bucket >= first]
        notional = sum(t.notional for t in trades) + sum(bar[2] for bar in bars)
        return max(notional, sum(t.quantity for t in trades) + sum(bar[1] for bar in bars))

    def _start_cold(self, time_ms: int) -> None:
        """Numbers that fit no 64 bits: everything is forgotten, and the open bucket is not known."""
        first_known = time_ms // self.settings.bucket_ms + 1
        self.past = _Past(clock=time_ms, first_known=first_known, holes=self.past.holes)

    def _count_missing(self, trades: int) -> None:
        self.faults["missing"] = min(self.faults["missing"] + trades, SUM_LIMIT)

    def _reach(self, place: int, time_ms: int, *, first_is_whole: bool) -> None:
        """Run the clock to `time_ms`, doing at each bucket edge what is due there."""
        bucket_ms = self.settings.bucket_ms
        if self.past.clock >= 0 and time_ms - self.past.clock > self.settings.restart_ms:
            self.past = _Past()
        if self.past.clock < 0:
            whole = first_is_whole and time_ms % bucket_ms == 0
            self.past.clock = time_ms
            self.past.first_known = time_ms // bucket_ms + (0 if whole else 1)
            self.past.holes, self.waiting_holes = self.waiting_holes, []
        for edge in range(self.past.clock // bucket_ms + 1, time_ms // bucket_ms + 1):
            self._edge(edge * bucket_ms)
            if edge * bucket_ms % self.settings.evaluation_ms == 0:
                self.rows.append(self._evaluate(place, edge * bucket_ms, time_ms - 1))
        self.past.clock = time_ms

    def _edge(self, edge_ms: int) -> None:
        if edge_ms % self.settings.threshold_ms == 0:
            sizes = sorted(t.size_bin for t in self._between(edge_ms - self.settings.sizes_ms, edge_ms))
            ranks = [-(-len(sizes) * percent // 100) - 1 for percent in (95, 99)]
            self.past.thresholds = (sizes[ranks[0]], sizes[ranks[1]]) if sizes else None
        if edge_ms % self.settings.candle_ms == 0:
            self._close_candle(edge_ms // self.settings.candle_ms - 1)

    def _between(self, start_ms: int, end_ms: int) -> list[_Counted]:
        return [t for t in self.past.trades if start_ms <= t.time_ms < end_ms]

    def _last_price(self, before_ms: int) -> int:
        earlier = [t.price for t in self.past.trades if t.time_ms < before_ms]
        return earlier[-1] if earlier else self.past.bar_close

    def _close_candle(self, number: int) -> None:
        length = self.settings.candle_ms
        prices = [t.price for t in self._between(number * length, (number + 1) * length)]
        if not prices:
            prices = [self._last_price((number + 1) * length)]
        if prices[-1]:
            self._add_candle(number, (prices[0], max(prices), min(prices), prices[-1]), complete_bars=False)

    def _add_candle(self, number: int, bounds: tuple[int, int, int, int], *, complete_bars: bool) -> None:
        _, high, low, _ = bounds
        span = high - low
        if self.past.candles:
            previous = self.past.candles[-1].bounds[3]
            span = max(span, abs(high - previous), abs(low - previous))
        self.past.candles.append(_Candle(number, bounds, span, complete_bars))
        spans = [c.true_range for c in self.past.candles[-self.settings.memory_candles :]]
        period = self.settings.atr_period
        if len(spans) >= period:
            atr = sum(spans[:period]) * 65536 // period
            for later in spans[period:]:
                atr += (later * 65536 - atr) // period
            self.past.atrs.append(atr)

    def _in_hole(self, bucket: int) -> bool:
        return any(first <= bucket <= last for first, last in self.past.holes)

    def _trade_known(self, bucket: int) -> bool:
        return bucket >= self.past.first_known and not self._in_hole(bucket)

    def _flow_known(self, bucket: int) -> bool:
        return (bucket >= self.past.first_known or bucket in self.past.barred) and not self._in_hole(bucket)

    def _candle_complete(self, candle: _Candle) -> bool:
        count = self.settings.candle_ms // self.settings.bucket_ms
        buckets = range(candle.number * count, (candle.number + 1) * count)
        if candle.complete_bars:
            return not any(self._in_hole(bucket) for bucket in buckets)
        return all(self._trade_known(bucket) for bucket in buckets)

    def _evaluate(self, place: int, edge_ms: int, proof_ms: int) -> Features:
        past, bucket_ms = self.past, self.settings.bucket_ms
        row = {"place": place, "evaluation_time_ms": edge_ms, "released_by_ms": proof_ms}
        row["price"] = self._last_price(edge_ms)
        for number, length in enumerate(self.settings.windows_ms, 1):
            row |= self._window(str(number), edge_ms - length, edge_ms)
        limits = past.thresholds
        row["p95"], row["p99"] = (middle_of(bound) * self.divisor for bound in limits) if limits else (0, 0)
        start = edge_ms - self.settings.windows_ms[0]
        recent = self._between(start, edge_ms)
        for index, name in enumerate(("95", "99")):
            row[f"large_{name}"] = sum(t.notional for t in recent if t.over[index])
            row[f"large_sell_{name}"] = sum(t.notional for t in recent if t.over[index] and t.sold)
        row["large_known"] = sum(self._trade_known(b) for b in range(start // bucket_ms, edge_ms // bucket_ms))
        row["sizes"] = len(self._between(edge_ms - self.settings.sizes_ms, edge_ms))
        first = (edge_ms - self.settings.sizes_ms) // bucket_ms
        row["size_known"] = sum(self._trade_known(b) for b in range(max(first, past.first_known), edge_ms // bucket_ms))
        row |= self._candle_features()
        row |= {"last_id": self.last_id} | self.faults
        self.faults = dict.fromkeys(self.faults, 0)
        return row

    def _window(self, name: str, start_ms: int, end_ms: int) -> Features:
        trades = self._between(start_ms, end_ms)
        buckets = range(start_ms // self.settings.bucket_ms, end_ms // self.settings.bucket_ms)
        bars = [self.past.barred[b] for b in buckets if b in self.past.barred]
        return {
            f"signed_{name}": sum(-t.quantity if t.sold else t.quantity for t in trades) + sum(b[0] for b in bars),
            f"quantity_{name}": sum(t.quantity for t in trades) + sum(b[1] for b in bars),
            f"notional_{name}": sum(t.notional for t in trades) + sum(b[2] for b in bars),
            f"known_{name}": sum(self._flow_known(b) for b in buckets),
        }

    def _candle_features(self) -> Features:
        past, settings = self.past, self.settings
        ranked = past.atrs[-settings.rank_candles :]
        recent = past.candles[-min(settings.atr_period, len(past.candles)) :] if past.candles else []
        last = past.candles[-1] if past.candles else None
        names = ("candle_open", "candle_high", "candle_low", "candle_close")
        return {
            "atr": past.atrs[-1] if past.atrs else 0,
            "atr_rank": sum(atr <= past.atrs[-1] for atr in ranked) if past.atrs else 0,
            "atr_ranked": len(ranked),
            "candles": min(len(past.candles), settings.memory_candles),
            "candles_complete": sum(self._candle_complete(candle) for candle in recent),
            "candle_end_ms": (last.number + 1) * settings.candle_ms if last else 0,
            **dict(zip(names, last.bounds if last else (0, 0, 0, 0), strict=True)),
            "candle_complete": int(last is not None and self._candle_complete(last)),
        }

    def _hole(self, gap: Gap) -> None:
        self.last_id = max(self.last_id, gap.last_missing_id)
        self._count_missing(gap.missing)
        first, last = gap.from_ms // self.settings.bucket_ms, gap.to_ms // self.settings.bucket_ms
        if self.past.clock < 0:
            self.waiting_holes.append((0, last))
        else:
            self.past.holes.append((min(first, self.past.clock // self.settings.bucket_ms), last))

    def _rescale(self, change: Rescaled) -> None:
        price, quantity = change.price_factor, change.quantity_factor
        self.divisor *= price * quantity
        if not self._scale_fits(price, price * quantity):
            self._start_cold(self.past.clock)
            return
        for trade in self.past.trades:
            trade.price *= price
            trade.quantity *= quantity
        for bucket, (signed, volume, notional) in self.past.barred.items():
            self.past.barred[bucket] = (signed * quantity, volume * quantity, notional * price * quantity)
        for candle in self.past.candles:
            opened, high, low, close = candle.bounds
            candle.bounds = (opened * price, high * price, low * price, close * price)
            candle.true_range *= price
        self.past.atrs = [atr * price for atr in self.past.atrs]
        self.past.bar_close *= price

    def _scale_fits(self, price: int, notional: int) -> bool:
        """Whether everything that is still remembered can be multiplied. `divisor` has been already."""
        past, settings = self.past, self.settings
        sizes_from = (past.clock // settings.bucket_ms - settings.size_buckets) * settings.bucket_ms
        candle_from = past.clock // settings.candle_ms * settings.candle_ms
        prices = [self._last_price(past.clock + 1), *(t.price for t in past.trades if t.time_ms >= candle_from)]
        prices += past.candles[-1].bounds if past.candles else ()
        prices += [candle.true_range for candle in past.candles[-settings.memory_candles :]]
        prices += [atr // 65536 for atr in past.atrs[-settings.rank_candles :]]
        sizes = [t.size_bin for t in past.trades if t.time_ms >= sizes_from]
        largest = middle_of(max([*sizes, *(past.thresholds or ())], default=0))
        return (
            self._carried() * notional < SUM_LIMIT
            and max(prices) * price < PRICE_LIMIT
            and largest * self.divisor < SUM_LIMIT
        )

    def _warm(self, bars: Bars) -> None:
        if self.traded or self.past.clock >= 0 or not bars.minutes:
            return
        bucket_ms, length = self.settings.bucket_ms, self.settings.candle_ms
        end_ms = bars.minutes[-1][0] + MINUTE_MS
        first = end_ms // bucket_ms
        holes = [(first, last) for _, last in self.waiting_holes]
        self.past, self.waiting_holes = _Past(clock=end_ms, first_known=first, holes=holes), []
        for start_ms, opened, high, low, close in bars.candles:
            number = start_ms // length
            if number < end_ms // length:
                self._flat_until(number)
                self._add_candle(number, (opened, high, low, close), complete_bars=True)
                self.past.bar_close = close
        self._flat_until(end_ms // length)
        parts = MINUTE_MS // bucket_ms
        for start_ms, volume, bought, quote in bars.minutes:
            for part in range(parts):
                spread = [
                    v // parts if part < parts - 1 else v - v // parts * (parts - 1) for v in (volume, bought, quote)
                ]
                self.past.barred[start_ms // bucket_ms + part] = (2 * spread[1] - spread[0], spread[0], spread[2])

    def _flat_until(self, number: int) -> None:
        while self.past.candles and self.past.candles[-1].number < number - 1:
            close = self.past.candles[-1].bounds[3]
            self._add_candle(self.past.candles[-1].number + 1, (close,) * 4, complete_bars=False)
