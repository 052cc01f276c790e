"""The jumpy market of the virtual runs at real pace: the same trades, and the mark prices that a live executor listens to."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from services.exchange_simulator import payloads
from services.exchange_simulator.market import SideEvent, TradeColumns
from services.exchange_simulator.streams import StreamName, parse_stream
from services.exchange_simulator.symbols import profile_of
from services.exchange_simulator.synthetic.sidestreams import grid
from tests.chaos.money.market import BEFORE_MS, JumpyMarket, Stage


class TellingMarket(JumpyMarket):
    """Tells its marks on the venue's grid; of the other low-rate streams nobody here wants any."""

    def begin(self, stage: Stage, now_ms: int) -> None:
        """From now on play what that stage has, whatever was played before it: a seed has the same prices however long processes
        took to be ready."""
        ahead = JumpyMarket(stage)
        for symbol in self.symbols:
            past = self.trades_between(symbol, 0, now_ms, now_ms)
            # Its last price up to now is traded at once: nothing of what was played before may be the price of its first moments.
            opening = _at(ahead.newest_trades(symbol, 1, now_ms), now_ms + 1)
            further = ahead.trades_between(symbol, now_ms + 1, stage.end_ms, stage.end_ms)
            coming = _numbered(TradeColumns.concatenate([opening, further]), len(past))
            self._trades[symbol] = TradeColumns.concatenate([past, coming])
        self._stage = stage

    def side_events(self, after_ms: int, until_ms: int, wanted: frozenset[str]) -> list[SideEvent]:
        found: list[SideEvent] = []
        for name in sorted(wanted):
            stream = parse_stream(name)
            if stream is not None and stream.kind == "markPrice" and stream.symbol in ("", *self.symbols):
                found.extend(self._marks(stream, after_ms, until_ms))
        return sorted(found, key=lambda event: event.event_ms)

    def _marks(self, stream: StreamName, after_ms: int, until_ms: int) -> Iterator[SideEvent]:
        for at_ms in grid(after_ms, until_ms, stream.period_ms):
            if stream.symbol:
                payload = payloads.mark_price_event(self.mark_price(stream.symbol, at_ms), at_ms)
            else:
                payload = payloads.mark_price_array([self.mark_price(one, at_ms) for one in self.symbols], at_ms)
            yield SideEvent(at_ms, stream.symbol, (stream.name,), payload)


def steady(stage: Stage, symbol: str, every_ms: int) -> TradeColumns:
    """Trades at one price, as often as that."""
    profile = profile_of(symbol)
    rules = profile.rules
    times = np.arange(stage.start_ms - BEFORE_MS + 1, stage.end_ms, every_ms, dtype=np.int64)
    ids = np.arange(1, len(times) + 1, dtype=np.int64)
    price = round(profile.base_price * rules.price_scale / rules.tick) * rules.tick
    prices, quantities = np.full(len(ids), price, np.int64), np.full(len(ids), 1000 * rules.step, np.int64)
    return TradeColumns(ids, prices, quantities, quantities, ids, ids, times, times, ids % 2 == 0)


def _at(trade: TradeColumns, time_ms: int) -> TradeColumns:
    times = np.full(len(trade), time_ms, np.int64)
    return replace(trade, trade_ms=times, event_ms=times)


def _numbered(trades: TradeColumns, before: int) -> TradeColumns:
    """With ids that go on after so many."""
    ids = np.arange(before + 1, before + 1 + len(trades), dtype=np.int64)
    return replace(trades, ids=ids, first_ids=ids, last_ids=ids)
