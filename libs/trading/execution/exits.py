"""What an open position needs at the venue: its stop first and alone until it stands, then the targets, and closes that somebody
wished for."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from libs.trading.execution.client_ids import MOST_GENERATIONS, Leg, OrderTag
from libs.trading.execution.document import ZERO, CloseWish, OurOrder, Trade
from libs.trading.execution.doubts import may_not_stand
from libs.trading.execution.facts import Dropped
from libs.trading.execution.folds_orders import OVERDUE_MS, in_doubt, is_followed, is_overdue
from libs.trading.execution.levels import filters_of, levels_of
from libs.trading.execution.moves import Cancel, Move, Note, Place, Wait, due
from libs.trading.execution.protection import Exit, ExitKind, Held, Levels, Resting, first_part, next_step
from libs.trading.execution.sums import Holding, exit_side, filled_of, profit_of_trade
from libs.trading.filters import SymbolFilters

replace = msgspec.structs.replace
STOP_LEGS: frozenset[Leg] = frozenset(("stop", "bridge"))
TARGET_LEGS: frozenset[Leg] = frozenset(("take_profit_1", "take_profit_2"))
_KINDS: dict[Leg, ExitKind] = {
    "stop": "stop",
    "bridge": "stop",
    "break_even": "stop",
    "take_profit_1": "take_profit",
    "take_profit_2": "take_profit",
    "trailing": "trailing",
}
FIRST_DELAY_MS, LONGEST_DELAY_MS, LONGEST_TARGET_DELAY_MS = 250, 4_000, 900_000
"""Between tries: a stop that the venue takes again has to stand within 5 s, and a leg has generations for an hour of trouble."""
SECOND_STOP = "duplicate -4130"
TRIGGERS_AT_ONCE = "price -2021"
GIVEN_UP_AFTER = 3
"""A trailing stop that the venue refused so often is not asked for any more: the first stop and break-even stand."""


@dataclass(frozen=True, slots=True)
class Position:
    """An open position and the moment."""

    trade: Trade
    holding: Holding
    now_ms: int

    def of(self, *legs: Leg) -> list[OurOrder]:
        """Its orders of these legs, in the order in which they were meant."""
        return [order for order in self.trade.orders if order.leg in legs]

    @property
    def stands(self) -> bool:
        """Whether a stop is known to stand that covers all that is left."""
        return any(_covers(order, self.holding.left) for order in self.of("stop", "bridge"))


def protecting(position: Position, *, only_stops: bool) -> list[Move]:
    """The next step towards the exits that it should have; with `only_stops` no more than a stop that is missing."""
    trade = position.trade
    levels = _levels(trade)
    if levels is None or trade.rules is None:
        return []
    if followed := [one for one in trade.orders if is_followed(one) and not is_overdue(one, position.now_ms)]:
        return [Wait(min(one.triggered_ms for one in followed) + OVERDUE_MS)]
    filters = filters_of(trade.symbol, trade.rules)
    held = _held(position, levels, filters)
    step = next_step(levels, held, filters, _resting(position))
    moves: list[Move] = []
    for exit_ in _stops_first(position, step.place, only_stops=only_stops):
        _ask_for(position, exit_, moves)
    if not only_stops:
        _forget_unwanted(position, step.place, moves)
        # What is replaced goes when its successor stands, and not while that one waits for its next try.
        legs = {one.leg for one in step.place}
        replaced = (_named(trade, one) for one in step.cancel if one.exit.leg not in legs)
        moves += [Cancel(order) for order in replaced if order is not None]
    return moves


def closing(position: Position, wish: CloseWish) -> list[Move]:
    """At market, a slice at a time; a slice that nobody knows the end of may be sent again where all is to be closed, because an
    order that only reduces cannot turn a position round."""
    trade, left = position.trade, position.holding.left
    rules = trade.rules
    if rules is None or left <= ZERO:
        return []
    amount = (
        left if wish.quantity is None else min(left, filters_of(trade.symbol, rules).quantity_on_step(wish.quantity))
    )
    open_amount = amount - (_closed_by(trade, wish) if wish.quantity is not None else ZERO)
    closes = [order for order in position.of("close") if not order.is_final]
    blocking = [order for order in closes if wish.quantity is not None or not may_not_stand(order, position.now_ms)]
    moves: list[Move] = []
    retried = [order for order in blocking if order.status == "intended"]
    if retried:
        due(moves, Place(retried[0]), retry_ms(retried[0]), position.now_ms)
    elif not blocking and open_amount > ZERO:
        slice_ = min(open_amount, left, rules.max_quantity or left)
        _place(position, _close_order(position, slice_, wish), moves)
    return moves


def cancelling(position: Position, legs: frozenset[Leg]) -> list[Move]:
    """What stands of these legs is cancelled, and what was only meant is dropped."""
    moves: list[Move] = []
    for order in position.trade.orders:
        if order.leg not in legs or order.is_final:
            continue
        if order.status == "intended":
            moves.append(Note(Dropped(order.client_id, "not_wanted", position.now_ms)))
        elif not in_doubt(order) and (not is_followed(order) or is_overdue(order, position.now_ms)):
            moves.append(Cancel(order))
    return moves


def is_fulfilled(trade: Trade, wish: CloseWish) -> bool:
    """Whether a wish for a part has been carried out, or asks for less than may be traded."""
    if wish.quantity is None or trade.rules is None:
        return False
    return _closed_by(trade, wish) >= filters_of(trade.symbol, trade.rules).quantity_on_step(wish.quantity)


def next_order(position: Position, leg: Leg, quantity: Decimal | None) -> OurOrder | None:
    """An exit under the leg's next generation; None when there is none left."""
    trade = position.trade
    generation = 1 + max((order.generation for order in position.of(leg)), default=-1)
    if generation >= MOST_GENERATIONS:
        return None
    tag = OrderTag("executor", trade.account_letters, trade.installation_letters, trade.signal_letters, leg, generation)
    return OurOrder(
        client_id=tag.client_id(),
        leg=leg,
        generation=generation,
        side=exit_side(trade),
        quantity=quantity,
        status="intended",
        reduce_only=quantity is not None,
        intended_ms=position.now_ms,
        updated_ms=position.now_ms,
    )


