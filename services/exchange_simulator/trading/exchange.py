"""The trading venue as a function of time: what is placed, what the market does to it, and in which order.

`advance(now)` tells everything up to `now`, however often it is called meanwhile: the same commands at the same times leave the
same accounts, so that a journal of commands is all the state there is.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.trading import events, filters
from services.exchange_simulator.trading.account import Account, Position
from services.exchange_simulator.trading.clearing import Clearing
from services.exchange_simulator.trading.entry import (
    Moment,
    check_algo,
    check_amendment,
    check_margin,
    check_order,
    is_closing,
    reducible,
)
from services.exchange_simulator.trading.filters import step_of
from services.exchange_simulator.trading.orders import (
    ADL,
    IOC_AND_SELF_TRADE,
    IOC_REMAINDER,
    MARKET_REMAINDER,
    SELF_TRADE,
    ZERO,
    AlgoOrder,
    AlgoRequest,
    Order,
    OrderRequest,
    Side,
)
from services.exchange_simulator.trading.quotes import Level, Prices, Quote, Stretch, quote_after
from services.exchange_simulator.trading.watch import Due, Watch

TRIGGER_PROTECT = Decimal("0.05")
_LONGEST_STEP_MS = 60_000


@dataclass(slots=True)
class Exchange:
    """`until_ms`: how far the market has been told to the accounts. `triggered_share`: how much of what triggers finds somebody
    to trade with, 1 unless somebody wants it otherwise. `countdowns`: when open orders of an account and symbol are cancelled."""

    prices: Prices
    until_ms: int
    accounts: dict[str, Account] = field(default_factory=dict)
    triggered_share: Decimal = Decimal(1)
    countdowns: dict[tuple[str, str], int] = field(default_factory=dict)
    clearing: Clearing = field(init=False)

    def __post_init__(self) -> None:
        self.clearing = Clearing(self.prices)

    def drain(self) -> list[events.Told]:
        """What has to be told since the last call."""
        found, self.clearing.told = self.clearing.told, []
        return found

    # --- what the market does --------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> None:
        """Everything that happened up to and with `now_ms`, in order of time; symbols of one instant in order of their names."""
        while self.until_ms < now_ms:
            ends = [due_ms for due_ms in self.countdowns.values() if due_ms > self.until_ms]
            until_ms = min([now_ms, self.until_ms + _LONGEST_STEP_MS, *ends])
            walks = [self._walk(symbol, self.until_ms, until_ms) for symbol in self.concerned()]
            for _, _, due, stretch in heapq.merge(*walks, key=lambda step: step[:2]):
                self._happen(due, stretch)
            self.until_ms = until_ms
            for (name, symbol), due_ms in list(self.countdowns.items()):
                if due_ms <= until_ms:
                    del self.countdowns[name, symbol]
                    self.cancel_all(self.accounts[name], symbol, until_ms)

    def concerned(self) -> list[str]:
        """Symbols in which somebody holds or waits for something."""
        found = {
            symbol
            for account in self.accounts.values()
            for symbol in (
                *(one.symbol for one in account.held()),
                *(one.request.symbol for one in account.book.open_orders()),
                *(one.request.symbol for one in account.book.open_algos()),
            )
        }
        return sorted(found)

    def _walk(self, symbol: str, after_ms: int, until_ms: int) -> Iterator[tuple[int, str, Due, Stretch]]:
        rules = self.prices.rules[symbol]
        place = self.prices.symbols.index(symbol)
        stretch = Stretch(self.prices.window(after_ms, until_ms, [place]).trades, rules)
        fundings = self.prices.fundings(symbol, after_ms + 1, until_ms, until_ms)
        accounts = list(self.accounts.values())
        watch = Watch(accounts, stretch, fundings, lambda at: self.clearing.mark(symbol, at), after_ms, until_ms)
        for due in watch:
            yield due.time_ms, symbol, due, stretch

    def _happen(self, due: Due, stretch: Stretch) -> None:
        """One thing after the other."""
        quote = self._quote_at(due, stretch)
        if due.funding is not None:
            for account in self.accounts.values():
                for position in account.held(stretch.rules.symbol):
                    rate, mark = Decimal(due.funding.rate), Decimal(due.funding.mark)
                    self.clearing.settle_funding(account, position, rate, mark, due.time_ms)
        for account, order in due.expired:
            self.clearing.end(account, order, "EXPIRED", due.time_ms)
        for account, order in due.resting:
            if order.is_open and due.row is not None:
                self._fill_resting(account, order, stretch, due.row)
        for algo in due.activated:
            algo.extreme = (
                self.clearing.mark(algo.request.symbol, due.time_ms) if due.row is None else stretch.price(due.row)
            )
        for account, algo in due.triggered:
            if algo.is_open and not self._protected(algo, quote, due.time_ms):
                self._trigger(account, algo, quote, due.time_ms)

    def _protected(self, algo: AlgoOrder, quote: Quote, now_ms: int) -> bool:
        """A protected trigger waits while the last price and the mark are far apart."""
        if not algo.request.price_protect:
            return False
        mark = self.clearing.mark(algo.request.symbol, now_ms)
        return abs(quote.bid.price - mark) > TRIGGER_PROTECT * mark

    def _quote_at(self, due: Due, stretch: Stretch) -> Quote:
        if due.row is not None:
            return stretch.quote(due.row)
        return self.quote(stretch.rules.symbol, due.time_ms)

    def _fill_resting(self, account: Account, order: Order, stretch: Stretch, row: int) -> None:
        request = order.request
        given = stretch.given(request.side, request.price, row)
        quantity = order.remaining if given is None else min(order.remaining, given)
        if request.reduce_only:
            quantity = min(quantity, reducible(account, request))
        if quantity:
            self.clearing.fill(account, order, request.price, quantity, (int(stretch.times[row]), True))

    # --- what accounts do ------------------------------------------------------------------------------------------

    def quote(self, symbol: str, now_ms: int) -> Quote:
        """The book now. Raises -1122 for a symbol that has never traded."""
        trades = self.prices.newest_trades(symbol, 1, now_ms)
        if not len(trades):
            raise VenueError(-1122, "Invalid symbol status.")
        return quote_after(trades, self.prices.rules[symbol])

    def moment(self, symbol: str, now_ms: int) -> Moment:
        """The market as an order finds it."""
        trades = self.prices.newest_trades(symbol, 1, now_ms)
        quote = self.quote(symbol, now_ms)
        last = Decimal(int(trades.prices[-1])).scaleb(-self.prices.rules[symbol].price_decimals)
        return Moment(now_ms, quote, last, self.clearing.mark(symbol, now_ms))

    def place(self, account: Account, request: OrderRequest, now_ms: int) -> Order:
        """Take an order in, and let it match at once. Raises `VenueError`, and nothing has changed."""
        self.advance(now_ms)
        moment = self.moment(request.symbol, now_ms)
        check_order(self.clearing, account, request, moment)
        return self._enter(account, self._order(request, now_ms), moment)

    def _order(self, request: OrderRequest, now_ms: int) -> Order:
        number = self.clearing.next_order_id()
        named = request if request.client_id else replace(request, client_id=f"web_{number}")
        return Order(number, named, now_ms, now_ms, request.kind)

    def _enter(self, account: Account, order: Order, moment: Moment, share: Decimal = Decimal(1)) -> Order:
        """`share`: of what it asks for, how much the book gives."""
        request, now_ms = order.request, order.created_ms
        levels = _met_by(request, moment, order.remaining * share // self._step(request) * self._step(request))
        self.clearing.accept(account, order)
        for level in levels:
            if not self._take(account, order, level):
                break
        if order.is_open and (request.kind == "MARKET" or request.time_in_force == "IOC"):
            reason = MARKET_REMAINDER if request.kind == "MARKET" else IOC_REMAINDER
            self.clearing.end(account, order, "EXPIRED", now_ms, reason)
        return order

    def _step(self, request: OrderRequest) -> Decimal:
        return step_of(self.prices.rules[request.symbol])

    def _take(self, account: Account, order: Order, level: Level) -> bool:
        """One level of the book; whether the order goes on."""
        request, now_ms = order.request, order.updated_ms
        for resting in self._met(account, order, level.price):
            if request.self_trade in ("EXPIRE_MAKER", "EXPIRE_BOTH"):
                self.clearing.end(account, resting, "EXPIRED_IN_MATCH", now_ms, SELF_TRADE)
            if request.self_trade in ("EXPIRE_TAKER", "EXPIRE_BOTH"):
                reason = IOC_AND_SELF_TRADE if request.time_in_force == "IOC" else SELF_TRADE
                self.clearing.end(account, order, "EXPIRED_IN_MATCH", now_ms, reason)
                return False
        quantity = min(level.quantity, order.remaining)
        if is_closing(account, request):
            quantity = min(quantity, reducible(account, request))
        if quantity:
            self.clearing.fill(account, order, level.price, quantity, (now_ms, False))
        return bool(quantity and order.remaining)

    def _met(self, account: Account, order: Order, price: Decimal) -> list[Order]:
        """The account's own orders that stand before this level."""
        request = order.request
        others: Iterable[Order] = account.book.open_orders(request.symbol)
        opposite = [one for one in others if one is not order and one.request.side != request.side]
        if request.side == "BUY":
            return [one for one in opposite if one.request.price <= price]
        return [one for one in opposite if one.request.price >= price]

    def cancel(self, account: Account, order: Order, now_ms: int) -> None:
        """Raises -2011 when it is not open any more."""
        self.advance(now_ms)
        if not order.is_open:
            raise VenueError(-2011, "Unknown order sent.")
        self.clearing.end(account, order, "CANCELED", now_ms)

    def cancel_all(self, account: Account, symbol: str, now_ms: int) -> None:
        """All open orders of a symbol; conditional ones stay."""
        self.advance(now_ms)
        for order in account.book.open_orders(symbol):
            self.clearing.end(account, order, "CANCELED", now_ms)

    def amend(self, account: Account, order: Order, wanted: tuple[Decimal, Decimal], now_ms: int) -> Order:
        """Another quantity and price for a resting order, which goes to the end of its queue. A quantity that is filled already
        cancels it. Raises `VenueError`, and nothing has changed."""
        self.advance(now_ms)
        moment = self.moment(order.request.symbol, now_ms)
        check_amendment(self.clearing, account, order, wanted, moment)
        quantity, price = wanted
        changed = replace(order.request, quantity=quantity, price=price)
        if quantity <= order.executed:
            self.clearing.end(account, order, "CANCELED", now_ms)
            return order
        levels = _met_by(changed, moment, quantity - order.executed)
        order.request, order.amendments = changed, order.amendments + 1
        order.queued_ms = order.updated_ms = now_ms
        self.clearing.tell_order(account, order, "AMENDMENT", now_ms)
        for level in levels:
            if not self._take(account, order, level):
                break
        return order

    def fill_now(self, account: Account, order: Order, now_ms: int) -> None:
        """Somebody takes all of a resting order at its price. Nothing happens to one that is not open."""
        self.advance(now_ms)
        if order.is_open:
            self.clearing.fill(account, order, order.request.price, order.remaining, (now_ms, True))

    # --- conditional orders ----------------------------------------------------------------------------------------

    def place_algo(self, account: Account, request: AlgoRequest, now_ms: int) -> AlgoOrder:
        """Let a conditional order wait. Raises `VenueError`, and nothing has changed."""
        self.advance(now_ms)
        moment = self.moment(request.symbol, now_ms)
        check_algo(self.clearing, account, request, moment)
        number = self.clearing.next_algo_id()
        named = request if request.client_id else replace(request, client_id=f"algo_{number}")
        algo = AlgoOrder(number, named, now_ms, now_ms)
        if request.kind == "TRAILING_STOP_MARKET" and not request.activate_price:
            algo.extreme = moment.mark if request.working_type == "MARK_PRICE" else moment.last
        account.book.add_algo(algo)
        self.clearing.tell_algo(account, algo, now_ms)
        return algo

    def cancel_algo(self, account: Account, algo: AlgoOrder, now_ms: int) -> None:
        """Raises -2011 when it does not wait any more."""
        self.advance(now_ms)
        if not algo.is_open:
            raise VenueError(-2011, "Unknown order sent.")
        algo.status, algo.updated_ms = "CANCELED", now_ms
        self.clearing.tell_algo(account, algo, now_ms)

    def trigger_now(self, account: Account, algo: AlgoOrder, now_ms: int) -> None:
        """It triggers, wherever its price is. Nothing happens to one that does not wait."""
        self.advance(now_ms)
        if algo.is_open:
            self._trigger(account, algo, self.quote(algo.request.symbol, now_ms), now_ms)

    def _trigger(self, account: Account, algo: AlgoOrder, quote: Quote, now_ms: int) -> None:
        """It becomes an order, or does not: only now anybody looks at its margin and its position."""
        waiting = algo.request
        algo.triggered_ms = algo.updated_ms = now_ms
        algo.status = "TRIGGERING"
        self.clearing.tell_algo(account, algo, now_ms)
        request = _order_of(algo, reducible(account, waiting))
        if not request.quantity:
            algo.status = "EXPIRED"
            self.clearing.tell_algo(account, algo, now_ms)
            return
        moment = Moment(now_ms, quote, quote.best(waiting.side), self.clearing.mark(waiting.symbol, now_ms))
        order = Order(self.clearing.next_order_id(), request, now_ms, now_ms, waiting.kind)
        order.close_position, order.stop_price = waiting.close_position, waiting.trigger_price
        order.working_type, order.price_protect = waiting.working_type, waiting.price_protect
        try:
            if is_closing(account, request):
                if not reducible(account, request):
                    raise VenueError(-2022, "ReduceOnly Order is rejected.")
            else:
                check_margin(self.clearing, account, request, moment)
            algo.order, order.algo = order, algo
            self._enter(account, order, moment, self.triggered_share)
        except VenueError as refused:
            algo.order, algo.status, algo.reason = None, "REJECTED", refused.message
            self.clearing.tell_algo(account, algo, now_ms)
            return
        algo.status = "TRIGGERED"
        self.clearing.tell_algo(account, algo, now_ms)
        self.clearing.finish(account, order)

    # --- what comes from outside -----------------------------------------------------------------------------------

    def force(self, account: Account, position: Position, kind: str, now_ms: int, share: Decimal = Decimal(1)) -> Order:
        """Close a position without the account's will, as `autoclose-` (liquidation), `adl_autoclose` or
        `settlement_autoclose-`: at the mark, all of it or a share."""
        self.advance(now_ms)
        side: Side = "SELL" if position.amount > 0 else "BUY"
        number = self.clearing.next_order_id()
        name = kind if kind == ADL else f"{kind}{number}"
        step = step_of(self.prices.rules[position.symbol])
        quantity = max(step, abs(position.amount) * share // step * step)
        mark = self.clearing.mark(position.symbol, now_ms)
        request = OrderRequest(
            position.symbol, side, position.side, "LIMIT", quantity, mark, "IOC", client_id=name, self_trade="NONE"
        )
        order = Order(number, request, now_ms, now_ms, request.kind, is_forced=True)
        self.clearing.accept(account, order)
        self.clearing.fill(account, order, mark, quantity, (now_ms, False))
        return order


def _met_by(request: OrderRequest, moment: Moment, quantity: Decimal) -> list[Level]:
    """What an order takes of the book at once. Raises -5022 or -5021 where its time in force does not allow that."""
    limit = request.price if request.kind == "LIMIT" else filters.take_bound(request.side, moment.mark)
    best = moment.quote.best(request.side)
    crosses = best <= limit if request.side == "BUY" else best >= limit
    if request.time_in_force == "GTX" and crosses:
        raise VenueError(
            -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected."
        )
    levels = list(_taken(moment.quote.levels(request.side), request.side, limit, quantity)) if crosses else []
    if request.time_in_force == "FOK" and sum(level.quantity for level in levels) < request.quantity:
        raise VenueError(-5021, "Due to the order could not be filled immediately, the FOK order has been rejected.")
    return levels


def _taken(levels: Iterable[Level], side: Side, limit: Decimal, quantity: Decimal) -> Iterable[Level]:
    """What of the book an order takes, no worse than `limit`."""
    left = quantity
    for level in levels:
        if left <= 0 or (level.price > limit if side == "BUY" else level.price < limit):
            return
        yield Level(level.price, min(left, level.quantity))
        left -= level.quantity


def _order_of(algo: AlgoOrder, held: Decimal) -> OrderRequest:
    """The order that a trigger makes; of a closing one with the size of what is held."""
    request = algo.request
    return OrderRequest(
        request.symbol,
        request.side,
        request.position_side,
        request.order_type,
        held if request.close_position else request.quantity,
        request.price if request.order_type == "LIMIT" else ZERO,
        request.time_in_force,
        (request.reduce_only or request.close_position) and request.position_side == "BOTH",
        request.client_id,
        request.self_trade,
        request.good_till_ms,
    )
