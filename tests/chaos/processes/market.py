"""The jumpy market of the virtual runs at real pace: the same trades, and the mark prices that a live executor listens to."""

from collections.abc import Iterator

from services.exchange_simulator import payloads
from services.exchange_simulator.market import SideEvent
from services.exchange_simulator.streams import StreamName, parse_stream
from services.exchange_simulator.synthetic.sidestreams import grid
from tests.chaos.money.market import JumpyMarket


class TellingMarket(JumpyMarket):
    """Tells its marks on the venue's grid; of the other low-rate streams nobody here wants any."""

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
