"""Orders and algo orders as the venue keeps them. Prices and amounts are exact decimals, times are ms of venue time."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Side = Literal["BUY", "SELL"]
PositionSide = Literal["BOTH", "LONG", "SHORT"]
OrderType = Literal["LIMIT", "MARKET"]
AlgoType = Literal["STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
TimeInForce = Literal["GTC", "IOC", "FOK", "GTX", "GTD"]
WorkingType = Literal["CONTRACT_PRICE", "MARK_PRICE"]
SelfTrade = Literal["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"]
AlgoStatus = Literal["NEW", "TRIGGERING", "TRIGGERED", "FINISHED", "CANCELED", "EXPIRED", "REJECTED"]
ZERO = Decimal(0)
OPEN_STATUSES = ("NEW", "PARTIALLY_FILLED")
# How client ids of orders begin that the venue makes itself: of a liquidation, of ADL, of a settlement.
LIQUIDATED, ADL, SETTLED = "autoclose-", "adl_autoclose", "settlement_autoclose-"
SIGN: dict[Side, int] = {"BUY": 1, "SELL": -1}
# Why an order expired, as the user stream says it (`er`).
NOT_EXPIRED, SELF_TRADE, IOC_REMAINDER, IOC_AND_SELF_TRADE, KNOCKED_OUT, DELISTED, MARKET_REMAINDER = (
    0,
    1,
    2,
    3,
    4,
    7,
    9,
)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A well-formed order, before anything of the account or the market was looked at. `quantity` is None only for an algo order
    that closes its position; `price` only where the type has none."""

    symbol: str
    side: Side
    position_side: PositionSide
    kind: OrderType
    quantity: Decimal
    price: Decimal = ZERO
    time_in_force: TimeInForce = "GTC"
    reduce_only: bool = False
    client_id: str = ""
    self_trade: SelfTrade = "EXPIRE_MAKER"
    good_till_ms: int = 0


@dataclass(slots=True)
class Order:
    """An accepted order. `algo` is the algo order it came from, `original_type` that one's; `quote` what its fills cost.
    `request` is what it was last changed into."""

    order_id: int
    request: OrderRequest
    created_ms: int
    updated_ms: int
    original_type: str
    status: Status = "NEW"
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    expiry: int = NOT_EXPIRED
    close_position: bool = False
    stop_price: Decimal = ZERO
    working_type: WorkingType = "CONTRACT_PRICE"
    price_protect: bool = False
    algo: "AlgoOrder | None" = field(default=None, repr=False)
    # Whether the venue itself made it, to close a position.
    is_forced: bool = False
    # How often it was changed, and since when it stands where it stands in the book.
    amendments: int = 0
    queued_ms: int = 0

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def remaining(self) -> Decimal:
        return self.request.quantity - self.executed

    @property
    def average(self) -> Decimal:
        """Average price of the fills; 0 without one."""
        return self.quote / self.executed if self.executed else ZERO


@dataclass(frozen=True, slots=True)
class AlgoRequest:
    """A well-formed conditional order. `quantity` is 0 with `close_position`; `callback_rate` in percent, for trailing ones."""

    symbol: str
    side: Side
    position_side: PositionSide
    kind: AlgoType
    quantity: Decimal
    trigger_price: Decimal
    price: Decimal = ZERO
    time_in_force: TimeInForce = "GTC"
    working_type: WorkingType = "CONTRACT_PRICE"
    close_position: bool = False
    price_protect: bool = False
    reduce_only: bool = False
    client_id: str = ""
    self_trade: SelfTrade = "NONE"
    activate_price: Decimal = ZERO
    callback_rate: Decimal = ZERO
    good_till_ms: int = 0

    @property
    def is_stop(self) -> bool:
        return self.kind in ("STOP", "STOP_MARKET")

    @property
    def order_type(self) -> OrderType:
        """Of the order that a trigger makes."""
        return "LIMIT" if self.kind in ("STOP", "TAKE_PROFIT") else "MARKET"

    @property
    def fires_above(self) -> bool:
        """Whether it fires at or above its trigger; else at or below. Trailing ones fire where a stop of their side would."""
        return (self.side == "BUY") != (self.kind in ("TAKE_PROFIT", "TAKE_PROFIT_MARKET"))


@dataclass(slots=True)
class AlgoOrder:
    """An accepted algo order. `extreme` is the best price since a trailing one became active, 0 before."""

    algo_id: int
    request: AlgoRequest
    created_ms: int
    updated_ms: int
    status: AlgoStatus = "NEW"
    triggered_ms: int = 0
    order: Order | None = None
    extreme: Decimal = ZERO
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.status == "NEW"


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of an account: commission in its asset, realised profit in the quote asset."""

    trade_id: int
    order: Order
    price: Decimal
    quantity: Decimal
    time_ms: int
    is_maker: bool
    commission: Decimal
    commission_asset: str
    realised: Decimal


@dataclass(slots=True)
class Book:
    """Everything that an account has ordered, by id; open ones apart, because they are looked at again and again."""

    orders: dict[int, Order] = field(default_factory=dict)
    algos: dict[int, AlgoOrder] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    _open: list[Order] = field(default_factory=list)
    _waiting: list[AlgoOrder] = field(default_factory=list)

    def add(self, order: Order) -> None:
        self.orders[order.order_id] = order
        self._open.append(order)

    def add_algo(self, algo: AlgoOrder) -> None:
        self.algos[algo.algo_id] = algo
        self._waiting.append(algo)

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        self._open = [one for one in self._open if one.is_open]
        return [one for one in self._open if symbol in (None, one.request.symbol)]

    def open_algos(self, symbol: str | None = None) -> list[AlgoOrder]:
        self._waiting = [one for one in self._waiting if one.is_open]
        return [one for one in self._waiting if symbol in (None, one.request.symbol)]
