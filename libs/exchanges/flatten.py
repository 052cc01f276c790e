"""Ends what an account holds, with nothing but the venue and its keys: whoever asks for it may be the only one that still lives.

What would open is cancelled first, then every position is closed at market in slices that the venue accepts, while its stops go
on waiting; what is left of exits goes last. An order that only reduces cannot turn a position round, and in hedge mode neither
can one against its side, so that a close whose outcome is unknown is followed by a new look at the position and never by doubt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeVar

from libs.exchanges.errors import VenueError
from libs.exchanges.flatten_orders import CloseOrders, FlattenIds, FlattenStep, MarketLot, StepKind
from libs.exchanges.trading import AlgoState, OrderRefused, OrderState, OutcomeUnknown, Position, TradingVenue
from libs.kit.clock import Clock

STALE_MS = 2_100
"""What the venue tells of positions may be two seconds old (reference facts, 9)."""
BETWEEN_READS_MS = 1_000
READ_SECONDS = 2.0
SOON_SECONDS, LATER_SECONDS, FAILING_SECONDS = 0.25, 1.0, 2.0
Direction = Literal["long", "short"]
Key = tuple[str, Direction]
Audit = Callable[[FlattenStep], None]
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class FlattenTerms:
    """How it is done. `lots`: what a market order may have, by symbol; of others everything is tried in one piece. With `side`
    only positions of that direction are closed, and orders that open stay. `known`: positions as somebody has just seen them, for
    which no question has to be answered first. Times by `clock`, the venue's."""

    ids: FlattenIds
    clock: Clock
    lots: Mapping[str, MarketLot] = field(default_factory=dict)
    side: Direction | None = None
    known: Sequence[Position] = ()
    patience_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Flattened:
    """How it ended. `flat`: two looks at least a second apart, both newer than all that was done, saw nothing. `left`: what was
    still there, in words; `closed`: base units by symbol and direction, as far as the venue has told."""

    flat: bool
    left: tuple[str, ...]
    closed: Mapping[Key, Decimal]
    took_ms: int


async def flatten_directly(
    venue: TradingVenue, symbols: Collection[str] | None, audit: Audit, terms: FlattenTerms
) -> Flattened:
    """Close the positions of `symbols` (None: all) and cancel their orders, until it is so or `patience_seconds` are over.

    Every step goes to `audit` as it happens, refusals too. Raises nothing of the venue: what does not work is tried again.
    """
    return await _Flattening(venue, None if symbols is None else frozenset(symbols), audit, terms).run()


@dataclass(slots=True)
class _Look:
    """The account at one moment. `asked_ms`: before the question left. Orders None: not readable this time."""

    asked_ms: int
    positions: dict[Key, Position]
    orders: list[OrderState] | None
    algos: list[AlgoState] | None


