"""Carries out one move at the venue and says what came of it, as facts. It decides nothing, and tries nothing twice."""

from dataclasses import dataclass, replace
from decimal import Decimal

from libs.exchanges.errors import RateLimited, VenueError
from libs.exchanges.trading import (
    AlgoState,
    NewConditional,
    NewOrder,
    NotSent,
    OrderRefused,
    OrderState,
    OutcomeUnknown,
    TradingVenue,
)
from libs.trading.execution.decision import Ask, Cancel, Fetch, Place, conditional_kind
from libs.trading.execution.document import OurOrder
from libs.trading.execution.facts import (
    Answered,
    Canceled,
    CancelRefused,
    Fact,
    Filled,
    FillsRead,
    NeverSent,
    NotFound,
    PositionSeen,
    Refused,
    Unclear,
)
from libs.trading.execution.facts import RefusalVerdict as Verdict
from services.executor.ports import VenueTime
from services.executor.seeing import algo_seen, execution_seen, order_seen

MOST_EXECUTIONS = 1000
Errand = Place | Cancel | Ask | Fetch


@dataclass(frozen=True, slots=True)
class Sender:
    """One symbol at the venue."""

    venue: TradingVenue
    clock: VenueTime
    symbol: str

    async def carry_out(self, errand: Errand, from_id: int | None = None) -> list[Fact]:
        """What came of it; nothing where a question was not answered. `from_id`: the first fill that `Fetch` reads."""
        match errand:
            case Place(order):
                return [await self._place(order)]
            case Cancel(order):
                return [await self._cancel(order)]
            case Ask(order):
                return await self._asked(order)
            case Fetch(subject):
                return await (self._fills(from_id) if subject == "fills" else self._position())

    async def _place(self, order: OurOrder) -> Fact:
        now_ms, name = self.clock.now_ms, order.client_id
        try:
            state = await self._send(order)
        except (NotSent, RateLimited):
            return NeverSent(name, now_ms())
        except OrderRefused as error:
            return Refused(name, _verdict(error), error.code or None, error.said, now_ms())
        except OutcomeUnknown:
            return Unclear(name, now_ms())
        return _answered(name, state, now_ms())

    async def _send(self, order: OurOrder) -> OrderState | AlgoState:
        if order.trigger is None and order.callback_percent is None:
            assert order.quantity is not None, "only a conditional order closes whatever there is"
            plain = NewOrder(
                self.symbol,
                order.side,
                order.quantity,
                order.client_id,
                price=order.price,
                reduce_only=order.reduce_only,
            )
            return await self.venue.place(plain, order.valid_until_ms)
        conditional = NewConditional(
            self.symbol,
            order.side,
            conditional_kind(order),
            order.client_id,
            quantity=order.quantity,
            reduce_only=order.reduce_only and order.quantity is not None,
        )
        if order.callback_percent is None:
            conditional = replace(conditional, trigger_price=order.trigger)
        else:
            conditional = replace(
                conditional, activation_price=order.trigger, callback_percent=order.callback_percent
            )
        return await self.venue.place_conditional(conditional, order.valid_until_ms)

    async def _cancel(self, order: OurOrder) -> Fact:
        """One that was triggered is cancelled as the order that it became, which the venue knows by its number only."""
        now_ms, name = self.clock.now_ms, order.client_id
        try:
            if order.is_conditional and order.order_id is None:
                await self.venue.cancel_conditional(name)
                return Canceled(name, now_ms())
            if (became := await self._name_at_venue(order)) is None:
                return CancelRefused(name, "gone", "there is no such order", now_ms())
            return _answered(name, await self.venue.cancel(self.symbol, became), now_ms())
        except OrderRefused as error:
            return CancelRefused(name, _verdict(error), error.said, now_ms())
        except (OutcomeUnknown, NotSent, VenueError):
            return Unclear(name, now_ms())

    async def _name_at_venue(self, order: OurOrder) -> str | None:
        if not order.is_conditional or order.order_id is None:
            return order.client_id
        found = await self.venue.order_by_number(self.symbol, order.order_id)
        return None if found is None else found.client_id

    async def _asked(self, order: OurOrder) -> list[Fact]:
        name, asked_ms = order.client_id, self.clock.now_ms()
        try:
            found: OrderState | AlgoState | None
            if order.is_conditional and order.order_id is None:
                found = await self.venue.conditional(name)
            elif order.order_id is not None:
                found = await self.venue.order_by_number(self.symbol, order.order_id)
            else:
                found = await self.venue.order(self.symbol, name)
        except VenueError:
            return []
        return [NotFound(name, asked_ms) if found is None else _answered(name, found, self.clock.now_ms())]

    async def _fills(self, from_id: int | None) -> list[Fact]:
        """All of them from there on, page by page; only the last page says that nothing is missing."""
        facts: list[Fact] = []
        while True:
            asked_ms = self.clock.now_ms()
            try:
                page = await self.venue.executions(self.symbol, from_id=from_id)
            except VenueError:
                return facts
            facts += [Filled(execution_seen(one)) for one in page]
            if len(page) < MOST_EXECUTIONS:
                return [*facts, FillsRead(asked_ms)]
            from_id = page[-1].trade_id + 1

    async def _position(self) -> list[Fact]:
        asked_ms = self.clock.now_ms()
        try:
            found = await self.venue.positions(self.symbol)
        except VenueError:
            return []
        return [PositionSeen(sum((one.amount for one in found), Decimal(0)), asked_ms)]


def _answered(client_id: str, state: OrderState | AlgoState, at_ms: int) -> Answered:
    """Of our order, also where the venue knows the one that it became by another id."""
    seen = order_seen(state) if isinstance(state, OrderState) else algo_seen(state)
    return Answered(client_id, replace(seen, client_id=client_id), at_ms)


def _verdict(error: OrderRefused) -> Verdict:
    assert error.verdict != "unknown", "that is no refusal"
    return error.verdict
