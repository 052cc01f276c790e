"""A fill's way through the books: order, position, fee, profit, and what the account is told of it."""

from dataclasses import dataclass, field
from decimal import Decimal

from services.exchange_simulator.trading import events
from services.exchange_simulator.trading.account import (
    BNB_DISCOUNT,
    CLEARANCE_FEE,
    MAKER_FEE,
    TAKER_FEE,
    Account,
    Position,
    money,
)
from services.exchange_simulator.trading.events import Told
from services.exchange_simulator.trading.orders import KNOCKED_OUT, ZERO, AlgoOrder, Fill, Order, Status
from services.exchange_simulator.trading.quotes import Prices, quote_after

BNB = "BNBUSDT"


@dataclass(slots=True)
class Clearing:
    """Of all accounts; `told` is what waits to be told. Trade ids are those of the venue, one row for all symbols."""

    prices: Prices
    told: list[Told] = field(default_factory=list)
    _trades: int = 6_543_000_000
    _orders: int = 81_234_560_000
    _algos: int = 2_200_000_000_000

    def next_order_id(self) -> int:
        self._orders += 1
        return self._orders

    def next_algo_id(self) -> int:
        self._algos += 1
        return self._algos

    def mark(self, symbol: str, now_ms: int) -> Decimal:
        return Decimal(self.prices.mark_price(symbol, now_ms).mark)

    def marks(self, account: Account, now_ms: int) -> dict[str, Decimal]:
        """Of every symbol that binds margin."""
        symbols = {one.symbol for one in account.held()} | {one.request.symbol for one in account.book.open_orders()}
        return {symbol: self.mark(symbol, now_ms) for symbol in symbols}

    def tell(self, account: Account, time_ms: int, payload: events.Payload) -> None:
        self.told.append(Told(account, time_ms, payload))

    def tell_order(
        self, account: Account, order: Order, execution: str, time_ms: int, fill: Fill | None = None
    ) -> None:
        rules = self.prices.rules[order.request.symbol]
        self.tell(account, time_ms, events.order_update(order, rules, execution, fill, time_ms))

    def tell_algo(self, account: Account, algo: AlgoOrder, time_ms: int) -> None:
        rules = self.prices.rules[algo.request.symbol]
        self.tell(account, time_ms, events.algo_update(algo, rules, time_ms))

    def accept(self, account: Account, order: Order) -> None:
        """A new order rests, or is about to be filled."""
        account.book.add(order)
        self.tell_order(account, order, "NEW", order.created_ms)

    def fill(self, account: Account, order: Order, price: Decimal, quantity: Decimal, at: tuple[int, bool]) -> None:
        """`at`: time (ms), and whether the order was the maker. Everything else of the fill follows."""
        time_ms, is_maker = at
        request = order.request
        position = account.position(request.symbol, request.position_side)
        profit = position.take(request.side, quantity, price)
        order.executed += quantity
        order.quote += quantity * price
        order.status = "PARTIALLY_FILLED" if order.remaining else "FILLED"
        order.updated_ms = position.updated_ms = time_ms
        rules = self.prices.rules[request.symbol]
        cost = money(price * quantity * (MAKER_FEE if is_maker else TAKER_FEE))
        fee, asset = self._in_bnb(account, cost, time_ms) or (cost, rules.quote_asset)
        position.realised += profit
        if position.amount:
            position.fees += cost
        self._trades += 1
        fill = Fill(self._trades, order, price, quantity, time_ms, is_maker, fee, asset, profit)
        account.book.fills.append(fill)
        at_trade = (time_ms, fill.trade_id)
        account.book_income("REALIZED_PNL", request.symbol, rules.quote_asset, profit, at_trade)
        account.book_income("COMMISSION", request.symbol, asset, -fee, at_trade)
        self.tell(account, time_ms, events.trade_lite(fill, rules))
        self.tell_order(account, order, "CALCULATED" if order.is_forced else "TRADE", time_ms, fill)
        mark = self.mark(request.symbol, time_ms)
        assets = dict.fromkeys((rules.quote_asset, asset))
        self.tell(account, time_ms, events.account_update(account, "ORDER", assets, [(position, mark)], time_ms))
        self.finish(account, order)
        self._knock_out(account, position, time_ms)

    def end(self, account: Account, order: Order, status: Status, time_ms: int, reason: int = 0) -> None:
        """An order ends without (all of) its fills."""
        order.status, order.expiry, order.updated_ms = status, reason, time_ms
        self.tell_order(account, order, "CANCELED" if status == "CANCELED" else "EXPIRED", time_ms)
        self.finish(account, order)

    def finish(self, account: Account, order: Order) -> None:
        """An order that is over ends the algo order it came from, whether it was filled or not."""
        algo = order.algo
        if algo is not None and algo.status == "TRIGGERED" and not order.is_open:
            algo.status, algo.updated_ms = "FINISHED", order.updated_ms
            self.tell_algo(account, algo, order.updated_ms)

    def settle_funding(self, account: Account, position: Position, rate: Decimal, mark: Decimal, time_ms: int) -> None:
        """Longs pay a positive rate. The stream tells balances only, as on cross margin."""
        amount = money(-position.amount * mark * rate)
        asset = self.prices.rules[position.symbol].quote_asset
        account.book_income("FUNDING_FEE", position.symbol, asset, amount, (time_ms, None))
        payload = events.account_update(account, "FUNDING_FEE", [asset], [], time_ms)
        body = payload["a"]
        assert isinstance(body, dict)
        body["S"] = position.symbol
        self.tell(account, time_ms, payload)

    def clear_insurance(self, account: Account, order: Order, time_ms: int) -> None:
        """What a liquidation costs beside its commission, as far as there is money."""
        asset = self.prices.rules[order.request.symbol].quote_asset
        amount = min(money(order.quote * CLEARANCE_FEE), max(ZERO, account.wallet(asset)))
        account.book_income("INSURANCE_CLEAR", order.request.symbol, asset, -amount, (time_ms, None))
        self.tell(account, time_ms, events.account_update(account, "INSURANCE_CLEAR", [asset], [], time_ms))

    def transfer(self, account: Account, asset: str, amount: Decimal, time_ms: int) -> None:
        """Money comes or goes."""
        account.book_income("TRANSFER", "", asset, amount, (time_ms, None))
        reason = "DEPOSIT" if amount > 0 else "WITHDRAW"
        payload = events.account_update(account, reason, [asset], [], time_ms)
        self.tell(account, time_ms, payload)

    def _in_bnb(self, account: Account, cost: Decimal, time_ms: int) -> tuple[Decimal, str] | None:
        """The fee at BNB's last price, a tenth less; None while the account does not want that, or has not enough of it."""
        if not account.pays_in_bnb or BNB not in self.prices.rules:
            return None
        trades = self.prices.newest_trades(BNB, 1, time_ms)
        if not len(trades):
            return None
        fee = money(cost * BNB_DISCOUNT / quote_after(trades, self.prices.rules[BNB]).bid.price)
        return (fee, "BNB") if account.wallet("BNB") >= fee else None

    def _knock_out(self, account: Account, position: Position, time_ms: int) -> None:
        """Resting reduce-only orders that nothing is left for expire."""
        for order in account.book.open_orders(position.symbol):
            request = order.request
            if not request.reduce_only or request.position_side != position.side:
                continue
            reduces = position.amount < 0 if request.side == "BUY" else position.amount > ZERO
            if not reduces:
                self.end(account, order, "EXPIRED", time_ms, KNOCKED_OUT)
