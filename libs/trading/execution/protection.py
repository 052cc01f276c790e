"""Which exits a position should have at the venue, and the next step from those that rest there to those.

A stop that closes the whole position stands as long as it is open; two take-profits reduce it; after the first one a second
stop, for what is left, stands at break-even beside the first. The venue refuses a second closing stop in one direction (-4130),
so that moving it goes over a bridge: a stop with a quantity at the new price, which stands while the old one is replaced.
Prices are quote units per base unit, quantities base units.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from libs.trading.execution.client_ids import Leg
from libs.trading.filters import SymbolFilters

ExitKind = Literal["stop", "take_profit", "trailing"]
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Exit:
    """An order that lessens the position at `trigger`; `quantity` None: it closes all of it, whatever that is then. A trailing
    stop has no price of its own (0): it stands `callback_percent` behind the best one."""

    leg: Leg
    kind: ExitKind
    trigger: Decimal
    quantity: Decimal | None
    callback_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Resting:
    """One that stands at the venue, under our id of that generation."""

    exit: Exit
    generation: int


@dataclass(frozen=True, slots=True)
class Levels:
    """Where a position is to be left, on ticks. `break_even`: where the second stop goes once the first target was reached, and
    from then on, where `callback_percent` says so, a trailing one stands beside it. A target that is None is none: without the
    first one nothing is sold early."""

    stop: Decimal
    take_profit_1: Decimal | None
    take_profit_2: Decimal | None
    break_even: Decimal
    callback_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A position as it is: what its entry has filled, what the first take-profit has sold, and what is left (all above 0, long
    or short). `reached_first`: the first target was; where the position is too small to be split, its price alone says so."""

    entered: Decimal
    taken: Decimal
    left: Decimal
    reached_first: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next, in this order, before looking again: first everything to place, then everything to cancel."""

    place: tuple[Exit, ...] = ()
    cancel: tuple[Resting, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether everything is as it should be."""
        return not self.place and not self.cancel


def first_part(quantity: Decimal, filters: SymbolFilters) -> Decimal:
    """What the first take-profit sells: half, down to a step; 0 where half is less than may be traded. The backtester's rule."""
    half = filters.quantity_on_step(quantity / 2)
    return half if half >= max(filters.quantity_step, filters.min_quantity) else ZERO


def wanted(levels: Levels, held: Held, filters: SymbolFilters) -> tuple[Exit, ...]:
    """The exits that a position should have, the stop first; none for a flat one."""
    if held.left <= 0:
        return ()
    exits = [Exit("stop", "stop", levels.stop, None)]
    first = first_part(held.entered, filters) if levels.take_profit_1 is not None else ZERO
    open_first = min(first - held.taken, held.left) if first and not held.reached_first else ZERO
    if levels.take_profit_1 is not None and open_first > 0:
        exits.append(Exit("take_profit_1", "take_profit", levels.take_profit_1, open_first))
    if held.reached_first:
        exits += _after_first(levels, held.left)
    if levels.take_profit_2 is not None and (rest := held.left - open_first) > 0:
        exits.append(Exit("take_profit_2", "take_profit", levels.take_profit_2, rest))
    return tuple(exits)


def _after_first(levels: Levels, left: Decimal) -> list[Exit]:
    second = [Exit("break_even", "stop", levels.break_even, left)]
    if levels.callback_percent is not None:
        second.append(Exit("trailing", "trailing", ZERO, left, levels.callback_percent))
    return second


def next_step(levels: Levels, held: Held, filters: SymbolFilters, resting: Sequence[Resting]) -> Step:
    """The next step from what rests to what is wanted; ask again when the venue has answered it, until it is nothing.

    A position that had a stop has one after each part of each step. A take-profit is cancelled before its successor is placed:
    two at once could sell twice, and its absence loses nothing that is protected.
    """
    target = wanted(levels, held, filters)
    if not target:
        return Step(cancel=tuple(resting))
    by_leg = {leg: [one for one in resting if one.exit.leg == leg] for leg in {one.exit.leg for one in resting}}
    stop = _stop_step(target[0], held.left, by_leg.pop("stop", []), by_leg.pop("bridge", []))
    others = _other_steps(target[1:], by_leg)
    return _together((stop, *others))


def _stop_step(goal: Exit, left: Decimal, stops: Sequence[Resting], bridges: Sequence[Resting]) -> Step:
    """Of the stop that closes the position."""
    if not stops:
        return Step(place=(goal,))
    if any(one.exit == goal for one in stops):
        surplus = [one for one in stops if one.exit != goal]
        return Step(cancel=(*surplus, *bridges))
    bridge = Exit("bridge", "stop", goal.trigger, left)
    if not any(one.exit.trigger == goal.trigger and (one.exit.quantity or ZERO) >= left for one in bridges):
        # An older bridge may not rest beside the new one for long, but what it covers stays covered meanwhile.
        return Step(place=(bridge,), cancel=tuple(bridges))
    return Step(cancel=tuple(stops))


def _other_steps(goals: Sequence[Exit], by_leg: dict[Leg, list[Resting]]) -> list[Step]:
    steps = []
    for goal in goals:
        mine = by_leg.pop(goal.leg, [])
        right = [one for one in mine if one.exit == goal]
        surplus = tuple(one for one in mine if one not in right[:1])
        if goal.kind == "take_profit" and surplus:
            steps.append(Step(cancel=surplus))
        else:
            steps.append(Step(() if right else (goal,), surplus))
    steps += [Step(cancel=tuple(rest)) for rest in by_leg.values()]
    return steps


def _together(steps: Iterable[Step]) -> Step:
    found = list(steps)
    return Step(tuple(one for step in found for one in step.place), tuple(one for step in found for one in step.cancel))
