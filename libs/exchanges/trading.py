"""The port to an account at a venue: what executor and guard ask for and hear, in words that no venue owns.

Prices are quote units per base unit, quantities base units, amounts units of their asset, times ms of the venue's clock. Every
call that may change something says how it ended by its type: an answer, `OrderRefused`, or `OutcomeUnknown`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from libs.exchanges.errors import VenueError
from libs.trading.execution.facts import RefusalVerdict

Side = Literal["BUY", "SELL"]
PositionSide = Literal["BOTH", "LONG", "SHORT"]
WorkingType = Literal["MARK_PRICE", "CONTRACT_PRICE"]
MarginType = Literal["CROSSED", "ISOLATED"]
ConditionalKind = Literal["STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
Verdict = Literal["unknown"] | RefusalVerdict
"""What a refusal means for whoever asked. `unknown`: it may have been carried out; `retry`: it was not, and the same may pass
later; `clock`: not, our time was wrong; `limited`: not, and nothing may be asked for a while; `duplicate`: an open order has
this id, or closes this position, already; `gone`: there is no such order any more; `done`: it was so already; `endpoint`: our own
mistake; `reduce_only`: there is nothing to reduce; `margin`: not enough of it, or a limit of the account; `filter`: the order can
never pass; `price`: not at this price; `market_state`: the symbol does not trade; `access`: the key may not; `listen_key`: ask
for another; `account`: a person has to look."""

FINAL_ORDER_STATES = frozenset(("FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"))
FINAL_ALGO_STATES = frozenset(("FINISHED", "CANCELED", "EXPIRED", "REJECTED"))


class OrderRefused(VenueError):
    """The venue has not carried it out. `verdict` is never "unknown"; `said`: the venue's own words."""

    def __init__(self, error: VenueError, verdict: Verdict) -> None:
        super().__init__(str(error), status=error.status, code=error.code, said=error.said)
        self.verdict = verdict


class OutcomeUnknown(VenueError):
    """It may have been carried out: ask by the client's id before anything else is done (reference facts, 9)."""

    def __init__(self, error: VenueError) -> None:
        super().__init__(str(error), status=error.status, code=error.code, said=error.said)


class NotSent(VenueError):
    """The deadline was over before it left, so it was not sent."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order at market, or at `price` where one is given (then with `time_in_force`). `client_id`: 1 to 36 of A-Z a-z 0-9
    . : / _ -, unique for ever by our own rule; the venue minds among open orders only."""

    symbol: str
    side: Side
    quantity: Decimal
    client_id: str
    price: Decimal | None = None
    time_in_force: Literal["GTC", "IOC", "FOK", "GTX"] = "GTC"
    reduce_only: bool = False
    position_side: PositionSide = "BOTH"


@dataclass(frozen=True, slots=True)
class NewConditional:
    """An order that waits for its price; without `quantity` it closes the whole position, whatever that is then.

    A trailing stop has `callback_percent` and, if it should wait, `activation_price` in place of `trigger_price`.
    """

    symbol: str
    side: Side
    kind: ConditionalKind
    client_id: str
    trigger_price: Decimal | None = None
    quantity: Decimal | None = None
    reduce_only: bool = False
    working_type: WorkingType = "CONTRACT_PRICE"
    price_protect: bool = False
    position_side: PositionSide = "BOTH"
    activation_price: Decimal | None = None
    callback_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as the venue told it. `average_price`: None where the answer has none, which is in all but queries and the user
    stream. Terminal is not the same as filled: an expired one may have been filled in part."""

    order_id: int
    client_id: str
    symbol: str
    side: Side
    position_side: PositionSide
    status: str
    kind: str
    original_kind: str
    quantity: Decimal
    executed: Decimal
    average_price: Decimal | None
    price: Decimal
    reduce_only: bool
    close_position: bool
    updated_ms: int

    @property
    def is_final(self) -> bool:
        """Whether nothing more can become of it."""
        return self.status in FINAL_ORDER_STATES


@dataclass(frozen=True, slots=True)
class AlgoState:
    """A conditional order as the venue told it. `order_id`: the order that it became, None before; that one is to be followed,
    because a finished one may have filled or not. `executed`: what that order filled, None where it is not told."""

    algo_id: int
    client_id: str
    symbol: str
    side: Side
    position_side: PositionSide
    status: str
    kind: str
    quantity: Decimal
    trigger_price: Decimal
    close_position: bool
    reduce_only: bool
    working_type: str
    order_id: int | None
    executed: Decimal | None
    updated_ms: int
    reason: str = ""

    @property
    def is_final(self) -> bool:
        """Whether it waits no longer and does not become an order any more."""
        return self.status in FINAL_ALGO_STATES


@dataclass(frozen=True, slots=True)
class Position:
    """`amount` is below 0 for a short, in hedge mode too. A symbol without one may be left out by the venue. `liquidation_price`
    0: nowhere, or not told by this question."""

    symbol: str
    position_side: PositionSide
    amount: Decimal
    entry_price: Decimal
    mark_price: Decimal
    unrealised: Decimal
    liquidation_price: Decimal
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset: what is realised, what may be used for new orders, and what open positions would add."""

    asset: str
    wallet: Decimal
    available: Decimal
    unrealised: Decimal


