"""The low-rate streams of the synthetic market, on fixed grids of venue time, so that a window split anywhere is the same."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from services.exchange_simulator import payloads
from services.exchange_simulator.books import book_after
from services.exchange_simulator.klines import bar_open
from services.exchange_simulator.market import SideEvent
from services.exchange_simulator.streams import StreamName, parse_stream
from services.exchange_simulator.synthetic.liquidations import coin_margined_twin
from services.exchange_simulator.synthetic.positioning import FUNDING_INTERVAL_MS

if TYPE_CHECKING:
    from services.exchange_simulator.synthetic.source import SyntheticMarket

_KLINE_GRID_MS = 250
# A kline event waits for the trades of its grid step, which are told up to 80 ms late.
_KLINE_LAG_MS = 100
_BOOK_GRID_MS = 100
_FUNDING_LAG_MS = 10


def grid(after_ms: int, until_ms: int, step_ms: int, lag_ms: int = 0) -> range:
    """Multiples g of `step_ms` with after < g + lag <= until."""
    first = (after_ms - lag_ms) // step_ms + 1
    return range(first * step_ms, until_ms - lag_ms + 1, step_ms)


class SideStreams:
    """Builds the events of wanted streams for a window of venue time."""

    def __init__(self, market: "SyntheticMarket") -> None:
        self._market = market
        self._plans: dict[frozenset[str], list[StreamName]] = {}

    def events(self, after_ms: int, until_ms: int, wanted: frozenset[str]) -> list[SideEvent]:
        """Events of the wanted streams with after < event time <= until, in event-time order."""
        plan = self._plans.get(wanted)
        if plan is None:
            self._plans = {wanted: self._plan(wanted)}
            plan = self._plans[wanted]
        found: list[SideEvent] = []
        for stream in plan:
            found.extend(self._of_stream(stream, after_ms, until_ms))
        found.sort(key=lambda event: event.event_ms)
        return found

    def _plan(self, wanted: frozenset[str]) -> list[StreamName]:
        """Known streams; a liquidation told on two streams is built for each, which costs nothing at that rate."""
        known = (parse_stream(name) for name in sorted(wanted))
        return [s for s in known if s is not None and (s.symbol == "" or s.symbol in self._market.rules)]

    def _of_stream(self, stream: StreamName, after_ms: int, until_ms: int) -> Iterator[SideEvent]:
        if stream.kind == "markPrice":
            return self._marks(stream, after_ms, until_ms)
        if stream.kind == "kline":
            return self._klines(stream, after_ms, until_ms)
        if stream.kind == "forceOrder":
            return self._force_orders(stream, after_ms, until_ms)
        if stream.kind == "bookTicker":
            return self._books(stream, after_ms, until_ms)
        return iter(())

    def _marks(self, stream: StreamName, after_ms: int, until_ms: int) -> Iterator[SideEvent]:
        for moment in grid(after_ms - _FUNDING_LAG_MS, until_ms, stream.period_ms):
            # The update of a funding hour comes ten milliseconds late and still names that hour as the next one.
            event_ms = moment + (_FUNDING_LAG_MS if moment % FUNDING_INTERVAL_MS == 0 else 0)
            if not after_ms < event_ms <= until_ms:
                continue
            symbols = (stream.symbol,) if stream.symbol else self._market.symbols
            marks = [self._market.mark_price(symbol, event_ms) for symbol in symbols]
            if stream.symbol:
                payload = payloads.mark_price_event(marks[0], event_ms)
            else:
                payload = payloads.mark_price_array(marks, event_ms)
            yield SideEvent(event_ms, stream.symbol, (stream.name,), payload)

    def _klines(self, stream: StreamName, after_ms: int, until_ms: int) -> Iterator[SideEvent]:
        part, rules = self._market.part(stream.symbol), self._market.rules[stream.symbol]
        for moment in grid(after_ms, until_ms, _KLINE_GRID_MS, _KLINE_LAG_MS):
            event_ms = moment + _KLINE_LAG_MS
            open_ms = bar_open(moment - _KLINE_GRID_MS, stream.interval)
            bars = self._market.bars(stream.symbol, stream.interval, [open_ms], event_ms)
            traded = part.tape.told_between(event_ms - _KLINE_GRID_MS, event_ms)
            if bars and (len(traded) or moment > bars[0].close_ms):
                payload = payloads.kline_event(bars[0], rules, stream.interval, moment)
                yield SideEvent(event_ms, stream.symbol, (stream.name,), payload)

    def _force_orders(self, stream: StreamName, after_ms: int, until_ms: int) -> Iterator[SideEvent]:
        symbols = (stream.symbol,) if stream.symbol else self._market.symbols
        for moment in grid(after_ms, until_ms, 1000):
            for symbol in symbols:
                order = self._market.part(symbol).liquidations.of_second(moment // 1000 - 1)
                if order is None:
                    continue
                yield SideEvent(moment, symbol, (stream.name,), payloads.force_order_event(order, moment))
                if not stream.symbol and order.time_ms % 8 == 0:
                    twin = coin_margined_twin(order, self._market.rules[symbol].base_asset)
                    yield SideEvent(moment, twin.symbol, (stream.name,), payloads.force_order_event(twin, moment))

    def _books(self, stream: StreamName, after_ms: int, until_ms: int) -> Iterator[SideEvent]:
        symbols = (stream.symbol,) if stream.symbol else self._market.symbols
        for moment in grid(after_ms, until_ms, _BOOK_GRID_MS):
            for symbol in symbols:
                trades = self._market.part(symbol).tape.told_between(moment - _BOOK_GRID_MS, moment)
                if len(trades):
                    book = book_after(trades, self._market.rules[symbol])
                    yield SideEvent(moment, symbol, (stream.name,), payloads.book_ticker_event(book, moment))
