"""Whether an order may enter: filters, modes, limits, margin. Everything is refused with the venue's own code."""

from dataclasses import dataclass
from decimal import Decimal

from services.exchange_simulator.rest.errors import VenueError, invalid_value
from services.exchange_simulator.trading import filters
from services.exchange_simulator.trading.account import TAKER_FEE, Account, margin
from services.exchange_simulator.trading.clearing import Clearing
from services.exchange_simulator.trading.orders import SIGN, ZERO, AlgoRequest, Order, OrderRequest, Side
from services.exchange_simulator.trading.quotes import Quote

LEAST_GOOD_TILL_MS = 600_000
MOST_AMENDMENTS = 10_000


@dataclass(frozen=True, slots=True)
class Moment:
    """When an order came, and what the market was then."""

    now_ms: int
    quote: Quote
    last: Decimal
    mark: Decimal


def reducible(account: Account, request: OrderRequest | AlgoRequest) -> Decimal:
    """How much of the position an order of this side would close."""
    position = account.position(request.symbol, request.position_side)
    against = position.amount * SIGN[request.side] < 0
    return abs(position.amount) if against else ZERO


def check_mode(account: Account, request: OrderRequest | AlgoRequest) -> None:
    """The position side fits the mode. Raises -4061 or -1106."""
    if account.hedged != (request.position_side != "BOTH"):
        raise VenueError(-4061, "Order's position side does not match user's setting.")
    if account.hedged and request.reduce_only:
        raise VenueError(-1106, "Parameter 'reduceonly' sent when not required.")


def is_closing(account: Account, request: OrderRequest) -> bool:
    """Whether it can only make a position smaller."""
    closes_side: dict[str, Side] = {"LONG": "SELL", "SHORT": "BUY"}
    return request.reduce_only or closes_side.get(request.position_side) == request.side


def check_order(clearing: Clearing, account: Account, request: OrderRequest, moment: Moment) -> None:
    """Raises `VenueError` for what the venue would refuse before matching."""
    rules = clearing.prices.rules[request.symbol]
    if rules.status != "TRADING":
        raise VenueError(-1122, "Invalid symbol status.")
    check_mode(account, request)
    filters.check_quantity(rules, request.quantity, request.kind)
    if request.kind == "LIMIT":
        filters.check_price(rules, request.price)
        filters.check_band(request.side, request.price, moment.mark)
    if request.time_in_force == "GTD" and request.good_till_ms <= moment.now_ms + LEAST_GOOD_TILL_MS:
        raise invalid_value("goodTillDate")
    mine = account.book.open_orders(request.symbol)
    if any(one.request.client_id == request.client_id for one in mine):
        raise VenueError(-4116, "ClientOrderId is duplicated.")
    if len(mine) >= filters.MOST_OPEN_ORDERS:
        raise VenueError(-2025, "Reach max open order limit.")
    if is_closing(account, request):
        if not reducible(account, request):
            raise VenueError(-2022, "ReduceOnly Order is rejected.")
        return
    filters.check_notional(request.price if request.kind == "LIMIT" else moment.mark, request.quantity)
    check_margin(clearing, account, request, moment)


def check_amendment(
    clearing: Clearing, account: Account, order: Order, wanted: tuple[Decimal, Decimal], moment: Moment
) -> None:
    """`wanted`: quantity and price. Raises `VenueError`, -5027 where nothing would change."""
    if not order.is_open:
        raise VenueError(-2013, "Order does not exist.")
    request, (quantity, price) = order.request, wanted
    if request.kind != "LIMIT":
        raise VenueError(-5025, "Only limit order is supported.")
    if (quantity, price) == (request.quantity, request.price):
        raise VenueError(-5027, "No need to modify the order.")
    if order.amendments >= MOST_AMENDMENTS:
        raise VenueError(-5026, "Exceed maximum modify order limit.")
    rules = clearing.prices.rules[request.symbol]
    filters.check_quantity(rules, quantity, request.kind)
    filters.check_price(rules, price)
    filters.check_band(request.side, price, moment.mark)
    if not is_closing(account, request):
        filters.check_notional(price, quantity)


def check_margin(clearing: Clearing, account: Account, request: OrderRequest, moment: Moment) -> None:
    """What the order opens must be paid for, fee included. Raises -2019."""
    price = request.price if request.kind == "LIMIT" else moment.quote.best(request.side)
    opened = max(ZERO, request.quantity - reducible(account, request))
    needed = opened * price / account.of(request.symbol).leverage + request.quantity * price * TAKER_FEE
    free = margin(account, clearing.marks(account, moment.now_ms)).available(account.wallet())
    if needed > free:
        raise VenueError(-2019, "Margin is insufficient.")


def check_algo(clearing: Clearing, account: Account, request: AlgoRequest, moment: Moment) -> None:
    """Raises `VenueError`. Margin is looked at when it triggers, not before."""
    rules = clearing.prices.rules[request.symbol]
    if rules.status != "TRADING":
        raise VenueError(-1122, "Invalid symbol status.")
    check_mode(account, request)
    if request.close_position:
        _check_closing(account, request)
    else:
        filters.check_quantity(rules, request.quantity, request.order_type)
    if request.order_type == "LIMIT":
        filters.check_price(rules, request.price)
    if request.kind == "TRAILING_STOP_MARKET":
        _check_trailing(request, moment)
    else:
        filters.check_price(rules, request.trigger_price, "trigger price")
        watched = moment.mark if request.working_type == "MARK_PRICE" else moment.last
        if watched >= request.trigger_price if request.fires_above else watched <= request.trigger_price:
            raise VenueError(-2021, "Order would immediately trigger.")
    waiting = account.book.open_algos()
    if any(one.request.client_id == request.client_id for one in waiting):
        raise VenueError(-4116, "ClientOrderId is duplicated.")
    if len(waiting) >= filters.MOST_OPEN_ALGOS:
        raise VenueError(-4045, "Reach max stop order limit.")


def _check_closing(account: Account, request: AlgoRequest) -> None:
    """closePosition: once a symbol, side and kind, without a quantity. Raises -4130, -4136, -4137 or -4138."""
    if request.kind not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
        raise VenueError(-4136, f"Target strategy invalid for orderType '{request.kind}', closePosition 'True'.")
    if request.quantity:
        raise VenueError(-4137, "Quantity must be zero with closePosition equals true.")
    if request.reduce_only:
        raise VenueError(-4138, "Reduce only must be true with closePosition equals true.")
    alike = (request.symbol, request.side, request.position_side, request.kind)
    for one in account.book.open_algos(request.symbol):
        other = one.request
        if other.close_position and (other.symbol, other.side, other.position_side, other.kind) == alike:
            raise VenueError(
                -4130, "An open stop or take profit order with GTE and closePosition in the direction is existing."
            )


def _check_trailing(request: AlgoRequest, moment: Moment) -> None:
    """Callback rate 0.1 to 20 %; an activation price lies where the market is not yet. Raises -2007 or -2021."""
    if not Decimal("0.1") <= request.callback_rate <= 20:
        raise VenueError(-2007, "Invalid callBack rate.")
    if not request.activate_price:
        return
    watched = moment.mark if request.working_type == "MARK_PRICE" else moment.last
    if request.activate_price <= watched if request.side == "SELL" else request.activate_price >= watched:
        raise VenueError(-2021, "Order would immediately trigger.")
