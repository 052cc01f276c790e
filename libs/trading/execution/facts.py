"""What may become known about a trade: each thing that was done, answered, heard or found out, as plain values of no venue.

Who hears something makes a fact of it; `folds.fold` says what the document is then. Prices are quote units per base unit,
quantities base units, amounts quote units unless said, times ms of the venue's clock.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from libs.contracts.signals import WorkingType
from libs.contracts.trading import OrderStatus
from libs.trading.execution.document import CloseWish, FillBy, OurOrder, Side

AlgoStatus = Literal["waiting", "triggered", "finished", "canceled", "expired", "rejected"]
"""`triggered`: an order was or is being made of it; `finished`: that order has ended, filled or not."""
RefusalVerdict = Literal[
    "retry",
    "clock",
    "limited",
    "duplicate",
    "gone",
    "done",
    "endpoint",
    "reduce_only",
    "margin",
    "filter",
    "price",
    "market_state",
    "access",
    "listen_key",
    "account",
]
"""Why the venue refused, in words of no venue; what each means stands at the port to an account (`libs.exchanges.trading`)."""
_ORDER_STATUS: dict[str, OrderStatus] = {
    "NEW": "new",
    "PARTIALLY_FILLED": "partially_filled",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}
_ALGO_STATUS: dict[str, AlgoStatus] = {
    "NEW": "waiting",
    "TRIGGERING": "triggered",
    "TRIGGERED": "triggered",
    "FINISHED": "finished",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "REJECTED": "rejected",
}


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """An order as the venue told it: in an answer, a list, a query or its user stream. `executed` of `quantity`.

    A conditional that was triggered is seen like this too, by the order that it became: its `order_id` is then that one's.
    """

    client_id: str
    order_id: int
    side: Side
    status: OrderStatus
    quantity: Decimal
    executed: Decimal
    price: Decimal | None = None
    reduce_only: bool = False
    close_position: bool = False
    updated_ms: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AlgoSeen:
    """A conditional order as the venue told it. `order_id`: of the order that it became, None before; `executed`: what that one
    has filled, None where it is not told. `quantity` 0 where it closes the whole position. `working_type`: what triggers it."""

    client_id: str
    algo_id: int
    side: Side
    status: AlgoStatus
    quantity: Decimal
    trigger: Decimal
    close_position: bool = False
    reduce_only: bool = False
    order_id: int | None = None
    executed: Decimal | None = None
    updated_ms: int = 0
    reason: str = ""
    working_type: WorkingType = "last"


@dataclass(frozen=True, slots=True)
class ExecutionSeen:
    """One fill. `client_id` is empty where the venue does not say it (its list of fills does not); `fee` in `fee_asset`,
    `fee_quote` what it was worth at the fill's time, None while nobody has valued it; `realised` as the venue counts it."""

    trade_id: int
    order_id: int
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    fee_quote: Decimal | None
    realised: Decimal
    is_maker: bool
    time_ms: int
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Intended:
    """An order is meant; kept before it is sent. An order with that id that is there already stays as it is."""

    order: OurOrder
    at_ms: int


@dataclass(frozen=True, slots=True)
class Sending:
    """It is about to be sent; kept before it is. `valid_until_ms`: after it the venue refuses what was signed now."""

    client_id: str
    valid_until_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class NeverSent:
    """The request that `Sending` announced has certainly not left: the deadline was over, or a limiter held it back."""

    client_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The venue told an order of ours, however it came to be told. For a cancelled conditional, which answers nothing, whoever
    cancelled it says `Canceled`."""

    client_id: str
    seen: OrderSeen | AlgoSeen
    at_ms: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue has not carried out our order. `code`: its own, None without one; `said`: its words."""

    client_id: str
    verdict: RefusalVerdict
    code: int | None
    said: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nothing answered what we sent (an order or its cancellation), or a list that should have it does not: it is asked for."""

    client_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class NotFound:
    """Asked by its id, the venue knew no such order. `at_ms`: when it was asked."""

    client_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Canceled:
    """The venue has carried out our cancellation."""

    client_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class CancelRefused:
    """There was nothing to cancel any more, or not now: it is asked what became of it."""

    client_id: str
    verdict: RefusalVerdict
    said: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """An order that was meant and never carried out will not be sent any more; `reason` in one word of `wish.RefusalReason`
    or of the decision that dropped it."""

    client_id: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """Whoever sent for this trade is gone: what was being sent then may have been carried out."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Filled:
    """A fill that belongs to the trade. `by`: whose it is; of an order that the trade knows it is the executor's."""

    execution: ExecutionSeen
    by: FillBy = "executor"


@dataclass(frozen=True, slots=True)
class FillsRead:
    """Every fill of the symbol up to `at_ms`, when the list was asked for, has been folded."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class FeeValued:
    """What a fill's fee in another asset was worth at the fill's time, quote units."""

    trade_id: int
    fee_quote: Decimal


@dataclass(frozen=True, slots=True)
class FundingPaid:
    """Funding of the position: `paid` in quote units (below 0: received). `transaction_id`: the statement's, once a line."""

    transaction_id: int
    paid: Decimal
    time_ms: int


@dataclass(frozen=True, slots=True)
class FundingRead:
    """Every funding line of the symbol that the statement had at `at_ms`, when it was asked for, has been folded."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class CloseWished:
    """The position, or a part of it, is to be closed at market; a wish of the same id, or reason without one, counts once."""

    wish: CloseWish


@dataclass(frozen=True, slots=True)
class StopMoved:
    """A person's stop replaces the one that was: `stop` on a tick."""

    stop: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class FirstTargetReached:
    """The first target's price was traded beyond: what counts for a position that is too small to be split."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class PositionSeen:
    """What the venue holds of the symbol (below 0: short). `at_ms`: when it was asked, not when it answered."""

    amount: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The trade is over; only `decision.next_moves` says so."""

    reason: str | None
    at_ms: int


Fact = (
    Intended
    | Sending
    | NeverSent
    | Answered
    | Refused
    | Unclear
    | NotFound
    | Canceled
    | CancelRefused
    | Dropped
    | Restarted
    | Filled
    | FillsRead
    | FeeValued
    | FundingPaid
    | FundingRead
    | CloseWished
    | StopMoved
    | FirstTargetReached
    | PositionSeen
    | Ended
)


def order_status(words: str) -> OrderStatus:
    """The status of an order in the venue's words (reference facts, 6); "unknown" for one that is not known here."""
    return _ORDER_STATUS.get(words, "unknown")


def algo_status(words: str) -> AlgoStatus:
    """The status of a conditional in the venue's words; "triggered", which is followed, for one that is not known here."""
    return _ALGO_STATUS.get(words, "triggered")