def retry_ms(order: OurOrder) -> int:
    """When an order that was certainly not carried out may be sent again: at once before its first time, then ever later."""
    return order.updated_ms + _delay(order.attempts, LONGEST_DELAY_MS)


def _levels(trade: Trade) -> Levels | None:
    return levels_of(trade, profit_of_trade(trade).entry_average)


def _held(position: Position, levels: Levels, filters: SymbolFilters) -> Held:
    """What was closed by hand counts as never entered: the first target sells half of what there is to sell. Once it has sold
    anything, a close that leaves too little to be split does not undo that it was reached."""
    holding = position.holding
    entered = max(ZERO, holding.entered - (holding.exited - holding.by_exits))
    first = first_part(entered, filters) if levels.take_profit_1 is not None else ZERO
    reached = holding.taken >= first if first else position.trade.reached_first or holding.taken > ZERO
    return Held(entered, holding.taken, holding.left, reached)


def _remaining(trade: Trade, order: OurOrder) -> Decimal | None:
    if order.quantity is None:
        return None
    return order.quantity - max(order.executed, filled_of(trade, order.client_id))


def _covers(order: OurOrder, left: Decimal) -> bool:
    if order.status not in ("new", "partially_filled") or is_followed(order):
        return False
    return order.quantity is None or order.quantity - order.executed >= left


def _as_exit(position: Position, order: OurOrder) -> Exit:
    """The order as what it is wanted for. A stop for more than is left is as good as one for just that: it only reduces."""
    kind, quantity = _KINDS[order.leg], _remaining(position.trade, order)
    if order.leg in ("break_even", "trailing") and quantity is not None and quantity > position.holding.left:
        quantity = position.holding.left
    level = order.price if order.price is not None else order.trigger
    return Exit(order.leg, kind, ZERO if level is None else level, quantity, order.callback_percent)


def _resting(position: Position) -> list[Resting]:
    """What is known to stand. What is in doubt is no part of it: its leg waits instead."""
    return [
        Resting(_as_exit(position, order), order.generation)
        for order in position.of(*_KINDS)
        if order.status in ("new", "partially_filled") and not is_followed(order)
    ]


def _named(trade: Trade, resting: Resting) -> OurOrder | None:
    key = (resting.exit.leg, resting.generation)
    return next((order for order in trade.orders if (order.leg, order.generation) == key), None)


def _stops_first(position: Position, exits: Sequence[Exit], *, only_stops: bool) -> list[Exit]:
    """The stop alone until it stands; targets once the entry is complete, so that they are placed once."""
    stops = [one for one in exits if one.leg in STOP_LEGS]
    if only_stops and position.stands:
        return []
    if only_stops or not position.stands or any(not order.is_final for order in position.of("entry")):
        return stops
    return list(exits)


