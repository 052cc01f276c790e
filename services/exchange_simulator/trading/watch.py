"""What of the accounts' waiting orders the market meets next: the first trade, mark or instant that matters."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from services.exchange_simulator.market import Funding
from services.exchange_simulator.trading.account import Account
from services.exchange_simulator.trading.orders import AlgoOrder, Order
from services.exchange_simulator.trading.quotes import Stretch

MARK_EVERY_MS = 1000
# Callback rates are percents with two decimals at most.
_WHOLE = 10_000


@dataclass(slots=True)
class Due:
    """What happens at `time_ms`. `row`: the trade that does it, None where it is a mark or an instant; `next_row`: the first
    trade that comes after it."""

    time_ms: int
    row: int | None
    next_row: int
    resting: list[tuple[Account, Order]] = field(default_factory=list)
    triggered: list[tuple[Account, AlgoOrder]] = field(default_factory=list)
    activated: list[AlgoOrder] = field(default_factory=list)
    expired: list[tuple[Account, Order]] = field(default_factory=list)
    funding: Funding | None = None


@dataclass(slots=True)
class Watch:
    """Walks over a stretch of one symbol's market. `mark_at` gives the mark of an instant, `fundings` come in order of time."""

    accounts: Sequence[Account]
    stretch: Stretch
    fundings: Sequence[Funding]
    mark_at: Callable[[int], Decimal]
    time_ms: int
    until_ms: int
    row: int = 0
    _marks: dict[int, Decimal] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Due]:
        while (due := self._next()) is not None:
            self._follow_trailing(due.next_row)
            self.row, self.time_ms = due.next_row, due.time_ms
            yield due
        self._follow_trailing(len(self.stretch.trades))

    def _next(self) -> Due | None:
        instant, trade = self._instant(), self._trade()
        if instant is None or (trade is not None and trade.time_ms < instant.time_ms):
            return trade
        instant.next_row = max(self.row, int(np.searchsorted(self.stretch.times, instant.time_ms)))
        return instant

    # --- instants --------------------------------------------------------------------------------------------------

    def _instant(self) -> Due | None:
        """The first mark, funding or end of life after the last thing that happened; all that share its instant."""
        funding = next((one for one in self.fundings if one.time_ms > self.time_ms), None)
        ends = [one.request.good_till_ms for _, one in self._orders() if one.request.time_in_force == "GTD"]
        marked = self._marked()
        times = [funding.time_ms] if funding else []
        times += [end for end in ends if end <= self.until_ms]
        times += [marked.time_ms] if marked else []
        if not times:
            return None
        first = max(self.time_ms, min(times))
        due = marked if marked is not None and marked.time_ms == first else Due(first, None, self.row)
        due.funding = funding if funding is not None and funding.time_ms == first else None
        due.expired = [(account, order) for account, order in self._orders() if 0 < order.request.good_till_ms <= first]
        return due

    def _marked(self) -> Due | None:
        """The first second whose mark triggers something."""
        waiting = [(account, algo) for account, algo in self._algos() if algo.request.working_type == "MARK_PRICE"]
        first = (self.time_ms // MARK_EVERY_MS + 1) * MARK_EVERY_MS
        for second in range(first, self.until_ms + 1, MARK_EVERY_MS) if waiting else ():
            mark = self._marks.setdefault(second, self.mark_at(second))
            hit = [(account, algo) for account, algo in waiting if second > algo.created_ms and _fires(algo, mark)]
            if hit:
                return Due(second, None, self.row, triggered=hit)
        return None

    # --- trades ----------------------------------------------------------------------------------------------------

    def _trade(self) -> Due | None:
        """The first trade that fills, triggers or activates something; all that it does."""
        hits: list[tuple[int, Callable[[Due], None]]] = []
        for account, order in self._orders():
            row = self._first(order.request.side == "SELL", order.request.price, order.queued_ms or order.created_ms)
            if row is not None:
                hits.append((row, lambda due, one=(account, order): due.resting.append(one)))  # type: ignore[misc]
        for account, algo in self._algos():
            if algo.request.kind == "TRAILING_STOP_MARKET":
                hits += self._trailing(account, algo)
            elif algo.request.working_type == "CONTRACT_PRICE":
                row = self._first(algo.request.fires_above, algo.request.trigger_price, algo.created_ms)
                if row is not None:
                    hits.append((row, lambda due, one=(account, algo): due.triggered.append(one)))  # type: ignore[misc]
        if not hits:
            return None
        first = min(row for row, _ in hits)
        due = Due(int(self.stretch.times[first]), first, first + 1)
        for row, happen in hits:
            if row == first:
                happen(due)
        return due

    def _first(self, above: bool, price: Decimal, born_ms: int) -> int | None:
        return self.stretch.first(above, price, self._start(born_ms))

    def _start(self, born_ms: int) -> int:
        """The first trade that is later than the order itself."""
        return max(self.row, int(np.searchsorted(self.stretch.times, born_ms, side="right")))

    def _trailing(self, account: Account, algo: AlgoOrder) -> list[tuple[int, Callable[[Due], None]]]:
        request, sells = algo.request, algo.request.side == "SELL"
        if not algo.extreme:
            row = self._first(sells, request.activate_price, algo.created_ms)
            return [] if row is None else [(row, lambda due: due.activated.append(algo))]
        start = self._start(algo.created_ms)
        prices = self.stretch.trades.prices[start:]
        if not len(prices):
            return []
        known = np.concatenate(([self.stretch.units(algo.extreme)], prices))
        best = (np.maximum if sells else np.minimum).accumulate(known)[1:]
        back = int(request.callback_rate * 100)
        hits = prices * _WHOLE <= best * (_WHOLE - back) if sells else prices * _WHOLE >= best * (_WHOLE + back)
        row = int(np.argmax(hits))
        return [(start + row, lambda due: due.triggered.append((account, algo)))] if hits[row] else []

    def _follow_trailing(self, next_row: int) -> None:
        """Keep the best price since activation up to there."""
        for _, algo in self._algos():
            prices = self.stretch.trades.prices[self._start(algo.created_ms) : next_row]
            if algo.extreme and len(prices):
                sells = algo.request.side == "SELL"
                found = Decimal(int(prices.max() if sells else prices.min())).scaleb(-self.stretch.rules.price_decimals)
                algo.extreme = max(algo.extreme, found) if sells else min(algo.extreme, found)

    # --- who waits -------------------------------------------------------------------------------------------------

    def _orders(self) -> list[tuple[Account, Order]]:
        symbol = self.stretch.rules.symbol
        return [(account, one) for account in self.accounts for one in account.book.open_orders(symbol)]

    def _algos(self) -> list[tuple[Account, AlgoOrder]]:
        symbol = self.stretch.rules.symbol
        return [(account, one) for account in self.accounts for one in account.book.open_algos(symbol)]


def _fires(algo: AlgoOrder, price: Decimal) -> bool:
    request = algo.request
    if request.kind == "TRAILING_STOP_MARKET":
        return False
    return price >= request.trigger_price if request.fires_above else price <= request.trigger_price
