"""The market as market faults leave it: halts without trades, ids that go on behind them, other ticks, other status.

A halt takes trades away and renumbers those behind it, so that ids stay without gaps and every answer about the past agrees
with what streams have sent. It begins at or after the moment when it was asked for; nothing that was told ever changes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.exchange_simulator.faults import plan
from services.exchange_simulator.faults.desk import Armed, FaultDesk
from services.exchange_simulator.klines import MINUTE_COLUMNS, MINUTE_MS, bars_of, next_open, summary_row
from services.exchange_simulator.market import (
    Bar,
    Funding,
    Int64s,
    MarketSource,
    MarkPrice,
    Positioning,
    SideEvent,
    TradeColumns,
    TradeWindow,
)
from services.exchange_simulator.payloads import contract_info_event
from services.exchange_simulator.streams import parse_stream
from services.exchange_simulator.symbols import SymbolRules

# What still comes for a symbol that nobody trades.
_WITHOUT_TRADING = ("markPrice",)
_NEVER = 1 << 62
CONTRACT_INFO = "!contractInfo"


@dataclass(frozen=True, slots=True)
class _Halt:
    """Event times [begin, end) without trades; source ids `first` .. `first + count - 1` do not exist."""

    begin_ms: int
    end_ms: int
    first: int
    count: int


class AlteredMarket:
    """A `MarketSource` around another one. Without market faults every question goes straight through."""

    def __init__(self, source: MarketSource, desk: FaultDesk) -> None:
        self._source = source
        self._desk = desk
        self._rules: Mapping[str, SymbolRules] = source.rules
        self._rules_of: tuple[object, ...] = ()
        self._closed: dict[tuple[str, int, int], _Halt] = {}

    @property
    def is_altered(self) -> bool:
        """Whether any fault of the market was ever asked for."""
        return bool(self._desk.market_faults)

    # --- facts --------------------------------------------------------------------------------------------------------

    @property
    def symbols(self) -> tuple[str, ...]:
        return self._source.symbols

    @property
    def rules(self) -> Mapping[str, SymbolRules]:
        version = tuple((armed.number, armed.state) for armed in self._desk.market_faults)
        if version != self._rules_of:
            self._rules_of = version
            self._rules = {symbol: self._rules_now(rules) for symbol, rules in self._source.rules.items()}
        return self._rules

    def _rules_now(self, rules: SymbolRules) -> SymbolRules:
        begun = [armed for armed in self._about(rules.symbol) if armed.state != "scheduled"]
        return _ruled(rules, ((armed, armed.state == "active") for armed in begun))

    def rules_at(self, symbol: str, moment_ms: int) -> SymbolRules:
        """The rules as they were at a time that has come."""
        begun = [armed for armed in self._about(symbol) if armed.begin_ms <= moment_ms]
        holds = ((armed, armed.end_ms is None or moment_ms < armed.end_ms) for armed in begun)
        return _ruled(self._source.rules[symbol], holds)

    def check(self, fault: plan.AnyFault) -> None:
        """Raise `ValueError` for a fault that this market cannot show."""
        named = fault.symbols if isinstance(fault, plan.StreamFault | plan.MarketFault) else ()
        if unknown := [symbol for symbol in named if symbol not in self.symbols]:
            raise ValueError(f"the market has no {', '.join(unknown)}")
        if isinstance(fault, plan.TickSize):
            for symbol in fault.symbols or self.symbols:
                least = self.rules[symbol].price_decimals
                if fault.price_decimals < least:
                    raise ValueError(f"prices of {symbol} have {least} decimals: they can only become more")

    def _about(self, symbol: str) -> list[Armed]:
        return [
            armed
            for armed in self._desk.market_faults
            if isinstance(armed.fault, plan.MarketFault)
            and (not armed.fault.symbols or symbol in armed.fault.symbols)
            and armed.begin_ms != armed.end_ms
        ]

    # --- trades -------------------------------------------------------------------------------------------------------

    def trades_from_id(self, symbol: str, first_id: int, limit: int, now_ms: int) -> TradeColumns:
        halts = self._halts(symbol, now_ms)
        if not halts:
            return self._priced(symbol, self._source.trades_from_id(symbol, first_id, limit, now_ms))
        parts: list[TradeColumns] = []
        found, start = 0, _source_id(first_id, halts)
        while found < limit:
            rows = self._source.trades_from_id(symbol, start, limit, now_ms)
            if not len(rows):
                break
            kept = _without(rows, halts)
            parts.append(kept)
            found += len(kept)
            start = _behind(int(rows.ids[-1]) + 1, halts)
        return self._priced(symbol, TradeColumns.concatenate(parts).slice(0, limit))

    def trades_between(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> TradeColumns:
        rows = self._source.trades_between(symbol, start_ms, end_ms, now_ms)
        return self._priced(symbol, _without(rows, self._halts(symbol, now_ms)))

    def newest_trades(self, symbol: str, limit: int, now_ms: int) -> TradeColumns:
        halts = self._halts(symbol, now_ms)
        if not halts:
            return self._priced(symbol, self._source.newest_trades(symbol, limit, now_ms))
        until = now_ms
        for halt in reversed(halts):
            # Right after a halt the source's last trade is still one that nobody has seen.
            last = self._source.newest_trades(symbol, 1, until)
            if len(last) and halt.begin_ms <= int(last.event_ms[-1]) < halt.end_ms:
                until = halt.begin_ms - 1
        newest = _without(self._source.newest_trades(symbol, 1, until), halts)
        if not len(newest):
            return newest
        return self.trades_from_id(symbol, max(0, int(newest.ids[-1]) - limit + 1), limit, now_ms)

    def window(self, after_ms: int, until_ms: int, wanted: Sequence[int]) -> TradeWindow:
        found = self._source.window(after_ms, until_ms, wanted)
        altered = [index for index in wanted if self._about(self.symbols[index])] if self._desk.market_faults else []
        if not altered or not len(found.trades):
            return found
        trades, symbols = found.trades, found.symbol_index
        keep = np.ones(len(trades), np.bool_)
        ids, prices = trades.ids.copy(), trades.prices.copy()
        for index in altered:
            rows = np.flatnonzero(symbols == index)
            part, halts = trades.take(rows), self._halts(self.symbols[index], until_ms)
            there, numbers = _surviving(part, halts)
            keep[rows] = there
            ids[rows] = numbers
            prices[rows] = self._prices(self.symbols[index], part.prices, numbers, part.event_ms)
        changed = replace(trades, ids=ids, prices=prices)
        return TradeWindow(changed.take(np.flatnonzero(keep)), symbols[keep])

    def _halts(self, symbol: str, now_ms: int) -> list[_Halt]:
        """The symbol's halts that have begun, oldest first, overlapping ones as one."""
        if not self._desk.market_faults:
            return []
        spans: list[tuple[int, int]] = []
        halted = [armed for armed in self._about(symbol) if isinstance(armed.fault, plan.Halt | plan.Delisting)]
        for armed in sorted(halted, key=lambda one: one.begin_ms):
            begin, end = armed.begin_ms, _NEVER if armed.end_ms is None else armed.end_ms
            if begin > now_ms:
                continue
            if spans and begin <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(spans[-1][1], end))
            else:
                spans.append((begin, end))
        return [self._halt(symbol, begin, end, now_ms) for begin, end in spans]

    def _halt(self, symbol: str, begin: int, end: int, now_ms: int) -> _Halt:
        key = (symbol, begin, end)
        if key not in self._closed:
            first = self._newest_source_id(symbol, begin - 1) + 1
            if end > now_ms:
                return _Halt(begin, end, first, _NEVER)
            self._closed[key] = _Halt(begin, end, first, self._newest_source_id(symbol, end - 1) + 1 - first)
        return self._closed[key]

    def _newest_source_id(self, symbol: str, time_ms: int) -> int:
        rows = self._source.newest_trades(symbol, 1, time_ms)
        return int(rows.ids[-1]) if len(rows) else -1

    # --- prices -------------------------------------------------------------------------------------------------------

    def _priced(self, symbol: str, trades: TradeColumns) -> TradeColumns:
        if not self._desk.market_faults or not len(trades):
            return trades
        return replace(trades, prices=self._prices(symbol, trades.prices, trades.ids, trades.event_ms))

    def _prices(self, symbol: str, prices: Int64s, ids: Int64s, event_ms: Int64s) -> Int64s:
        """Source prices in units of today's decimals; from a tick change on, on the new tick."""
        old, factor = self._source.rules[symbol], self._factor(symbol)
        out = prices * factor
        for armed in self._about(symbol):
            if not isinstance(armed.fault, plan.TickSize) or armed.state == "scheduled":
                continue
            unit = 10 ** (self.rules[symbol].price_decimals - armed.fault.price_decimals)
            tick = armed.fault.tick * unit
            later = event_ms >= armed.begin_ms
            if armed.end_ms is not None:
                later &= event_ms < armed.end_ms
            # A finer tick is used: what lies below the old one follows from the id, so that every answer agrees.
            finer = max(1, old.tick * factor // tick)
            out = np.where(later, out // tick * tick + ids * 7919 % finer * tick, out)
        return out

    def _factor(self, symbol: str) -> int:
        return int(10 ** (self.rules[symbol].price_decimals - self._source.rules[symbol].price_decimals))

    # --- the rest -----------------------------------------------------------------------------------------------------

    def prepare(self, until_ms: int, wanted: Sequence[int]) -> None:
        self._source.prepare(until_ms, wanted)

    def next_event_ms(self, after_ms: int) -> int | None:
        return self._source.next_event_ms(after_ms)

    def side_events(self, after_ms: int, until_ms: int, wanted: frozenset[str]) -> list[SideEvent]:
        events = self._source.side_events(after_ms, until_ms, wanted)
        if not self._desk.market_faults:
            return events
        left = [event for event in events if not self._stopped(event, until_ms)]
        if CONTRACT_INFO not in wanted:
            return left
        return sorted([*left, *self._contract_news(after_ms, until_ms)], key=lambda event: event.event_ms)

    def _contract_news(self, after_ms: int, until_ms: int) -> Iterator[SideEvent]:
        """What the venue tells of a symbol when its status or its rules change, and when they change back."""
        for symbol in self.symbols:
            changes = {
                moment
                for armed in self._about(symbol)
                if isinstance(armed.fault, plan.Status | plan.Delisting | plan.TickSize)
                for moment in (armed.begin_ms, armed.end_ms)
                if moment is not None and after_ms < moment <= until_ms
            }
            for moment in sorted(changes):
                payload = contract_info_event(self.rules_at(symbol, moment), moment)
                yield SideEvent(moment, symbol, (CONTRACT_INFO,), payload)

    def _stopped(self, event: SideEvent, until_ms: int) -> bool:
        stream = parse_stream(event.streams[0])
        if stream is None or stream.kind in _WITHOUT_TRADING or not event.symbol:
            return False
        return any(halt.begin_ms <= event.event_ms < halt.end_ms for halt in self._halts(event.symbol, until_ms))

    def bars(self, symbol: str, interval: str, opens_ms: Sequence[int], now_ms: int) -> list[Bar]:
        halts = self._halts(symbol, now_ms)
        spans = [(open_ms, next_open(open_ms, interval)) for open_ms in opens_ms]
        if any(halt.begin_ms < end and open_ms < halt.end_ms for halt in halts for open_ms, end in spans):
            return self._bars_with_halts(symbol, interval, opens_ms, now_ms)
        bars = self._source.bars(symbol, interval, opens_ms, now_ms)
        factor = self._factor(symbol) if self._desk.market_faults else 1
        return bars if factor == 1 else [_scaled(bar, factor) for bar in bars]

    def _bars_with_halts(self, symbol: str, interval: str, opens_ms: Sequence[int], now_ms: int) -> list[Bar]:
        def minute_rows(first: int, stop: int) -> NDArray[np.int64]:
            rows = np.zeros((max(0, stop - first), MINUTE_COLUMNS), np.int64)
            for row, minute in zip(rows, range(first * MINUTE_MS, stop * MINUTE_MS, MINUTE_MS), strict=True):
                row[:] = summary_row(self.trades_between(symbol, minute, minute + MINUTE_MS - 1, now_ms))
            return rows

        found = {bar.open_ms: bar for bar in bars_of(opens_ms, interval, minute_rows, now_ms)}
        for open_ms in opens_ms:
            if open_ms not in found and len(before := self.newest_trades(symbol, 1, open_ms)):
                # Nobody has traded since before the first bar that was asked for.
                flat = (int(before.prices[-1]),) * 4
                found[open_ms] = Bar(open_ms, next_open(open_ms, interval) - 1, *flat, 0, 0, 0, 0, 0, -1, -1)
        return [found[open_ms] for open_ms in opens_ms if open_ms in found]

    def mark_price(self, symbol: str, now_ms: int) -> MarkPrice:
        return self._source.mark_price(symbol, now_ms)

    def fundings(self, symbol: str, start_ms: int, end_ms: int, now_ms: int) -> list[Funding]:
        return self._source.fundings(symbol, start_ms, end_ms, now_ms)

    def positioning(self, symbol: str, time_ms: int) -> Positioning | None:
        return self._source.positioning(symbol, time_ms)

    def first_ms(self, symbol: str) -> int:
        return self._source.first_ms(symbol)

    def spot_price(self, symbol: str, now_ms: int) -> str:
        return self._source.spot_price(symbol, now_ms)

    def coinbase_price(self, product: str, now_ms: int) -> str | None:
        return self._source.coinbase_price(product, now_ms)

    def last_event_ms(self) -> int | None:
        return self._source.last_event_ms()


def _ruled(rules: SymbolRules, begun: Iterable[tuple[Armed, bool]]) -> SymbolRules:
    """The rules under faults that have begun, each with whether it still holds. Decimals never become fewer: history has them."""
    for armed, holds in begun:
        match armed.fault:
            case plan.TickSize(price_decimals=decimals, tick=tick):
                most = max(decimals, rules.price_decimals)
                if holds:
                    rules = replace(rules, price_decimals=most, tick=tick * 10 ** (most - decimals))
                else:
                    coarser = rules.tick * 10 ** (most - rules.price_decimals)
                    rules = replace(rules, price_decimals=most, tick=coarser)
            case plan.Status(status=status) if holds:
                rules = replace(rules, status=status)
            case plan.Delisting() if holds:
                rules = replace(rules, status="SETTLING", delivery_ms=armed.begin_ms)
    return rules


def _surviving(trades: TradeColumns, halts: Sequence[_Halt]) -> tuple[NDArray[np.bool_], Int64s]:
    """Which source rows exist, and the ids that they have."""
    there = np.ones(len(trades), np.bool_)
    ids = trades.ids.copy()
    for halt in halts:
        there &= (trades.event_ms < halt.begin_ms) | (trades.event_ms >= halt.end_ms)
        ids -= np.where(trades.ids >= halt.first + halt.count, halt.count, 0)
    return there, ids


def _without(trades: TradeColumns, halts: Sequence[_Halt]) -> TradeColumns:
    if not halts:
        return trades
    there, ids = _surviving(trades, halts)
    return replace(trades, ids=ids).take(np.flatnonzero(there))


def _source_id(agg_id: int, halts: Sequence[_Halt]) -> int:
    """The source's id of a trade that clients know as `agg_id`."""
    removed = 0
    for halt in halts:
        if halt.count < _NEVER and agg_id >= halt.first - removed:
            removed += halt.count
    return agg_id + removed


def _behind(source_id: int, halts: Sequence[_Halt]) -> int:
    """`source_id`, or the first id behind the halt that it lies in."""
    for halt in halts:
        if halt.first <= source_id < halt.first + halt.count:
            return halt.first + halt.count
    return source_id


def _scaled(bar: Bar, factor: int) -> Bar:
    names = ("open", "high", "low", "close", "quote", "taker_quote")
    return replace(bar, **{name: getattr(bar, name) * factor for name in names})
