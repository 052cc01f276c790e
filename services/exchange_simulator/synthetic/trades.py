"""Aggregate trades of one synthetic symbol: any minute, any id, any time range, always the same rows."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.exchange_simulator.market import Int64s, TradeColumns
from services.exchange_simulator.synthetic.blocks import arrivals, prices_and_sides, sizes
from services.exchange_simulator.synthetic.noise import key_of, mix
from services.exchange_simulator.synthetic.skeleton import DAY_MINUTES, MINUTE_MS, Skeleton

# An event is told at most this long after its trade; windows over event times look back by it.
LONGEST_DELAY_MS = 80
_TICKET_MS = 50
_BLOCK_TRADES = 20_000
_KEPT_AT_LEAST = 600_000
_SPLITS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)
MOST_SPLITS = _SPLITS[-1]


@dataclass(frozen=True, slots=True)
class Pace:
    """Trades per day and symbol before and from the start minute, and where history begins (minutes since the epoch)."""

    first_minute: int
    start_minute: int
    history_per_day: int
    live_per_day: int

    @property
    def live_splits(self) -> int:
        """Blocks per minute from the start on, so that a block stays small at any rate."""
        per_minute = self.live_per_day / DAY_MINUTES
        return next((n for n in _SPLITS if per_minute / n <= _BLOCK_TRADES), MOST_SPLITS)

    def kept_trades(self, symbols: int) -> int:
        """How many trades a cache should hold: twice what publishing touches at a time (the running block of each symbol and its
        neighbours), and never less than readers of a small market ask for again (hours of it)."""
        block = self.live_per_day / DAY_MINUTES / self.live_splits
        return max(_KEPT_AT_LEAST, round(2 * 3 * block * symbols))


class BlockCache:
    """Minutes of trades, least recently used dropped; bounded by the number of trades, safe for a prefetching thread.

    At 65 bytes a trade.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._held = 0
        self._blocks: OrderedDict[tuple[str, int], TradeColumns] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int]) -> TradeColumns | None:
        """The block, now the most recently used one."""
        with self._lock:
            block = self._blocks.get(key)
            if block is not None:
                self._blocks.move_to_end(key)
            return block

    def put(self, key: tuple[str, int], block: TradeColumns) -> None:
        """Keep a block, dropping the oldest ones above the capacity."""
        with self._lock:
            if key not in self._blocks:
                self._blocks[key] = block
                self._held += len(block) + 1
            while self._held > self._capacity and len(self._blocks) > 2:
                _, dropped = self._blocks.popitem(last=False)
                self._held -= len(dropped) + 1


