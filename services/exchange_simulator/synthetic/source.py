"""The synthetic market as a `MarketSource`: tapes, bars and slow facts of all symbols behind one set of questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.exchange_simulator.klines import bars_of
from services.exchange_simulator.market import (
    Bar,
    Funding,
    MarkPrice,
    Positioning,
    SideEvent,
    TradeColumns,
    TradeWindow,
)
from services.exchange_simulator.symbols import SymbolRules, profile_of
from services.exchange_simulator.synthetic.bars import MinuteBars
from services.exchange_simulator.synthetic.liquidations import Liquidations
from services.exchange_simulator.synthetic.opening import turns
from services.exchange_simulator.synthetic.positioning import SlowFacts
from services.exchange_simulator.synthetic.sidestreams import SideStreams
from services.exchange_simulator.synthetic.skeleton import DAY_MINUTES, MINUTE_MS, Skeleton, Turn
from services.exchange_simulator.synthetic.trades import BlockCache, Pace, TradeTape
from services.exchange_simulator.trades_merge import merge_by_event

HISTORY_DAYS = 32
# History before the start minute is never denser than this in total, so that days of klines stay cheap at any live rate.
HISTORY_RATE_LIMIT = 120.0
_SLICE_MS = 1000


@dataclass(frozen=True, slots=True)
class SyntheticMarketPlan:
    """The identity of a synthetic market: `rate` is aggregate trades a second over all symbols, `start_ms` its live start.

    `further` perpetuals are listed beside them and each traded as much as one of them. They are no part of the identity: what
    one trades follows from its own name, and changes nothing of the others.
    """

    seed: int
    symbols: tuple[str, ...]
    rate: float
    start_ms: int
    further: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SyntheticSymbol:
    """Everything that answers for one symbol."""

    tape: TradeTape
    bars: MinuteBars
    facts: SlowFacts
    liquidations: Liquidations


class SyntheticMarket:
    """An endless seeded market (see `MarketSource` for the questions)."""

    def __init__(self, plan: SyntheticMarketPlan) -> None:
        self._plan = plan
        self._symbols = (*plan.symbols, *plan.further)
        profiles = {symbol: profile_of(symbol) for symbol in self._symbols}
        self._rules: dict[str, SymbolRules] = {symbol: profile.rules for symbol, profile in profiles.items()}
        start_minute = plan.start_ms // MINUTE_MS
        self._pace = Pace(
            first_minute=(start_minute // DAY_MINUTES - HISTORY_DAYS) * DAY_MINUTES,
            start_minute=start_minute,
            history_per_day=_per_day(min(plan.rate, HISTORY_RATE_LIMIT), len(plan.symbols)),
            live_per_day=_per_day(plan.rate, len(plan.symbols)),
        )
        self._cache = BlockCache(self._pace.kept_trades(len(plan.symbols)))
        self._parts: dict[str, SyntheticSymbol] = {}
        minutes = turns(plan.start_ms, len(plan.symbols))
        for place, (symbol, profile) in enumerate(profiles.items()):
            minute = minutes[place] if place < len(minutes) else minutes[0]
            skeleton = Skeleton(plan.seed, profile, Turn(plan.start_ms, minute))
            tape = TradeTape(plan.seed, skeleton, self._pace, self._cache)
            facts = SlowFacts(plan.seed, skeleton)
            self._parts[symbol] = SyntheticSymbol(
                tape, MinuteBars(tape), facts, Liquidations(plan.seed, skeleton, facts)
            )
        self._side = SideStreams(self)
        self._slice: tuple[tuple[int, ...], int, TradeWindow] | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._symbols

    @property
    def rules(self) -> Mapping[str, SymbolRules]:
        return self._rules

    def part(self, symbol: str) -> SyntheticSymbol:
        """The parts of one symbol; KeyError for another."""
        return self._parts[symbol]

    def trades_from_id(self, symbol: str, first_id: int, limit: int, now_ms: int) -> TradeColumns:
        return self._parts[symbol].tape.from_id(first_id, limit, now_ms)

    def trades_between(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> TradeColumns:
        return self._parts[symbol].tape.between(start_ms, end_ms, now_ms)

    def newest_trades(self, symbol: str, limit: int, now_ms: int) -> TradeColumns:
        return self._parts[symbol].tape.newest(limit, now_ms)

    def window(self, after_ms: int, until_ms: int, wanted: Sequence[int]) -> TradeWindow:
        pieces = []
        key = tuple(wanted)
        for second in range((after_ms + 1) // _SLICE_MS, until_ms // _SLICE_MS + 1):
            merged = self._merged_second(key, second)
            low = int(np.searchsorted(merged.trades.event_ms, after_ms, side="right"))
            high = int(np.searchsorted(merged.trades.event_ms, until_ms, side="right"))
            if high > low:
                pieces.append(TradeWindow(merged.trades.slice(low, high), merged.symbol_index[low:high]))
        if len(pieces) == 1:
            return pieces[0]
        index = np.concatenate([p.symbol_index for p in pieces] or [np.zeros(0, np.int32)])
        return TradeWindow(TradeColumns.concatenate([p.trades for p in pieces]), index)

    def _merged_second(self, wanted: tuple[int, ...], second: int) -> TradeWindow:
        if self._slice is None or self._slice[0] != wanted or self._slice[1] != second:
            start = second * _SLICE_MS - 1
            parts = [
                (index, self._parts[self._symbols[index]].tape.told_between(start, start + _SLICE_MS))
                for index in wanted
            ]
            trades, symbol_index = merge_by_event([part for part in parts if len(part[1])])
            self._slice = (wanted, second, TradeWindow(trades, symbol_index))
        return self._slice[2]

    def prepare(self, until_ms: int, wanted: Sequence[int]) -> None:
        for index in wanted:
            for _ in self._parts[self._symbols[index]].tape.blocks(until_ms, until_ms):
                pass  # read into the cache

    def next_event_ms(self, after_ms: int) -> int | None:
        return None

    def side_events(self, after_ms: int, until_ms: int, wanted: frozenset[str]) -> list[SideEvent]:
        return self._side.events(after_ms, until_ms, wanted)

    def bars(self, symbol: str, interval: str, opens_ms: Sequence[int], now_ms: int) -> list[Bar]:
        minutes = self._parts[symbol].bars
        return bars_of(opens_ms, interval, lambda first, stop: minutes.rows(first, stop, now_ms), now_ms)

    def mark_price(self, symbol: str, now_ms: int) -> MarkPrice:
        return self._parts[symbol].facts.mark_price(now_ms)

    def fundings(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> list[Funding]:
        start_ms = max(start_ms, self.first_ms(symbol))
        return self._parts[symbol].facts.fundings(start_ms, min(end_ms, now_ms))

    def positioning(self, symbol: str, time_ms: int) -> Positioning | None:
        return self._parts[symbol].facts.positioning(time_ms)

    def first_ms(self, symbol: str) -> int:
        return self._pace.first_minute * MINUTE_MS

    def spot_price(self, symbol: str, now_ms: int) -> str:
        return f"{self._parts[symbol].facts.spot_price(now_ms):.{max(2, self._rules[symbol].price_decimals)}f}"

    def coinbase_price(self, product: str, now_ms: int) -> str | None:
        base, _, quote = product.partition("-")
        part = self._parts.get(f"{base}USDT") if quote in ("USD", "USDC") else None
        return None if part is None else f"{part.facts.coinbase_price(now_ms):.2f}"

    def last_event_ms(self) -> int | None:
        return None


def _per_day(rate: float, symbols: int) -> int:
    return max(1440, round(rate * 86_400 / symbols))
