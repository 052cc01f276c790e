"""Everything that can be done to the exchange, as values: the same commands in the same order leave the same accounts.

Each knows its time and its account; `apply` carries it out, raises `VenueError` where the venue
refuses, and returns what came of it.
"""

from decimal import Decimal

import msgspec

from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.trading import choices, events
from services.exchange_simulator.trading.account import MAINTENANCE, Account, MarginType, money
from services.exchange_simulator.trading.exchange import Exchange
from services.exchange_simulator.trading.orders import (
    DELISTED,
    LIQUIDATED,
    SETTLED,
    AlgoOrder,
    AlgoRequest,
    Order,
    OrderRequest,
    PositionSide,
)


class Command(msgspec.Struct, frozen=True, tag=True, kw_only=True, omit_defaults=True):
    """`at`: venue time, ms; never before that of an earlier command. `account`: its name."""

    at: int
    account: str

    def of(self, exchange: Exchange) -> Account:
        return exchange.accounts[self.account]


class OpenAccount(Command, frozen=True, kw_only=True):
    """An account begins with balances and modes."""

    balances: dict[str, Decimal]
    hedged: bool = False
    pays_in_bnb: bool = False

    def apply(self, exchange: Exchange) -> Account:
        exchange.advance(self.at)
        account = Account(self.account, dict(self.balances), self.hedged, self.pays_in_bnb)
        return exchange.accounts.setdefault(self.account, account)


class PlaceOrder(Command, frozen=True, kw_only=True):
    request: OrderRequest

    def apply(self, exchange: Exchange) -> Order:
        return exchange.place(self.of(exchange), self.request, self.at)


class AmendOrder(Command, frozen=True, kw_only=True):
    order_id: int
    quantity: Decimal
    price: Decimal

    def apply(self, exchange: Exchange) -> Order:
        account = self.of(exchange)
        return exchange.amend(account, account.book.orders[self.order_id], (self.quantity, self.price), self.at)


class CancelOrder(Command, frozen=True, kw_only=True):
    order_id: int

    def apply(self, exchange: Exchange) -> Order:
        account = self.of(exchange)
        order = account.book.orders[self.order_id]
        exchange.cancel(account, order, self.at)
        return order


class CancelAll(Command, frozen=True, kw_only=True):
    symbol: str

    def apply(self, exchange: Exchange) -> None:
        exchange.cancel_all(self.of(exchange), self.symbol, self.at)


class CountDown(Command, frozen=True, kw_only=True):
    """Cancel a symbol's open orders after a while, unless this comes again; 0 ends that."""

    symbol: str
    after_ms: int

    def apply(self, exchange: Exchange) -> None:
        exchange.advance(self.at)
        if self.after_ms:
            exchange.countdowns[self.account, self.symbol] = self.at + self.after_ms
        else:
            exchange.countdowns.pop((self.account, self.symbol), None)


class PlaceAlgo(Command, frozen=True, kw_only=True):
    request: AlgoRequest

    def apply(self, exchange: Exchange) -> AlgoOrder:
        return exchange.place_algo(self.of(exchange), self.request, self.at)


class CancelAlgo(Command, frozen=True, kw_only=True):
    algo_id: int

    def apply(self, exchange: Exchange) -> AlgoOrder:
        account = self.of(exchange)
        algo = account.book.algos[self.algo_id]
        exchange.cancel_algo(account, algo, self.at)
        return algo


class SetLeverage(Command, frozen=True, kw_only=True):
    symbol: str
    leverage: int

    def apply(self, exchange: Exchange) -> None:
        choices.set_leverage(exchange, self.of(exchange), self.symbol, self.leverage, self.at)


class SetMarginType(Command, frozen=True, kw_only=True):
    symbol: str
    margin_type: MarginType

    def apply(self, exchange: Exchange) -> None:
        choices.set_margin_type(exchange, self.of(exchange), self.symbol, self.margin_type, self.at)


class SetMode(Command, frozen=True, kw_only=True):
    hedged: bool

    def apply(self, exchange: Exchange) -> None:
        choices.set_mode(exchange, self.of(exchange), self.hedged, self.at)


