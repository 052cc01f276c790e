"""Mark prices as the venue's stream tells them, once a second: what is open is worth this much now, without a question."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from libs.exchanges import MarkPrice, StreamBatch
from libs.exchanges.decimals import finite_decimal
from libs.kit.errors import BadMessage
from services.risk_guard.moment import Moment

FRESH_MS = 1_500
"""A price comes each second; one that is so late may not come any more."""


@dataclass(slots=True)
class MarkBook:
    """Times are those of the clock that only grows; a price counts from the venue's own time of it."""

    _heard: dict[str, tuple[str, int]] = field(default_factory=dict)

    def heard(self, marks: Iterable[MarkPrice], now: Moment) -> None:
        """Prices of a stream."""
        for mark in marks:
            self._heard[mark.symbol] = mark.mark_price, now.at_of(mark.event_time)

    def since(self, symbol: str, at_ms: int) -> Decimal | None:
        """A price that is not older than that; None where none was heard, or it is none."""
        text, heard_at_ms = self._heard.get(symbol, ("", 0))
        if not text or heard_at_ms < at_ms:
            return None
        try:
            price = finite_decimal(text)
        except BadMessage:
            return None
        return price if price > 0 else None

    def is_fresh(self, symbol: str, now: Moment) -> bool:
        """Whether its price is of this moment."""
        return self.since(symbol, now.at_ms - FRESH_MS) is not None


@dataclass(frozen=True, slots=True)
class MarkStream:
    """The port's `StreamHandler`: prices that do not come grow old, and the guard asks more often."""

    tell: Callable[[Iterable[MarkPrice]], None]

    def on_connecting(self) -> None:
        """Nothing is known of it."""

    def on_lines(self, lines: frozenset[int]) -> None:
        """A copy is the same price."""

    def on_open(self) -> None:
        """The first prices come within a second."""

    def on_close(self, reason: str, silent: bool) -> None:
        """Prices grow old."""

    def on_batch(self, batch: StreamBatch) -> None:
        self.tell(batch.mark_prices)
