"""A market as a function of virtual time: small steps, sudden jumps and gaps, the same for the same seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from services.exchange_simulator.market import (
    EMPTY_TRADES,
    Bar,
    Funding,
    MarkPrice,
    Positioning,
    SideEvent,
    TradeColumns,
    TradeWindow,
)
from services.exchange_simulator.symbols import SymbolRules, profile_of

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
BEFORE_MS = 60_000
_MEAN_GAP_MS = 450.0
_STEP, _JUMP = 0.0005, 0.012
_JUMP_CHANCE, _SILENCE_CHANCE = 0.006, 0.003
_FUNDING_RATE = "0.00010000"


@dataclass(frozen=True, slots=True)
class Stage:
    """When the market plays, ms of the venue's time, and of what; one funding is settled at `funding_ms`."""

    seed: int
    start_ms: int
    end_ms: int
    funding_ms: int
    symbols: tuple[str, ...] = SYMBOLS


class JumpyMarket:
    """A `MarketSource` that was made beforehand: all its trades are known, and none is told before its time. `given`: trades of
    symbols whose prices are not left to chance."""

    def __init__(self, stage: Stage, given: Mapping[str, TradeColumns] | None = None) -> None:
        self._stage = stage
        self._rules = {symbol: profile_of(symbol).rules for symbol in stage.symbols}
        self._trades = {symbol: (given or {}).get(symbol) or _path(stage, symbol) for symbol in stage.symbols}

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._stage.symbols

    @property
    def rules(self) -> Mapping[str, SymbolRules]:
        return self._rules

    def times_ms(self) -> list[int]:
        """Every instant at which somebody trades."""
        return sorted({int(at) for trades in self._trades.values() for at in trades.event_ms})

    def price(self, symbol: str, now_ms: int) -> Decimal:
        """The last trade's price, quote units."""
        trades, rules = self.newest_trades(symbol, 1, now_ms), self._rules[symbol]
        return Decimal(int(trades.prices[-1])).scaleb(-rules.price_decimals)

    def trades_from_id(self, symbol: str, first_id: int, limit: int, now_ms: int) -> TradeColumns:
        trades = self._known(symbol, now_ms)
        start = int(np.searchsorted(trades.ids, first_id))
        return trades.slice(start, start + limit)

    def trades_between(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> TradeColumns:
        trades = self._known(symbol, min(now_ms, end_ms))
        return trades.slice(int(np.searchsorted(trades.event_ms, start_ms)), len(trades))

    def newest_trades(self, symbol: str, limit: int, now_ms: int) -> TradeColumns:
        trades = self._known(symbol, now_ms)
        return trades.slice(max(0, len(trades) - limit), len(trades))

    def _known(self, symbol: str, now_ms: int) -> TradeColumns:
        trades = self._trades[symbol]
        return trades.slice(0, int(np.searchsorted(trades.event_ms, now_ms, side="right")))

    def window(self, after_ms: int, until_ms: int, wanted: Sequence[int]) -> TradeWindow:
        parts, places = [], []
        for index in wanted:
            trades = self._trades[self.symbols[index]]
            first, stop = np.searchsorted(trades.event_ms, (after_ms, until_ms), side="right")
            parts.append(trades.slice(int(first), int(stop)))
            places.append(np.full(int(stop - first), index, np.int32))
        if len(parts) == 1:
            return TradeWindow(parts[0], places[0])
        if not parts:
            return TradeWindow(EMPTY_TRADES, np.zeros(0, np.int32))
        together, symbols = TradeColumns.concatenate(parts), np.concatenate(places)
        order = np.argsort(together.event_ms, kind="stable")
        return TradeWindow(together.take(order), symbols[order])

    def prepare(self, until_ms: int, wanted: Sequence[int]) -> None:
        """All of it is prepared."""

    def next_event_ms(self, after_ms: int) -> int | None:
        return None

    def side_events(self, after_ms: int, until_ms: int, wanted: frozenset[str]) -> list[SideEvent]:
        return []

    def bars(self, symbol: str, interval: str, opens_ms: Sequence[int], now_ms: int) -> list[Bar]:
        return []

    def mark_price(self, symbol: str, now_ms: int) -> MarkPrice:
        """It is the last price."""
        mark = str(self.price(symbol, now_ms))
        return MarkPrice(symbol, mark, mark, mark, mark, _FUNDING_RATE, self._stage.funding_ms)

    def fundings(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> list[Funding]:
        at = self._stage.funding_ms
        if not start_ms <= at <= min(end_ms, now_ms):
            return []
        return [Funding(symbol, _FUNDING_RATE, at, str(self.price(symbol, at)))]

    def positioning(self, symbol: str, time_ms: int) -> Positioning | None:
        return None

    def first_ms(self, symbol: str) -> int:
        return int(self._trades[symbol].event_ms[0])

    def spot_price(self, symbol: str, now_ms: int) -> str:
        return str(self.price(symbol, now_ms))

    def coinbase_price(self, product: str, now_ms: int) -> str | None:
        return None

    def last_event_ms(self) -> int | None:
        return None


def _path(stage: Stage, symbol: str) -> TradeColumns:
    """Trades from a minute before the stage on, so that there is a price from the beginning."""
    chance = np.random.default_rng((stage.seed, stage.symbols.index(symbol)))
    profile = profile_of(symbol)
    rules = profile.rules
    span = stage.end_ms - stage.start_ms + BEFORE_MS
    count = int(span / _MEAN_GAP_MS * 1.3) + 50
    gaps = chance.exponential(_MEAN_GAP_MS, count) + np.where(chance.random(count) < _SILENCE_CHANCE, 8_000.0, 0.0)
    times = stage.start_ms - BEFORE_MS + np.cumsum(gaps).astype(np.int64) + 1
    times = times[times < stage.end_ms]
    jumps = np.where(chance.random(len(times)) < _JUMP_CHANCE, chance.normal(0, _JUMP, len(times)), 0.0)
    path = profile.base_price * np.exp(np.cumsum(chance.normal(0, _STEP, len(times)) + jumps))
    prices = np.maximum(1, np.round(path * rules.price_scale / rules.tick)).astype(np.int64) * rules.tick
    quantities = chance.integers(1, 4000, len(times)) * rules.step
    ids = np.arange(1, len(times) + 1, dtype=np.int64)
    maker = chance.random(len(times)) < 0.5
    return TradeColumns(ids, prices, quantities, quantities, ids, ids, times, times, maker)
