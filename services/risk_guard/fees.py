"""Fees of the day that were paid in another asset than the quote's (BNB), in quote units as of their fill: no wallet of the quote
asset tells of them, and they are lost all the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from libs.exchanges.pictures import QUOTE_ASSETS
from libs.exchanges.trading import Execution, IncomeEntry
from libs.exchanges.worth import QUOTE, minute_of, price_in
from libs.kit.durations import DAY_MS

COMMISSION = "COMMISSION"
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Fee:
    """`amount` of `asset` that was paid (below 0: given back); `price`: what one unit was worth in that minute, None until that
    was asked."""

    asset: str
    amount: Decimal
    time_ms: int
    price: Decimal | None


@dataclass(slots=True)
class FeeBook:
    """Told by the user stream at once, and by the statement whatever the stream has lost; each fill counts once.

    A fee that is not valued yet counts with the newest price that is known of its asset. `latest`: those prices, with the
    minute (ms) that each is of.
    """

    latest: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    _fees: dict[_Key, Fee] = field(default_factory=dict)

    def told(self, execution: Execution) -> None:
        """A fill."""
        self._add((execution.symbol, str(execution.trade_id)), execution.fee_asset, execution.fee, execution.time_ms)

    def stated(self, day: int, entries: Iterable[IncomeEntry]) -> None:
        """The statement of UTC day `day`; what was before it is forgotten."""
        self._fees = {key: fee for key, fee in self._fees.items() if fee.time_ms // DAY_MS >= day}
        for line in entries:
            if line.kind == COMMISSION:
                self._add(
                    (line.symbol, line.trade_id or f"#{line.transaction_id}"), line.asset, -line.amount, line.time_ms
                )

    def paid(self, day: int) -> tuple[Decimal, str]:
        """What UTC day `day` has cost, quote units, and what is not counted in it: fees in an asset of which nobody knows yet
        what it is worth."""
        together, lacks = Decimal(0), ""
        for fee in self._fees.values():
            if fee.time_ms // DAY_MS == day:
                _, newest = self.latest.get(fee.asset, (0, None))
                price = fee.price if fee.price is not None else newest
                if price is None:
                    lacks = f"nobody knows yet what the fees in {fee.asset} were worth"
                else:
                    together += fee.amount * price
        return together, lacks

    def unvalued(self) -> dict[str, tuple[int, int]]:
        """The assets of fees that have no price of their minute yet, with the first and the last of their times (ms)."""
        found: dict[str, tuple[int, int]] = {}
        for fee in self._fees.values():
            if fee.price is None:
                first, last = found.get(fee.asset, (fee.time_ms, fee.time_ms))
                found[fee.asset] = min(first, fee.time_ms), max(last, fee.time_ms)
        return found

    def valued(self, asset: str, prices: Mapping[int, Decimal]) -> None:
        """What the asset was worth, by the beginning of the minute (ms)."""
        if prices:
            newest = max(prices)
            self.latest[asset] = max(self.latest.get(asset, (0, Decimal(0))), (newest, prices[newest]))
        for key, fee in self._fees.items():
            if fee.asset == asset and fee.price is None:
                self._fees[key] = replace(fee, price=price_in(prices, minute_of(fee.time_ms)))

    def _add(self, key: _Key, asset: str, amount: Decimal, time_ms: int) -> None:
        if asset != QUOTE and amount and key not in self._fees:
            self._fees[key] = Fee(asset, amount, time_ms, Decimal(1) if asset in QUOTE_ASSETS else None)