class SetMultiAssets(Command, frozen=True, kw_only=True):
    wanted: bool

    def apply(self, exchange: Exchange) -> None:
        choices.set_multi_assets(exchange, self.of(exchange), self.wanted, self.at)


# --- what no account can do: scripts of faults do it --------------------------------------------------------------------


class Transfer(Command, frozen=True, kw_only=True):
    """Money comes (or goes, below zero)."""

    asset: str
    amount: Decimal

    def apply(self, exchange: Exchange) -> None:
        exchange.advance(self.at)
        exchange.clearing.transfer(self.of(exchange), self.asset, self.amount, self.at)


class FillOrder(Command, frozen=True, kw_only=True):
    """Somebody takes a resting order."""

    order_id: int

    def apply(self, exchange: Exchange) -> None:
        account = self.of(exchange)
        exchange.fill_now(account, account.book.orders[self.order_id], self.at)


class TriggerAlgo(Command, frozen=True, kw_only=True):
    """A conditional order triggers wherever its price is."""

    algo_id: int

    def apply(self, exchange: Exchange) -> None:
        account = self.of(exchange)
        exchange.trigger_now(account, account.book.algos[self.algo_id], self.at)


class ForceClose(Command, frozen=True, kw_only=True):
    """Liquidation (`autoclose-`), ADL (`adl_autoclose`) or settlement (`settlement_autoclose-`) of a position, or of a share."""

    symbol: str
    side: PositionSide
    name: str
    share: Decimal = Decimal(1)

    def apply(self, exchange: Exchange) -> Order | None:
        exchange.advance(self.at)
        account = self.of(exchange)
        position = account.position(self.symbol, self.side)
        if not position.amount:
            return None
        order = exchange.force(account, position, self.name, self.at, self.share)
        if self.name == LIQUIDATED:
            exchange.clearing.clear_insurance(account, order, self.at)
        return order


class Delist(Command, frozen=True, kw_only=True):
    """A symbol's end: its orders expire, its positions are settled."""

    symbol: str

    def apply(self, exchange: Exchange) -> None:
        exchange.advance(self.at)
        account = self.of(exchange)
        for order in account.book.open_orders(self.symbol):
            exchange.clearing.end(account, order, "EXPIRED", self.at, DELISTED)
        for algo in account.book.open_algos(self.symbol):
            algo.status, algo.updated_ms = "EXPIRED", self.at
            exchange.clearing.tell_algo(account, algo, self.at)
        for position in account.held(self.symbol):
            exchange.force(account, position, SETTLED, self.at)


class SetTriggeredShare(Command, frozen=True, kw_only=True):
    """How much of what triggers from now on finds somebody to trade with, for every account."""

    share: Decimal

    def apply(self, exchange: Exchange) -> None:
        exchange.advance(self.at)
        exchange.triggered_share = self.share


class CallMargin(Command, frozen=True, kw_only=True):
    """The venue warns of the account's positions."""

    def apply(self, exchange: Exchange) -> None:
        exchange.advance(self.at)
        account = self.of(exchange)
        told = []
        for position in account.held():
            mark = exchange.clearing.mark(position.symbol, self.at)
            told.append((position, mark, money(abs(position.amount) * mark * MAINTENANCE)))
        exchange.clearing.tell(account, self.at, events.margin_call(account, told, self.at))


AnyCommand = (
    OpenAccount
    | PlaceOrder
    | AmendOrder
    | CancelOrder
    | CancelAll
    | CountDown
    | PlaceAlgo
    | CancelAlgo
    | SetLeverage
    | SetMarginType
    | SetMode
    | SetMultiAssets
    | Transfer
    | FillOrder
    | TriggerAlgo
    | ForceClose
    | Delist
    | SetTriggeredShare
    | CallMargin
)


def repeat(exchange: Exchange, command: AnyCommand) -> None:
    """Carry out what was carried out before: what was refused then is refused again."""
    try:
        command.apply(exchange)
    except VenueError:
        return
