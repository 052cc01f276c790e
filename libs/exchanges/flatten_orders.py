"""Closing one position at market: slices, ids of their own, and what a failure means for an order that can only reduce."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Literal, Protocol

from libs.exchanges import Instrument
from libs.exchanges.decimals import finite_decimal
from libs.exchanges.errors import RateLimited, VenueError
from libs.exchanges.trading import NewOrder, NotSent, OrderRefused, OutcomeUnknown, Position, TradingVenue
from libs.kit.clock import Clock
from libs.kit.errors import BadMessage
from libs.trading.execution.client_ids import (
    ACCOUNT_LETTERS,
    INSTALLATION_LETTERS,
    MOST_GENERATIONS,
    SIGNAL_LETTERS,
    Leg,
    OrderTag,
    Sender,
    letters_of,
)

VALID_MS = 2_000
"""How long a close may be carried out after it left: then "there is none" is final."""
MARGIN_MS = 500
ANSWER_SECONDS = 1.0
"""Whoever has to close waits no longer for an answer, but asks what became of it."""
ASKS, ASK_SECONDS, ASK_PATIENCE_SECONDS = 2, 0.2, 0.4
MOST_SLICES = 50
TOO_LARGE = frozenset((-4005, -4004, -4003))
StepKind = Literal["cancelled", "closing", "closed", "refused", "unknown", "stop_placed", "flat", "left"]


@dataclass(frozen=True, slots=True)
class FlattenStep:
    """One thing that was done, or could not be. `quantity` in base units; `words` of the venue or ours."""

    time_ms: int
    kind: StepKind
    symbol: str
    client_id: str = ""
    quantity: Decimal | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class MarketLot:
    """What a market order may have, base units: multiples of `step`, up to `most` (None: without a limit)."""

    step: Decimal
    most: Decimal | None = None


def market_lot(instrument: Instrument) -> MarketLot:
    """The lot of a contract. Raises `BadMessage` "bad_number" for a limit that is no number, "bad_filter" for a step of 0."""
    step = finite_decimal(instrument.step_size)
    if step <= 0:
        raise BadMessage("bad_filter", f"{instrument.symbol}: a step of {step}")
    return MarketLot(step, (finite_decimal(instrument.max_quantity) or None) if instrument.max_quantity else None)


@dataclass(slots=True)
class FlattenIds:
    """Client ids of one run, which no other run has: `run` names it (a break and its time, a person's command)."""

    account: str
    installation: str
    run: str
    sender: Sender = "guard"
    _used: dict[str, int] = field(default_factory=dict)

    def next_id(self, symbol: str, leg: Leg = "close") -> str:
        """An id that was not used before."""
        number = self._used.get(symbol, 0)
        self._used[symbol] = number + 1
        lap, generation = divmod(number, MOST_GENERATIONS)
        return OrderTag(
            sender=self.sender,
            account=letters_of(self.account, ACCOUNT_LETTERS),
            installation=letters_of(self.installation, INSTALLATION_LETTERS),
            signal=letters_of(f"{self.run} {symbol} {lap}", SIGNAL_LETTERS),
            leg=leg,
            generation=generation,
        ).client_id()


class Say(Protocol):
    """Tells a step."""

    def __call__(
        self, kind: StepKind, symbol: str, client_id: str = "", quantity: Decimal | None = None, words: str = ""
    ) -> None: ...


@dataclass(slots=True)
class CloseOrders:
    """Sends closes. `unsettled_until_ms`: until then one of unknown outcome may still be carried out."""

    venue: TradingVenue
    ids: FlattenIds
    clock: Clock
    lots: Mapping[str, MarketLot]
    say: Say
    unsettled_until_ms: int = 0
    _most: dict[str, Decimal] = field(default_factory=dict)

    async def close(self, position: Position) -> Decimal:
        """Close it at market; how much of it is known to be filled. Less than all: look at the position again."""
        left, filled = abs(position.amount), Decimal(0)
        for _ in range(MOST_SLICES):
            quantity = self._slice(position.symbol, left)
            done = await self._send(position, quantity) if quantity else None
            if done is None:
                break
            filled, left = filled + done, left - done
            if done < quantity or not left:
                break
        return filled

    def _slice(self, symbol: str, left: Decimal) -> Decimal:
        """As much as one order may have."""
        lot = self.lots.get(symbol)
        limits = (self._most.get(symbol), None if lot is None else lot.most)
        most = min([left, *(one for one in limits if one is not None)])
        if lot is None or most == left:
            return most
        return (most / lot.step).to_integral_value(ROUND_DOWN) * lot.step

    async def _send(self, position: Position, quantity: Decimal) -> Decimal | None:
        """One slice; how much of it was filled, None where nobody can say or nothing can be sent now."""
        is_hedged, client_id = position.position_side != "BOTH", self.ids.next_id(position.symbol)
        order = NewOrder(
            symbol=position.symbol,
            side="SELL" if position.amount > 0 else "BUY",
            quantity=quantity,
            client_id=client_id,
            # The venue does not take the flag in hedge mode, where the side alone says that it closes.
            reduce_only=not is_hedged,
            position_side=position.position_side,
        )
        before_ms = self.clock.now_ms() + VALID_MS
        self.say("closing", order.symbol, client_id, quantity)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self.venue.place(order, before_ms)
        except (OutcomeUnknown, TimeoutError) as error:
            self.say("unknown", order.symbol, client_id, quantity, str(error) or "no answer")
            return await self._settled(order, before_ms)
        except OrderRefused as error:
            self._learn(order, error)
            self.say("refused", order.symbol, client_id, quantity, str(error))
        except (NotSent, RateLimited) as error:
            self.say("refused", order.symbol, client_id, quantity, str(error))
        else:
            return await self._finished(order, before_ms, answer.executed, answer.is_final)
        return None

    async def _finished(self, order: NewOrder, before_ms: int, executed: Decimal, is_final: bool) -> Decimal | None:
        if not is_final:
            return await self._settled(order, before_ms)
        self.say("closed", order.symbol, order.client_id, executed)
        return executed

    async def _settled(self, order: NewOrder, before_ms: int) -> Decimal | None:
        """What became of it, asked by its id. Not found yet: None, and nothing counts as settled before its window is over."""
        for _ in range(ASKS):
            await self.clock.sleep(ASK_SECONDS)
            try:
                async with asyncio.timeout(ASK_PATIENCE_SECONDS):
                    found = await self.venue.order(order.symbol, order.client_id)
            except (VenueError, TimeoutError) as error:
                self.say("unknown", order.symbol, order.client_id, words=str(error) or "no answer")
                continue
            if found is not None and found.is_final:
                self.say("closed", order.symbol, order.client_id, found.executed)
                return found.executed
        self.unsettled_until_ms = max(self.unsettled_until_ms, before_ms + MARGIN_MS)
        return None

    def _learn(self, order: NewOrder, error: OrderRefused) -> None:
        """Too large for the venue, whatever we have read of its limits: half of it next time."""
        if error.code not in TOO_LARGE:
            return
        lot = self.lots.get(order.symbol)
        half = order.quantity / 2
        if lot is not None:
            half = (half / lot.step).to_integral_value(ROUND_DOWN) * lot.step
        else:
            half = half.quantize(Decimal(1).scaleb(int(order.quantity.as_tuple().exponent)), ROUND_DOWN)
        if half > 0:
            self._most[order.symbol] = half
