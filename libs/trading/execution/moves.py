"""What can be done for a trade: each move says all that is needed to carry it out, so that whoever does so decides nothing."""

from dataclasses import dataclass
from typing import Literal

from libs.trading.execution.admission import EntryMarket
from libs.trading.execution.document import OurOrder
from libs.trading.execution.facts import Fact

ConditionalKind = Literal["STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
Subject = Literal["fills", "position", "funding"]


@dataclass(frozen=True, slots=True)
class Permits:
    """What the account may do now. `entries`: nothing forbids one of this symbol; `why_not` one word otherwise. `only_stops`:
    from a break of the guard until its reset nothing is sent but a stop that is missing, and cancellations of what is left of a
    flat position. `market`: what an entry is compared with before it is sent; None: with nothing."""

    entries: bool
    only_stops: bool = False
    why_not: str = ""
    market: EntryMarket | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Send this order. Keep it first: fold `Intended`, then `Sending`, and write the page before the request leaves."""

    order: OurOrder


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel this order; `Canceled`, `CancelRefused`, `Answered` or `Unclear` is what comes of it."""

    order: OurOrder


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the venue for this order: by its client id, or, where `order.order_id` is set, by that number. `Answered` or
    `NotFound` is what comes of it; an answer that did not come is no fact: ask again a moment later."""

    order: OurOrder


@dataclass(frozen=True, slots=True)
class Fetch:
    """Read the symbol's fills (`Filled` for each, then `FillsRead`), its position (`PositionSeen`), or what funding it has paid
    since the first fill (`FundingPaid` for each line, then `FundingRead`)."""

    subject: Subject


@dataclass(frozen=True, slots=True)
class Note:
    """Nothing to send: fold this, write it down, and ask for the next moves at once."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing more to do before then, unless a fact arrives; always the last move."""

    until_ms: int


Move = Place | Cancel | Ask | Fetch | Note | Wait


def conditional_kind(order: OurOrder) -> ConditionalKind:
    """What a conditional order of ours is called at the venue."""
    if order.callback_percent is not None:
        return "TRAILING_STOP_MARKET"
    return "TAKE_PROFIT_MARKET" if order.leg in ("take_profit_1", "take_profit_2") else "STOP_MARKET"


def due(moves: list[Move], move: Move, at_ms: int, now_ms: int) -> bool:
    """The move, if its time has come; otherwise the wait for it. Whether it is there now."""
    moves.append(move if at_ms <= now_ms else Wait(at_ms))
    return at_ms <= now_ms


def in_order(moves: list[Move]) -> tuple[Move, ...]:
    """All that is to be done now, and at the end the nearest wait, if there is one. Notes come alone: they change the rest."""
    notes = tuple(dict.fromkeys(move for move in moves if isinstance(move, Note)))
    if notes:
        return notes
    now = tuple(dict.fromkeys(move for move in moves if not isinstance(move, Wait)))
    waits = [move.until_ms for move in moves if isinstance(move, Wait)]
    return (*now, Wait(min(waits))) if waits else now
