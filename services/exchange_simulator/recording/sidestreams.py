"""The low-rate streams of a recording: recorded events as they are, and what clients expect besides, from its trades.

Where a recording holds no mark price or no kline of an interval, they are derived from the trades; forced orders and
books are never invented.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from libs.exchanges.recordings import RecordedEvent
from services.exchange_simulator import payloads
from services.exchange_simulator.klines import bar_open
from services.exchange_simulator.market import Int64s, SideEvent
from services.exchange_simulator.streams import StreamName, parse_stream

if TYPE_CHECKING:
    from services.exchange_simulator.recording.source import RecordedMarket

_KLINE_GRID_MS = 250
# Recorded trades arrived up to a third of a second late.
_KLINE_LAG_MS = 500
_TIME_FIELDS = ("E", "T", "t")


class RecordedSide:
    """Recorded events in order of a never-falling event time, and their answers to stream names."""

    def __init__(self, market: "RecordedMarket", events: list[RecordedEvent]) -> None:
        self._market = market
        self._events = sorted(events, key=lambda event: event.event_ms)
        self._times: Int64s = np.array([event.event_ms for event in self._events], np.int64)
        self._streams = {event.stream for event in events}
        self._shift = 0

    def rebase(self, shift_ms: int) -> None:
        """Tell all events `shift_ms` later than they were recorded."""
        self._shift = shift_ms

    def times(self) -> Int64s:
        """Event times of all recorded events."""
        return self._times + self._shift

    def events(self, after_ms: int, until_ms: int, wanted: frozenset[str]) -> list[SideEvent]:
        """Events of the wanted streams with after < event time <= until."""
        found: list[SideEvent] = []
        low, high = np.searchsorted(self._times, [after_ms - self._shift, until_ms - self._shift], side="right")
        for event in self._events[low:high]:
            found += self._recorded(event, wanted)
        for name in sorted(wanted):
            stream = parse_stream(name)
            if stream is not None and (stream.symbol in self._market.rules or not stream.symbol):
                found += self._derived(stream, after_ms, until_ms)
        found.sort(key=lambda event: event.event_ms)
        return found

    def _recorded(self, event: RecordedEvent, wanted: frozenset[str]) -> Iterator[SideEvent]:
        payload = event.payload if self._shift == 0 else shifted_payload(event.payload, self._shift)
        event_ms = event.event_ms + self._shift
        channel = event.stream.partition("@")[2]
        names = {event.stream}
        if channel.startswith("markPrice"):
            names = {f"{event.symbol.lower()}@markPrice@1s"}
            if event.event_ms // 1000 % 3 == 0:
                names.add(f"{event.symbol.lower()}@markPrice")
            arrays = {"!markPrice@arr@1s"} | ({"!markPrice@arr"} if event.event_ms // 1000 % 3 == 0 else set())
            for name in arrays & wanted:
                yield SideEvent(event_ms, event.symbol, (name,), b"[" + payload + b"]")
        elif channel == "forceOrder" or event.stream.startswith("!forceOrder"):
            names = {f"{event.symbol.lower()}@forceOrder", "!forceOrder@arr"}
        for name in sorted(names & wanted):
            yield SideEvent(event_ms, event.symbol, (name,), payload)

    def _derived(self, stream: StreamName, after_ms: int, until_ms: int) -> Iterator[SideEvent]:
        first, last = self._market.begin_ms, self._market.last_event_ms()
        if stream.kind == "markPrice" and not any("@markPrice" in name for name in self._streams):
            for moment in range(after_ms // stream.period_ms * stream.period_ms, until_ms + 1, stream.period_ms):
                if max(after_ms, first) < moment <= min(until_ms, last):
                    yield self._mark(stream, moment)
        elif stream.kind == "kline" and stream.name not in self._streams:
            start = (after_ms - _KLINE_LAG_MS) // _KLINE_GRID_MS * _KLINE_GRID_MS
            for moment in range(start, until_ms - _KLINE_LAG_MS + 1, _KLINE_GRID_MS):
                if after_ms < moment + _KLINE_LAG_MS and first < moment <= last + 60_000:
                    yield from self._kline(stream, moment)

    def _mark(self, stream: StreamName, moment: int) -> SideEvent:
        if stream.symbol:
            payload = payloads.mark_price_event(self._market.mark_price(stream.symbol, moment), moment)
        else:
            marks = [self._market.mark_price(symbol, moment) for symbol in self._market.symbols]
            payload = payloads.mark_price_array(marks, moment)
        return SideEvent(moment, stream.symbol, (stream.name,), payload)

    def _kline(self, stream: StreamName, moment: int) -> Iterator[SideEvent]:
        event_ms = moment + _KLINE_LAG_MS
        open_ms = bar_open(moment - _KLINE_GRID_MS, stream.interval)
        bars = self._market.bars(stream.symbol, stream.interval, [open_ms], event_ms)
        if not bars:
            return
        traded = self._market.told_between(stream.symbol, event_ms - _KLINE_GRID_MS, event_ms)
        if len(traded) or bars[0].close_ms < moment <= bars[0].close_ms + _KLINE_GRID_MS:
            payload = payloads.kline_event(bars[0], self._market.rules[stream.symbol], stream.interval, moment)
            yield SideEvent(event_ms, stream.symbol, (stream.name,), payload)


def shifted_payload(payload: bytes, shift_ms: int) -> bytes:
    """The payload with every time field moved, also inside klines and orders; everything else stays as recorded."""
    message = msgspec.json.decode(payload)

    def move(item: dict[str, object]) -> None:
        for name, value in item.items():
            if name in _TIME_FIELDS and isinstance(value, int) and not isinstance(value, bool) and value > 10**12:
                item[name] = value + shift_ms
            elif isinstance(value, dict):
                move(value)

    move(message)
    return msgspec.json.encode(message)
