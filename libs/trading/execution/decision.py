"""What is to be done next for a trade, from its document alone: the executor carries it out, writes down what came of it, and
asks again.

The order of things: an entry once, and never again where it may have been carried out; the stop first and alone; targets; closes
that were wished for; and when nothing is held any more, two reads that agree before the last stop is taken away.
"""

from libs.kit.durations import HOUR_MS
from libs.trading.execution.admission import outdated
from libs.trading.execution.document import ZERO, CloseWish, Trade
from libs.trading.execution.doubts import FILLS_MS, questions
from libs.trading.execution.exits import (
    STOP_LEGS,
    TARGET_LEGS,
    Position,
    cancelling,
    closing,
    is_fulfilled,
    protecting,
    retry_ms,
)
from libs.trading.execution.facts import CloseWished, Dropped, Ended
from libs.trading.execution.folds import TWO_READS_MS, is_seen_flat
from libs.trading.execution.folds_orders import READ_DELAY_MS, is_overdue
from libs.trading.execution.moves import (
    Ask,
    Cancel,
    Fetch,
    Move,
    Note,
    Permits,
    Place,
    Wait,
    conditional_kind,
    due,
    in_order,
)
from libs.trading.execution.sums import holding_of, last_trade_ms

__all__ = ["Ask", "Cancel", "Fetch", "Move", "Note", "Permits", "Place", "Wait", "conditional_kind", "next_moves"]

ALL_LEGS = frozenset((*STOP_LEGS, *TARGET_LEGS, "break_even", "trailing", "close", "entry"))
PASSING = frozenset(("not_ready", "guard_silent", "price_unknown"))
"""Reasons that pass by themselves, as right after a start: an entry waits for that as long as its signal is valid."""
LOOK_AGAIN_MS = 200
SETTLED_MS = 60_000
"""So long after a settlement its lines may come to the statement: the venue takes up to a minute for it."""
UNEXPLAINED = "unexplained"
"""The exit reason of a trade whose position is gone although its fills do not say how."""


def next_moves(trade: Trade, now_ms: int, permits: Permits) -> tuple[Move, ...]:
    """What to do now, in this order; nothing for a trade that is over. `now_ms` by the venue's clock.

    Carry out each move, fold what came of it, then ask again. Moves of one answer may be carried out at the same time.
    """
    if trade.is_final:
        return ()
    holding = holding_of(trade)
    position = Position(trade, holding, now_ms)
    if holding.left > ZERO and not is_seen_flat(trade):
        moves = _open(position, permits)
    elif trade.state == "entering":
        moves = _entering(position, permits)
    else:
        moves = _finishing(position, permits)
    return in_order([*moves, *questions(trade, holding, now_ms)])


def _entering(position: Position, permits: Permits) -> list[Move]:
    """The entry, sent while it is valid and allowed, and known not to have been carried out."""
    trade, now_ms = position.trade, position.now_ms
    moves: list[Move] = []
    for entry in position.of("entry"):
        if entry.status != "intended":
            continue
        reason = _why_not_entered(trade, now_ms, permits)
        if reason in PASSING:
            moves.append(Wait(min(now_ms + LOOK_AGAIN_MS, trade.valid_until_ms)))
        elif reason is not None:
            moves.append(Note(Dropped(entry.client_id, reason, now_ms)))
        else:
            due(moves, Place(entry), retry_ms(entry), now_ms)
            moves.append(Wait(trade.valid_until_ms))
    if not position.of("entry"):
        moves.append(Note(Ended(UNEXPLAINED, now_ms)))
    return moves


def _why_not_entered(trade: Trade, now_ms: int, permits: Permits) -> str | None:
    if trade.closes:
        return "cancelled"
    if now_ms >= trade.valid_until_ms:
        return "expired"
    if permits.only_stops or not permits.entries:
        return permits.why_not or "risk_blocked"
    return None if permits.market is None else outdated(trade, permits.market, now_ms)


def _open(position: Position, permits: Permits) -> list[Move]:
    """Something is held: close it where that is wished for, else see to its exits."""
    trade, now_ms = position.trade, position.now_ms
    if permits.only_stops:
        return [*protecting(position, only_stops=True), *_look(position)]
    wish = _wish(trade)
    if trade.bracket is not None and (wish is None or wish.quantity is not None):
        if now_ms >= trade.bracket.hold_until_ms:
            return [Note(CloseWished(CloseWish(reason="hold_limit", since_ms=now_ms, wish_id="hold_limit")))]
        waits: list[Move] = [Wait(trade.bracket.hold_until_ms)]
    else:
        waits = []
    if wish is None:
        return [*protecting(position, only_stops=False), *_look(position), *waits]
    moves = closing(position, wish)
    if wish.quantity is None:
        moves += cancelling(position, TARGET_LEGS)
    if not position.stands and wish.reason != "stop_failed":
        moves += protecting(position, only_stops=True)
    return [*moves, *_look(position), *waits]


def _look(position: Position) -> list[Move]:
    """Whether something is held at all, where a read said no, the venue had nothing to reduce, or a stop says no more than that
    it was triggered."""
    closes = position.of("close")
    is_refused = bool(closes) and (closes[-1].reason or "").startswith("reduce_only")
    moves: list[Move] = []
    is_silent = not position.stands and any(is_overdue(one, position.now_ms) for one in position.trade.orders)
    if position.trade.flat_reads or is_refused or is_silent:
        _read(position, moves)
        due(moves, Fetch("fills"), position.trade.fills_read_ms + TWO_READS_MS, position.now_ms)
    return moves


def _read(position: Position, moves: list[Move]) -> None:
    """The position, not before a read can be newer than the last fill."""
    trade = position.trade
    at_ms = max(trade.position_ms + TWO_READS_MS, last_trade_ms(trade) + READ_DELAY_MS)
    due(moves, Fetch("position"), at_ms, position.now_ms)


def _finishing(position: Position, permits: Permits) -> list[Move]:
    """Nothing is held, by the books or by two reads: what is left of ours goes, the stops last."""
    trade, now_ms = position.trade, position.now_ms
    moves: list[Move] = []
    if not is_seen_flat(trade):
        if not permits.only_stops:
            moves += cancelling(position, ALL_LEGS - STOP_LEGS)
        _read(position, moves)
        return moves
    moves += cancelling(position, ALL_LEGS)
    if trade.fills_read_ms < trade.flat_reads[-1]:
        due(moves, Fetch("fills"), trade.fills_read_ms + FILLS_MS, now_ms)
    elif all(order.is_final for order in trade.orders) and not position.holding.missing:
        if trade.funding_read_ms < (due_ms := _funding_due_ms(trade)):
            due(moves, Fetch("funding"), max(due_ms, trade.funding_read_ms), now_ms)
        else:
            moves.append(Note(Ended(UNEXPLAINED if position.holding.left > ZERO else None, now_ms)))
    return moves


def _funding_due_ms(trade: Trade) -> int:
    """When the statement has all the funding of the trade; 0 for one that no settlement has met: they are at whole hours."""
    settled_ms = last_trade_ms(trade) // HOUR_MS * HOUR_MS
    begun_ms = trade.times.first_fill_ms
    return settled_ms + SETTLED_MS if 0 < begun_ms <= settled_ms else 0


def _wish(trade: Trade) -> CloseWish | None:
    """What is to be closed now: all, where somebody wants that; else the first part that is not closed yet."""
    full = next((wish for wish in trade.closes if wish.quantity is None), None)
    return full or next((wish for wish in trade.closes if not is_fulfilled(trade, wish)), None)
