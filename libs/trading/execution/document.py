"""A live trade as one document: what it wants, every order that was meant for it, every fill, and how it came to be so.

Whoever knows the document knows what is to be done next; it is kept as a whole, in the transaction in which anything is decided.
Prices are quote units per base unit, quantities base units, amounts quote units, times ms of the venue's clock unless said.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from libs.contracts.signals import TakeProfitType, WorkingType
from libs.contracts.trading import OrderStatus
from libs.trading.execution.client_ids import Leg

Direction = Literal["long", "short"]
Side = Literal["BUY", "SELL"]
Origin = Literal["signal", "command", "adopted"]
TradeState = Literal["entering", "open", "closing", "closed", "refused", "not_entered"]
FINAL_STATES: frozenset[TradeState] = frozenset(("closed", "refused", "not_entered"))
"""`refused`: nothing was ever sent for it; `not_entered`: an entry was sent, or meant to be, and nothing of it was filled."""
FINAL_ORDERS: frozenset[OrderStatus] = frozenset(("filled", "canceled", "rejected", "expired"))
FillBy = Literal["executor", "guard", "direct", "liquidation", "adl", "settlement", "person", "stranger"]
ZERO = Decimal(0)


class OurOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order of ours from its intent on. `quantity` None: it closes the whole position. A `price` makes it a limit order,
    a `trigger` a conditional one, `callback_percent` a trailing stop; none of them: at market.

    `status` "intended": kept, and perhaps sent by somebody who died; "submitting": being sent by us; "unknown": sent, and no
    answer said how it ended. `executed`: what is known to be filled. `venue_id`: of the order, or of the conditional;
    `order_id`: of the order that a conditional one became. `valid_until_ms`: when the venue no longer accepts a request that
    was signed for it, so that from then on "not found" is final; 0 while it has certainly not been carried out. `attempts`: how
    often it was sent; `asked`: how often the venue has not found it, or been asked how it goes on, since the last answer.
    `wish_id`: of the close wish that a close is for. `triggered_ms`: when a conditional was known to wait no longer; from then on
    its order is followed. `working_type`: the price that triggers a conditional one, the last trade's or the venue's mark price.
    """

    client_id: str
    leg: Leg
    generation: int
    side: Side
    quantity: Decimal | None
    status: OrderStatus
    trigger: Decimal | None = None
    price: Decimal | None = None
    callback_percent: Decimal | None = None
    working_type: WorkingType = "last"
    reduce_only: bool = False
    executed: Decimal = ZERO
    venue_id: int | None = None
    order_id: int | None = None
    valid_until_ms: int = 0
    attempts: int = 0
    asked: int = 0
    wish_id: str = ""
    triggered_ms: int = 0
    intended_ms: int = 0
    updated_ms: int = 0
    reason: str | None = None

    @property
    def is_conditional(self) -> bool:
        """Whether it waits for its trigger."""
        return self.trigger is not None or self.callback_percent is not None

    @property
    def is_final(self) -> bool:
        """Whether nothing more can become of it."""
        return self.status in FINAL_ORDERS


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One fill that belongs to the trade, its own or somebody else's. `fee` in `fee_asset`; `fee_quote`: what it was worth at
    the fill's time, None while nobody has valued it. `realised` as the venue counts it, without the fee."""

    trade_id: int
    order_id: int
    client_id: str
    by: FillBy
    leg: Leg | None
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    fee_quote: Decimal | None
    realised: Decimal
    is_maker: bool
    time_ms: int


class StateChange(msgspec.Struct, frozen=True):
    """A state that the trade reached, when, and why."""

    state: TradeState
    time_ms: int
    why: str = ""


class Bracket(msgspec.Struct, frozen=True, kw_only=True):
    """Where the trade is to be left. A person's `move-stop` replaces `stop`; R stays what it was. `working_type`: the price that
    triggers its stops."""

    stop: Decimal
    take_profit_1: Decimal | None
    take_profit_2: Decimal | None
    hold_until_ms: int
    take_profit_type: TakeProfitType = "limit"
    working_type: WorkingType = "last"


class Trailing(msgspec.Struct, frozen=True, kw_only=True):
    """A stop that follows the best price once the first target was reached, `callback_percent` of the price behind it: in
    tenths of a percent, as the venue takes it. `distance`: what the strategy meant, quote units, from the signal's price."""

    callback_percent: Decimal
    distance: Decimal


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The symbol's filters, and the account's fees as shares of the notional, as they were at the entry."""

    tick: Decimal
    quantity_step: Decimal
    min_quantity: Decimal
    min_notional: Decimal
    max_quantity: Decimal | None = None
    taker_fee: Decimal = Decimal("0.0005")
    maker_fee: Decimal = Decimal("0.0002")


class CloseWish(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants the position, or a part of it, closed at market. `quantity` None: all. `reason`: hold_limit, command,
    stop_failed, opposite_signal, guard, delisting ..."""

    reason: str
    since_ms: int
    quantity: Decimal | None = None
    wish_id: str = ""


class FundingLine(msgspec.Struct, frozen=True):
    """A line of the statement: `paid` in quote units (below 0: received), at the settlement's time."""

    transaction_id: int
    paid: Decimal
    time_ms: int


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Every time from signal to fill, ms; 0: not yet. `readable` and `sent` are ours, by the venue's clock."""

    signal_ms: int = 0
    readable_ms: int = 0
    decided_ms: int = 0
    sent_ms: int = 0
    answered_ms: int = 0
    first_fill_ms: int = 0
    stop_sent_ms: int = 0
    protected_ms: int = 0
    targets_ms: int = 0
    flat_ms: int = 0


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One live trade. `trade_id` is the signal's id, a command's, or of what was adopted; `signal_letters`: those of its
    client ids. `risk`: what the stop would lose at the signal's price, for sizing; `initial_risk`: 1 R in quote units, fixed when
    the entry is complete. `taken`: what the first target has sold is read from fills. `account_letters`,
    `installation_letters`: of its client ids too. `funding`: what was paid (below 0: received), of the statement's lines
    `funding_ids`; `fundings`: every line that may be the trade's, until its last fill tells. `reached_first`: the first target's
    price was, where the position is too small to be split.

    `flat_reads`: when the venue was asked and held nothing, since it last held something; `position_ms`: when it was asked
    last; `fills_read_ms`: up to when every fill is known to be here, `funding_read_ms`: every line of funding.
    """

    trade_id: str
    account: str
    symbol: str
    direction: Direction
    origin: Origin
    state: TradeState
    strategy: str = ""
    version: int = 0
    signal_letters: str = ""
    account_letters: str = ""
    installation_letters: str = ""
    signal_price: Decimal | None = None
    bracket: Bracket | None = None
    trailing: Trailing | None = None
    rules: Rules | None = None
    quantity: Decimal = ZERO
    risk: Decimal = ZERO
    initial_risk: Decimal | None = None
    valid_until_ms: int = 0
    reason: str | None = None
    exit_reason: str | None = None
    orders: tuple[OurOrder, ...] = ()
    fills: tuple[Fill, ...] = ()
    closes: tuple[CloseWish, ...] = ()
    funding: Decimal = ZERO
    funding_ids: tuple[int, ...] = ()
    fundings: tuple[FundingLine, ...] = ()
    stop_failures: tuple[int, ...] = ()
    reached_first: bool = False
    flat_reads: tuple[int, ...] = ()
    position_ms: int = 0
    fills_read_ms: int = 0
    funding_read_ms: int = 0
    times: Times = Times()
    history: tuple[StateChange, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether it is over."""
        return self.state in FINAL_STATES