class TradeTape:
    """One symbol's trades."""

    def __init__(self, seed: int, skeleton: Skeleton, pace: Pace, cache: BlockCache) -> None:
        self.skeleton = skeleton
        self._pace = pace
        self._cache = cache
        self._rules = skeleton.profile.rules
        self._seed = seed
        symbol = self._rules.symbol
        self._trade_key = key_of(seed, symbol, "trades")
        self._delay_ms = 6 + int(key_of(seed, symbol, "delay") % np.uint64(20))
        self._id_base = 1_000_000_000 + int(key_of(seed, symbol, "ids") % np.uint64(1_000_000_000))
        self._live_offset = self._count(pace.start_minute, pace.history_per_day) - self._count(
            pace.start_minute, pace.live_per_day
        )
        self._id_base -= self._count(pace.first_minute, pace.history_per_day)

    def _count(self, minute: int, per_day: int) -> int:
        return self.skeleton.trades_before(minute, per_day)

    def first_id(self, minute: int) -> int:
        """The aggregate id of the first trade at or after the start of `minute`."""
        pace = self._pace
        minute = max(minute, pace.first_minute)
        if minute <= pace.start_minute:
            return self._id_base + self._count(minute, pace.history_per_day)
        return self._id_base + self._live_offset + self._count(minute, pace.live_per_day)

    def minute_of_id(self, trade_id: int) -> int:
        """The minute that holds `trade_id`; ids before history give the first minute."""
        pace = self._pace
        if trade_id < self.first_id(pace.first_minute):
            return pace.first_minute
        if trade_id < self.first_id(pace.start_minute):
            return self.skeleton.minute_of(trade_id - self._id_base, pace.history_per_day)
        return self.skeleton.minute_of(trade_id - self._id_base - self._live_offset, pace.live_per_day)

    def _splits(self, minute: int) -> int:
        """Blocks per minute: one in history, as many as the live rate needs from the start on."""
        return 1 if minute < self._pace.start_minute else self._pace.live_splits

    def blocks(self, start_ms: int, end_ms: int) -> Iterator[TradeColumns]:
        """The blocks that hold trades with start <= trade time <= end, oldest first, none before history."""
        start_ms = max(start_ms, self._pace.first_minute * MINUTE_MS)
        for minute in range(start_ms // MINUTE_MS, end_ms // MINUTE_MS + 1):
            length = MINUTE_MS // self._splits(minute)
            low = max(start_ms - minute * MINUTE_MS, 0) // length
            high = min(end_ms - minute * MINUTE_MS, MINUTE_MS - 1) // length
            for part in range(low, high + 1):
                yield self._block(minute, part)

    def minute_summary_parts(self, minute: int) -> list[TradeColumns]:
        """All trades of one minute, left out of the cache, which is for those who read again."""
        return [self._block(minute, part, keep=False) for part in range(self._splits(minute))]

    def _block(self, minute: int, part: int, keep: bool = True) -> TradeColumns:
        key = (self._rules.symbol, minute * MINUTE_MS + part)
        block = self._cache.get(key)
        if block is None:
            block = self._generate(minute, part)
            if keep:
                self._cache.put(key, block)
        return block

    def buy_share(self, minute: int) -> float:
        """The expected share of taker buys."""
        day, offset = divmod(minute, DAY_MINUTES)
        return float(self.skeleton.day(day).buy_share[offset])

    def _generate(self, minute: int, part: int) -> TradeColumns:
        splits = self._splits(minute)
        base, stop = self.first_id(minute), self.first_id(minute + 1)
        first = base + (stop - base) * part // splits
        count = base + (stop - base) * (part + 1) // splits - first
        trade_ms, prices = np.empty(count, np.int64), np.empty(count, np.int64)
        quantities, non_rpi, maker = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.bool_)
        place = (minute * MOST_SPLITS + part) * 3
        keys = mix(self._trade_key + np.arange(place, place + 3, dtype=np.uint64))
        day, offset = divmod(minute, DAY_MINUTES)
        skeleton, rules, share = self.skeleton.day(day), self._rules, self.buy_share(minute)
        anchors = skeleton.log_price[offset : offset + 2] + np.log(rules.price_scale)
        volatility = skeleton.volatility[offset] * 0.8 / np.sqrt(splits)
        path = np.array([*anchors, volatility, share, rules.tick])
        median = self.skeleton.profile.median_notional / np.exp(skeleton.log_price[offset]) * rules.quantity_scale
        length = MINUTE_MS // splits
        arrivals(keys[0], minute * MINUTE_MS + part * length, length, trade_ms)
        prices_and_sides(keys[1], trade_ms, path, prices, maker)
        sizes(keys[2], np.array([median, share, rules.step]), maker, quantities, non_rpi)
        ids = np.arange(first, first + count, dtype=np.int64)
        first_ids, last_ids = self._trade_ids(ids)
        event_ms = self._event_times(trade_ms)
        return TradeColumns(ids, prices, quantities, non_rpi, first_ids, last_ids, trade_ms, event_ms, maker)

    def _trade_ids(self, ids: Int64s) -> tuple[Int64s, Int64s]:
        """One to three single trades per aggregate trade; now and then an id is missing, as insurance fund trades are."""
        odd = self._bits(np.arange(ids[0], ids[-1] + 2)) if len(ids) else np.zeros(1, np.int64)
        first = 2 * ids + (odd[:-1] & 1)
        last = 2 * ids + 1 + (odd[1:] & 1)
        skipped = (last > first) & (odd[:-1] % 701 == 0)
        return first, last - skipped

    def _bits(self, ids: Int64s) -> Int64s:
        hashed: Int64s = (mix(self._trade_key ^ ids.astype(np.uint64)) >> np.uint64(8)).astype(np.int64)
        return hashed

    def _event_times(self, trade_ms: Int64s) -> Int64s:
        """Delivery times: a few to some tens of ms after the trade, and never out of order."""
        bucket = trade_ms // _TICKET_MS
        ready = bucket * _TICKET_MS + self._bits(bucket) % 40
        told: Int64s = np.maximum(trade_ms, ready) + self._delay_ms
        return told

    # --- questions -------------------------------------------------------------------------------------------------

    def between(self, start_ms: int, end_ms: int, now_ms: int) -> TradeColumns:
        """Trades with start <= trade time <= end that are visible at `now_ms`."""
        parts = []
        for block in self.blocks(start_ms, min(end_ms, now_ms)):
            low = int(np.searchsorted(block.trade_ms, start_ms, side="left"))
            high = int(np.searchsorted(block.trade_ms, end_ms, side="right"))
            parts.append(block.slice(low, min(high, self._visible(block, now_ms))))
        return TradeColumns.concatenate([part for part in parts if len(part)])

    def from_id(self, first_id: int, limit: int, now_ms: int) -> TradeColumns:
        """Up to `limit` visible trades with id >= `first_id`."""
        parts: list[TradeColumns] = []
        missing = limit
        for block in self.blocks(self.minute_of_id(first_id) * MINUTE_MS, now_ms):
            low = int(np.searchsorted(block.ids, first_id, side="left"))
            part = block.slice(low, min(low + missing, max(low, self._visible(block, now_ms))))
            parts.append(part)
            missing -= len(part)
            if missing <= 0:
                break
        return TradeColumns.concatenate([part for part in parts if len(part)])

    def newest(self, limit: int, now_ms: int) -> TradeColumns:
        """The last `limit` visible trades."""
        end_ms, span_ms = now_ms, MINUTE_MS
        parts: list[TradeColumns] = []
        missing = limit
        while missing > 0 and end_ms >= self._pace.first_minute * MINUTE_MS:
            found = self.between(end_ms - span_ms + 1, end_ms, now_ms)
            parts.insert(0, found.slice(max(0, len(found) - missing), len(found)))
            missing -= len(parts[0])
            end_ms, span_ms = end_ms - span_ms, min(span_ms * 2, 16 * MINUTE_MS)
        return TradeColumns.concatenate([part for part in parts if len(part)])

    def told_between(self, after_ms: int, until_ms: int) -> TradeColumns:
        """Trades with after < event time <= until."""
        parts = []
        for block in self.blocks(after_ms - LONGEST_DELAY_MS, until_ms):
            low = int(np.searchsorted(block.event_ms, after_ms, side="right"))
            parts.append(block.slice(low, int(np.searchsorted(block.event_ms, until_ms, side="right"))))
        return TradeColumns.concatenate([part for part in parts if len(part)])

    @staticmethod
    def _visible(block: TradeColumns, now_ms: int) -> int:
        return int(np.searchsorted(block.event_ms, now_ms, side="right"))
