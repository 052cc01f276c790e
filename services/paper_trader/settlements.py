"""The funding of one symbol as its partition of the log tells it: what was settled, what must still be, and what is assumed.

An account may not pass a settlement whose rate is not known. The venue tells it half a minute later, and whether it came in time
is decided by the partition's own watermark, so that every reader of the log decides the same.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.market import MarketIndicatorObserved, MarkPriceObserved
from libs.trading.filters import DEFAULT_FUNDING_INTERVAL_MS
from libs.trading.machine.fills import SETTLEMENT_TOLERANCE_MS
from libs.trading.market import FundingRates

WAIT_MS = 5 * 60_000
"""So long after a settlement, in the symbol's own watermark, its rate is waited for. All tries of the poll lie within."""
_SECOND_MS = 1_000
Rate = tuple[Decimal, Decimal | None]


@dataclass(slots=True)
class Settlements:
    """`resolved_ms`: every settlement up to there is known or assumed. `rates`: rate and mark price by instant (whole seconds).

    `announced`: instants that mark prices named beside the multiples of eight hours. `estimate`: the last running estimate, which
    stands in for a rate that does not come.
    """

    resolved_ms: int
    rates: dict[int, Rate] = field(default_factory=dict)
    announced: set[int] = field(default_factory=set)
    estimate: Rate = (Decimal(0), None)
    changed: bool = True

    @property
    def due_ms(self) -> int:
        """The first settlement that is neither known nor assumed."""
        regular = (self.resolved_ms // DEFAULT_FUNDING_INTERVAL_MS + 1) * DEFAULT_FUNDING_INTERVAL_MS
        return min(regular, *self.announced) if self.announced else regular

    def take_rate(self, event: MarketIndicatorObserved, watermark_ms: int) -> None:
        """A settled rate. One that nobody waits for and that lies before the watermark is history: accounts are past it."""
        rate = event.values.get("funding_rate")
        instant_ms = event.event_time_ms // _SECOND_MS * _SECOND_MS
        if rate is None or not rate.is_finite() or abs(rate) > 1 or instant_ms in self.rates:
            return
        due = 0 <= instant_ms - self.due_ms < SETTLEMENT_TOLERANCE_MS
        if instant_ms <= self.resolved_ms or (not due and instant_ms <= watermark_ms):
            return
        self.rates[instant_ms] = rate, event.values.get("mark_price")
        self.changed = True

    def take_mark_price(self, event: MarkPriceObserved, watermark_ms: int) -> None:
        """When the next settlement is, and the estimate that would stand in for it."""
        if event.funding_rate is not None and event.event_time_ms <= self.due_ms and abs(event.funding_rate) <= 1:
            self.estimate = event.funding_rate, event.mark_price
        coming_ms = event.next_funding_time_ms // _SECOND_MS * _SECOND_MS
        if coming_ms > max(watermark_ms, self.resolved_ms) and coming_ms - watermark_ms <= DEFAULT_FUNDING_INTERVAL_MS:
            self.announced.add(coming_ms)

    def follow(self, watermark_ms: int) -> list[int]:
        """Go on with the symbol's watermark; returns the settlements for which the estimate had to stand in."""
        assumed = []
        while (due_ms := self.due_ms) <= watermark_ms:
            if not self._has(due_ms):
                if watermark_ms < due_ms + WAIT_MS:
                    break
                self.rates[due_ms] = self.estimate
                self.changed = True
                assumed.append(due_ms)
            self._resolve(due_ms)
        return assumed

    def pass_by(self, until_ms: int) -> list[int]:
        """The accounts go on to `until_ms` without this symbol, which is not waited for; returns as `follow`. What comes later of
        those settlements changes nothing."""
        assumed = []
        while (due_ms := self.due_ms) < until_ms:
            if not self._has(due_ms):
                self.rates[due_ms] = self.estimate
                self.changed = True
                assumed.append(due_ms)
            self._resolve(due_ms)
        return assumed

    def _resolve(self, due_ms: int) -> None:
        self.resolved_ms = due_ms
        self.announced = {instant_ms for instant_ms in self.announced if instant_ms > due_ms}

    def _has(self, due_ms: int) -> bool:
        return any(0 <= instant_ms - due_ms < SETTLEMENT_TOLERANCE_MS for instant_ms in self.rates)

    def known(self, symbol: str) -> FundingRates:
        """All settlements so far, for the accounts."""
        rows = [(instant_ms, rate, mark) for instant_ms, (rate, mark) in sorted(self.rates.items())]
        return FundingRates.of(symbol, rows)