@dataclass(slots=True)
class _Flattening:
    venue: TradingVenue
    symbols: frozenset[str] | None
    audit: Audit
    terms: FlattenTerms
    closed: dict[Key, Decimal] = field(default_factory=dict)
    _done_ms: int = 0
    _gone: set[tuple[bool, str, str]] = field(default_factory=set)
    _filled: dict[Key, tuple[Decimal, int]] = field(default_factory=dict)
    _flat_since_ms: int | None = None
    _last: _Look | None = None
    _knows_orders: bool = False
    _close: CloseOrders = field(init=False)

    def __post_init__(self) -> None:
        self._close = CloseOrders(self.venue, self.terms.ids, self.terms.clock, self.terms.lots, self._say)

    async def run(self) -> Flattened:
        # A position that was opened right before may not be told yet either.
        began = self._done_ms = self._now()
        until_ms = began + int(self.terms.patience_seconds * 1000)
        flat, vain = False, 0
        known = self._held(self.terms.known)
        look, _ = await asyncio.gather(self._look(), self._end_all(known))
        while not flat and self._now() < until_ms:
            before = sum(self.closed.values())
            if look is not None:
                flat = await self._round(look)
                known = look.positions
            else:  # who cannot see may still close: an order that only reduces does no harm twice
                await self._end_all({key: one for key, one in known.items() if key not in self._filled})
            vain = 0 if sum(self.closed.values()) > before else vain + 1
            if not flat:
                await self.terms.clock.sleep(self._wait_seconds(look, vain))
                look = await self._look()
        left = () if flat else self._left()
        self._say("flat" if flat else "left", "", words="; ".join(left))
        return Flattened(flat, left, dict(self.closed), self._now() - began)

    async def _round(self, look: _Look) -> bool:
        """One round; whether all is over."""
        self._last = look
        was_full = look.orders is not None and look.algos is not None
        self._knows_orders = bool(look.positions) and (was_full or self._knows_orders)
        await self._cancel(self._opening(look))
        waiting = [key for key, position in look.positions.items() if not self._may_be_stale(key, position, look)]
        await self._end_all({key: look.positions[key] for key in waiting})
        if look.positions:
            self._flat_since_ms = None
            return False
        if self._flat_since_ms is None:
            self._flat_since_ms = look.asked_ms
        newer_ms = max(self._done_ms, self._close.unsettled_until_ms) + STALE_MS
        if look.asked_ms < newer_ms or look.asked_ms - self._flat_since_ms < BETWEEN_READS_MS:
            return False
        rest = self._all_orders(look)
        if rest is None:
            return False
        await self._cancel(rest)
        return all(_name(one) in self._gone for one in rest)

    def _wait_seconds(self, look: _Look | None, vain: int) -> float:
        """Soon while something is closed, then less and less often; where all is flat, until a look can be the last."""
        if look is None or look.positions:
            return min(FAILING_SECONDS, SOON_SECONDS * (1 << min(vain, 4)))
        newer_ms = max(self._done_ms, self._close.unsettled_until_ms) + STALE_MS
        return max(SOON_SECONDS, min(LATER_SECONDS, (newer_ms - self._now()) / 1000))

    async def _look(self) -> _Look | None:
        """None while the positions cannot be read. Lists of all orders are dear: asked for at first, and towards the end."""
        asked_ms, one = self._now(), self._one_symbol()
        if one is None and self._knows_orders:
            positions, orders, algos = await self._asked(self.venue.positions), None, None
        else:
            positions, orders, algos = await asyncio.gather(
                self._asked(lambda: self.venue.positions(one)),
                self._asked(lambda: self.venue.open_orders(one)),
                self._asked(lambda: self.venue.open_conditionals(one)),
            )
        if positions is None:
            return None
        return _Look(
            asked_ms,
            self._held(positions),
            None if orders is None else [each for each in orders if self._is_named(each.symbol)],
            None if algos is None else [each for each in algos if self._is_named(each.symbol)],
        )

    async def _asked(self, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """The question begins here: one that was made before would be left behind where this is cancelled at its start."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await ask()
        except (VenueError, TimeoutError) as error:
            self._say("refused", "", words=str(error) or "no answer")
            return None

    def _may_be_stale(self, key: Key, position: Position, look: _Look) -> bool:
        """Whether it is as it was before it was closed, and the venue may not know better yet."""
        before, filled_ms = self._filled.get(key, (Decimal(0), 0))
        return position.amount == before and look.asked_ms < filled_ms + STALE_MS

    async def _end_all(self, positions: Mapping[Key, Position]) -> None:
        await asyncio.gather(*(self._end(key, position) for key, position in positions.items()))

    async def _end(self, key: Key, position: Position) -> None:
        closed = await self._close.close(position)
        self._done_ms = self._now()
        self.closed[key] = self.closed.get(key, Decimal(0)) + closed
        if closed >= abs(position.amount):
            self._filled[key] = position.amount, self._now()

    def _opening(self, look: _Look) -> list[OrderState | AlgoState]:
        if self.terms.side is not None:
            return []
        return [one for one in (*(look.orders or ()), *(look.algos or ())) if _opens(one)]

    def _all_orders(self, look: _Look) -> list[OrderState | AlgoState] | None:
        """What goes once the positions have gone; None while it is not known."""
        if look.orders is None or look.algos is None:
            return None
        found: list[OrderState | AlgoState] = [*look.orders, *look.algos]
        if self.terms.side is None:
            return found
        return [one for one in found if not _opens(one) and _closes(one) == self.terms.side]

    async def _cancel(self, orders: Iterable[OrderState | AlgoState]) -> None:
        """Those that are not known to be gone: a list may be older than what we have done."""
        await asyncio.gather(*(self._cancel_one(one) for one in orders if _name(one) not in self._gone))

    async def _cancel_one(self, order: OrderState | AlgoState) -> None:
        try:
            if isinstance(order, AlgoState):
                await self.venue.cancel_conditional(order.client_id)
            else:
                await self.venue.cancel(order.symbol, order.client_id)
        except OrderRefused as error:
            if error.verdict == "gone":  # filled, or cancelled by somebody else
                self._gone.add(_name(order))
            self._say("refused", order.symbol, order.client_id, words=str(error))
        except OutcomeUnknown as error:
            self._say("unknown", order.symbol, order.client_id, words=str(error))
        except VenueError as error:
            self._say("refused", order.symbol, order.client_id, words=str(error))
        else:
            self._gone.add(_name(order))
            self._say("cancelled", order.symbol, order.client_id)
        if _opens(order):  # it may have been filled just before
            self._done_ms = self._now()

    def _left(self) -> tuple[str, ...]:
        if self._last is None:
            return ("the positions could not be read",)
        found = tuple(f"{symbol} {side}: {abs(one.amount)}" for (symbol, side), one in self._last.positions.items())
        return found or ("it could not be verified that everything is flat",)

    def _one_symbol(self) -> str | None:
        return next(iter(self.symbols)) if self.symbols is not None and len(self.symbols) == 1 else None

    def _is_named(self, symbol: str) -> bool:
        return self.symbols is None or symbol in self.symbols

    def _held(self, positions: Iterable[Position]) -> dict[Key, Position]:
        """Those that are to be closed."""
        return {(each.symbol, _direction(each)): each for each in positions if each.amount and self._in_scope(each)}

    def _in_scope(self, position: Position) -> bool:
        return self._is_named(position.symbol) and self.terms.side in (None, _direction(position))

    def _say(
        self, kind: StepKind, symbol: str, client_id: str = "", quantity: Decimal | None = None, words: str = ""
    ) -> None:
        self.audit(FlattenStep(self._now(), kind, symbol, client_id, quantity, words))

    def _now(self) -> int:
        return self.terms.clock.now_ms()


def _name(order: OrderState | AlgoState) -> tuple[bool, str, str]:
    """What tells it from others, between this run's looks."""
    number = order.algo_id if isinstance(order, AlgoState) else order.order_id
    return isinstance(order, AlgoState), order.symbol, str(number)


def _direction(position: Position) -> Direction:
    if position.position_side == "BOTH":
        return "long" if position.amount > 0 else "short"
    return "long" if position.position_side == "LONG" else "short"


def _closes(order: OrderState | AlgoState) -> Direction:
    """Positions of which direction it makes smaller, if it does not open any."""
    if order.position_side == "BOTH":
        return "long" if order.side == "SELL" else "short"
    return "long" if order.position_side == "LONG" else "short"


def _opens(order: OrderState | AlgoState) -> bool:
    """Whether it could make a position, or make one larger."""
    if order.position_side == "BOTH":
        return not (order.reduce_only or order.close_position)
    return (order.side == "BUY") == (order.position_side == "LONG")