@dataclass(frozen=True, slots=True)
class Holdings:
    """What an account has at one moment: wallets, and what is open."""

    balances: Sequence[Balance]
    positions: Sequence[Position]


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill. `fee` in `fee_asset`, which may be another than the quote's; `realised` in quote units, without the fee."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    position_side: PositionSide
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    realised: Decimal
    is_maker: bool
    time_ms: int


@dataclass(frozen=True, slots=True)
class IncomeEntry:
    """A line of the account's statement; `kind` is the venue's (REALIZED_PNL, FUNDING_FEE, COMMISSION, TRANSFER ...)."""

    kind: str
    symbol: str
    amount: Decimal
    asset: str
    time_ms: int
    transaction_id: int
    trade_id: str
    info: str


@dataclass(frozen=True, slots=True)
class SymbolTerms:
    """How a symbol is traded on this account."""

    symbol: str
    leverage: int
    margin_type: str
    most_notional: Decimal


@dataclass(frozen=True, slots=True)
class FeeRates:
    """What the account pays for a symbol's fills, shares of the notional; a maker's may be below 0."""

    taker: Decimal
    maker: Decimal


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """How the account trades: hedge mode (two positions a symbol), multi-assets mode, and whether it may trade at all."""

    is_hedged: bool
    is_multi_assets: bool
    can_trade: bool


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What the API key may do besides reading."""

    may_trade: bool
    may_withdraw: bool
    may_transfer: bool
    is_bound_to_addresses: bool


class TradingVenue(Protocol):
    """An account. Questions raise what `MarketData` raises; changes raise `OrderRefused`, `OutcomeUnknown`, `NotSent` (with
    `before_ms`, the venue's time at which it is too late to send), and `RateLimited` when the limiter let nobody ask."""

    async def place(self, order: NewOrder, before_ms: int | None = None) -> OrderState: ...
    async def place_conditional(self, order: NewConditional, before_ms: int | None = None) -> AlgoState: ...
    async def cancel(self, symbol: str, client_id: str) -> OrderState: ...
    async def cancel_conditional(self, client_id: str) -> None: ...
    async def order(self, symbol: str, client_id: str) -> OrderState | None: ...
    async def order_by_number(self, symbol: str, order_id: int) -> OrderState | None: ...
    async def conditional(self, client_id: str) -> AlgoState | None: ...
    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]: ...
    async def open_conditionals(self, symbol: str | None = None) -> Sequence[AlgoState]: ...
    async def positions(self, symbol: str | None = None) -> Sequence[Position]: ...
    async def balances(self) -> Sequence[Balance]: ...
    async def holdings(self) -> Holdings:
        """Balances and positions together, for the price of one of both; prices as far as they follow from a position's worth."""
        ...

    async def executions(
        self, symbol: str, *, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[Execution]: ...
    async def income(self, since_ms: int, until_ms: int) -> Sequence[IncomeEntry]: ...
    async def symbol_terms(self, symbol: str) -> SymbolTerms: ...
    async def fee_rates(self, symbol: str) -> FeeRates: ...
    async def account_terms(self) -> AccountTerms: ...
    async def key_rights(self) -> KeyRights: ...
    async def set_leverage(self, symbol: str, leverage: int) -> None: ...
    async def set_margin_type(self, symbol: str, margin_type: MarginType) -> None: ...