def _ask_for(position: Position, exit_: Exit, moves: list[Move]) -> None:
    """Place it, unless an order of its leg is meant, or in doubt, already."""
    open_orders = [order for order in position.of(exit_.leg) if not order.is_final]
    for order in open_orders:
        if order.status == "intended" and _as_exit(position, order) == exit_:
            due(moves, Place(order), retry_ms(order), position.now_ms)
            return
        if order.status == "intended":
            moves.append(Note(Dropped(order.client_id, "not_wanted", position.now_ms)))
            return
        if in_doubt(order) and not (exit_.leg == "stop" and may_not_stand(order, position.now_ms)):
            return
        if exit_.kind == "take_profit" and is_followed(
            order
        ):  # A stop stands meanwhile, and two targets could sell twice.
            return
    if exit_.leg == "stop" and _is_second(position):
        _ask_for(position, Exit("bridge", "stop", exit_.trigger, position.holding.left), moves)
    if (order_ := _exit_order(position, exit_)) is not None:
        _place(position, order_, moves)


def _is_second(position: Position) -> bool:
    """Whether the venue has refused our stop because somebody else's closes the position, and no stop of ours stands: one with a
    quantity is taken beside it."""
    stops = position.of("stop")
    return bool(stops) and stops[-1].reason == SECOND_STOP and not position.stands


def _exit_order(position: Position, exit_: Exit) -> OurOrder | None:
    order = next_order(position, exit_.leg, exit_.quantity)
    before = position.of(exit_.leg)
    if order is None or (exit_.kind == "trailing" and _failures(before) >= GIVEN_UP_AFTER):
        return None
    bracket = position.trade.bracket
    if exit_.kind != "take_profit" and bracket is not None:
        order = replace(order, working_type=bracket.working_type)
    if exit_.kind == "trailing":
        return replace(order, callback_percent=exit_.callback_percent)
    passed = any(one.reason == TRIGGERS_AT_ONCE for one in before)
    at_limit = exit_.kind == "take_profit" and (passed or bracket is None or bracket.take_profit_type == "limit")
    return replace(order, price=exit_.trigger) if at_limit else replace(order, trigger=exit_.trigger)


def _close_order(position: Position, quantity: Decimal, wish: CloseWish) -> OurOrder | None:
    order = next_order(position, "close", quantity)
    return None if order is None else replace(order, wish_id=wish.wish_id)


def _place(position: Position, order: OurOrder | None, moves: list[Move]) -> None:
    """Now, or a while after the last one of its leg has failed: the longer, the more have."""
    if order is None:
        return
    before = position.of(order.leg)
    longest = LONGEST_DELAY_MS if order.leg in (*STOP_LEGS, "close") else LONGEST_TARGET_DELAY_MS
    failures = _failures(before)
    at_ms = _tried_ms(before[-1]) + _delay(failures, longest) if failures else position.now_ms
    due(moves, Place(order), at_ms, position.now_ms)


def _tried_ms(order: OurOrder) -> int:
    """When it failed; one in doubt is asked about again and again, so that its beginning counts."""
    return order.intended_ms if in_doubt(order) else order.updated_ms


def _failures(orders: Sequence[OurOrder]) -> int:
    """How many at the end came to nothing, or to nothing that is known, one after the other."""
    count = 0
    for order in reversed(orders):
        if not (in_doubt(order) or order.status in ("rejected", "expired")) or order.executed > ZERO:
            break
        count += 1
    return count


def _delay(times: int, longest: int) -> int:
    return min(longest, FIRST_DELAY_MS << min(times - 1, 16)) if times else 0


def _forget_unwanted(position: Position, exits: Sequence[Exit], moves: list[Move]) -> None:
    """What was meant, never carried out, and is wanted no more."""
    legs = {one.leg for one in exits}
    for order in position.of(*_KINDS):
        if order.status == "intended" and order.leg not in legs:
            moves.append(Note(Dropped(order.client_id, "not_wanted", position.now_ms)))


def _closed_by(trade: Trade, wish: CloseWish) -> Decimal:
    mine = (order for order in trade.orders if order.leg == "close" and order.wish_id == wish.wish_id)
    return sum((max(order.executed, filled_of(trade, order.client_id)) for order in mine), ZERO)
