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
            self._follow_trailing(due.next_row, due.time_ms)
            self.row, self.time_ms = due.next_row, due.time_ms
            yield due
        self._follow_trailing(len(self.stretch.trades), self.until_ms)

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
        """The first second whose mark triggers or activates something."""
        waiting = [(account, algo) for account, algo in self._algos() if _by_mark(algo)]
        best = {algo.algo_id: algo.extreme for _, algo in waiting}
        for second in self._seconds(self.until_ms) if waiting else ():
            mark, due = self._mark(second), Due(second, None, self.row)
            for account, algo in waiting:
                if second <= algo.created_ms:
                    continue
                best[algo.algo_id] = extreme = _better(algo, best[algo.algo_id], mark)
                if _activates(algo, mark):
                    due.activated.append(algo)
                elif _fires(algo, mark) or _has_come_back(algo, extreme, mark):
                    due.triggered.append((account, algo))
            if due.triggered or due.activated:
                return due
        return None

    def _seconds(self, until_ms: int) -> range:
        """Those with a mark after the last thing that happened."""
        return range((self.time_ms // MARK_EVERY_MS + 1) * MARK_EVERY_MS, until_ms + 1, MARK_EVERY_MS)

    def _mark(self, second: int) -> Decimal:
        if second not in self._marks:
            self._marks[second] = self.mark_at(second)
        return self._marks[second]

    # --- trades ----------------------------------------------------------------------------------------------------

    def _trade(self) -> Due | None:
        """The first trade that fills, triggers or activates something; all that it does."""
        hits: list[tuple[int, Callable[[Due], None]]] = []
        for account, order in self._orders():
            row = self._first(order.request.side == "SELL", order.request.price, order.queued_ms or order.created_ms)
            if row is not None:
                hits.append((row, lambda due, one=(account, order): due.resting.append(one)))  # type: ignore[misc]
        for account, algo in self._algos():
            if _by_mark(algo):
                continue
            if algo.request.kind == "TRAILING_STOP_MARKET":
                hits += self._trailing(account, algo)
            else:
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

    def _follow_trailing(self, next_row: int, until_ms: int) -> None:
        """Keep the best price since activation up to there."""
        for _, algo in self._algos():
            if _by_mark(algo):
                for second in self._seconds(until_ms) if algo.extreme else ():
                    if second > algo.created_ms:
                        algo.extreme = _better(algo, algo.extreme, self._mark(second))
                continue
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


def _by_mark(algo: AlgoOrder) -> bool:
    return algo.request.working_type == "MARK_PRICE"


def _better(algo: AlgoOrder, best: Decimal, price: Decimal) -> Decimal:
    """The best price of an active trailing stop; 0 of all others."""
    if not best:
        return best
    return max(best, price) if algo.request.side == "SELL" else min(best, price)


def _activates(algo: AlgoOrder, price: Decimal) -> bool:
    request = algo.request
    if request.kind != "TRAILING_STOP_MARKET" or algo.extreme:
        return False
    return price >= request.activate_price if request.side == "SELL" else price <= request.activate_price


def _has_come_back(algo: AlgoOrder, best: Decimal, price: Decimal) -> bool:
    """Whether a trailing stop's price is its callback rate behind the best one."""
    back = int(algo.request.callback_rate * 100)
    if not best:
        return False
    if algo.request.side == "SELL":
        return price * _WHOLE <= best * (_WHOLE - back)
    return price * _WHOLE >= best * (_WHOLE + back)


def _fires(algo: AlgoOrder, price: Decimal) -> bool:
    request = algo.request
    if request.kind == "TRAILING_STOP_MARKET":
        return False
    return price >= request.trigger_price if request.fires_above else price <= request.trigger_price
