"""Carries out one move at the venue and says what came of it, as facts. It decides nothing, and tries nothing twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from libs.exchanges.errors import RateLimited, VenueError
from libs.exchanges.pictures import algo_seen, execution_seen, order_seen
from libs.exchanges.trading import (
    AlgoState,
    Execution,
    NewConditional,
    NewOrder,
    NotSent,
    OrderRefused,
    OrderState,
    OutcomeUnknown,
    TradingVenue,
)
from libs.kit.durations import DAY_MS
from libs.trading.execution.decision import Ask, Cancel, Fetch, Place, conditional_kind
from libs.trading.execution.document import OurOrder, Trade
from libs.trading.execution.exposure import OPENING, attribute
from libs.trading.execution.facts import (
    Answered,
    Canceled,
    CancelRefused,
    Fact,
    FillsRead,
    FundingPaid,
    FundingRead,
    NeverSent,
    NotFound,
    PositionSeen,
    Refused,
    Unclear,
)
from libs.trading.execution.facts import RefusalVerdict as Verdict
from services.executor.ports import VenueTime

MOST_EXECUTIONS = 1000
REACH_MS = 7 * DAY_MS - 60_000
"""So far back a list of fills may begin (reference facts, 6)."""
FUNDING = "FUNDING_FEE"
"""The venue's word for such a line of its statement."""
EARLIER_MS = 1_000
"""A list of fills begins so much before the trade: our time of sending is not the venue's of filling."""
Errand = Place | Cancel | Ask | Fetch
Said = tuple[str, Fact]
"""A trade's id and what is known of it."""


@dataclass(slots=True)
class Sender:
    """One symbol at the venue. `names`: client ids of orders that are not in a document, by the venue's number; "" for one that
    it does not tell any more."""

    venue: TradingVenue
    clock: VenueTime
    symbol: str
    names: dict[int, str] = field(default_factory=dict)

    async def carry_out(self, errand: Errand, trades: Sequence[Trade]) -> list[Said]:
        """What came of it, with the trade that it is a fact of; nothing where a question was not answered. `trades`: of the
        symbol, those that the errand is for."""
        match errand:
            case Place(order):
                facts = [await self._place(order)]
            case Cancel(order):
                facts = [await self._cancel(order)]
            case Ask(order):
                facts = await self._asked(order)
            case Fetch("fills"):
                return await self._fills(trades)
            case Fetch("funding"):
                return await self._funding(trades)
            case Fetch():
                facts = await self._position()
        return [(trade.trade_id, fact) for trade in trades for fact in facts]

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
            working_type="MARK_PRICE" if order.working_type == "mark" else "CONTRACT_PRICE",
        )
        if order.callback_percent is None:
            conditional = replace(conditional, trigger_price=order.trigger)
        else:
            conditional = replace(conditional, activation_price=order.trigger, callback_percent=order.callback_percent)
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

    async def _fills(self, trades: Sequence[Trade]) -> list[Said]:
        """Every fill of the symbol since the trades began, told apart by whose they are."""
        asked_ms = self.clock.now_ms()
        try:
            seen = [execution_seen(one) for one in await self._executions(trades, asked_ms)]
            while (found := attribute(trades, seen, self.names)).unnamed:
                for number in found.unnamed:
                    order = await self.venue.order_by_number(self.symbol, number)
                    self.names[number] = order.client_id if order is not None else ""
        except VenueError:
            return []
        return [*found.facts, *((trade.trade_id, FillsRead(asked_ms)) for trade in trades)]

    async def _executions(self, trades: Sequence[Trade], asked_ms: int) -> list[Execution]:
        """Page by page, from the first fill that is known, else from the time at which the first order was meant."""
        known = [fill.trade_id for trade in trades for fill in trade.fills]
        begun = min((order.intended_ms for trade in trades for order in trade.orders), default=asked_ms) - EARLIER_MS
        found: list[Execution] = []
        if known and min(known) > OPENING:
            page = await self.venue.executions(self.symbol, from_id=min(known))
        else:
            page = await self.venue.executions(self.symbol, since_ms=max(begun, asked_ms - REACH_MS))
        while page:
            found += page
            if len(page) < MOST_EXECUTIONS:
                break
            page = await self.venue.executions(self.symbol, from_id=page[-1].trade_id + 1)
        return found

    async def _funding(self, trades: Sequence[Trade]) -> list[Said]:
        """Every line of the statement since the trades' first fills."""
        asked_ms = self.clock.now_ms()
        begun = {trade.trade_id: trade.times.first_fill_ms for trade in trades if trade.times.first_fill_ms}
        since_ms = max(min(begun.values(), default=asked_ms), asked_ms - REACH_MS)
        try:
            lines = await self.venue.income(since_ms, asked_ms)
        except VenueError:
            return []
        paid: list[Said] = [
            (trade_id, FundingPaid(line.transaction_id, -line.amount, line.time_ms))
            for line in lines
            for trade_id, begun_ms in begun.items()
            if line.kind == FUNDING and line.symbol == self.symbol and line.time_ms >= begun_ms
        ]
        return [*paid, *((trade.trade_id, FundingRead(asked_ms)) for trade in trades)]

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
