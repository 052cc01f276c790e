"""Looks at an account: from the port's answers to the plain values that books are compared with, each with when it was asked."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from libs.exchanges.errors import VenueError
from libs.exchanges.trading import AlgoState, Execution, OrderState, Position, TradingVenue
from libs.trading.execution.facts import AlgoSeen, ExecutionSeen, OrderSeen, algo_status, order_status
from libs.trading.execution.reconciliation import FindingKey, OurSide, Reconciled, reconcile
from libs.trading.execution.venue_facts import (
    FillList,
    FillsWanted,
    HeldTerms,
    OpenConditional,
    OpenOrder,
    PositionHeld,
    VenuePicture,
    Wanted,
)

PAGE = 1000
MOST_PAGES = 20
MOST_ROUNDS = 4
STOPS = frozenset({"STOP", "STOP_MARKET", "TRAILING_STOP_MARKET"})
PLAIN = frozenset({"LIMIT", "MARKET"})
QUOTE_ASSETS = frozenset({"USDT", "USDC", "BUSD", "FDUSD"})
"""Assets in which contracts are quoted: a fee in one of them is its own worth."""
MOST_LISTS = 40
"""From so many symbols on the one list of all orders is cheaper (40) than one list each (reference facts, 6)."""
Resting = TypeVar("Resting", OrderState, AlgoState)


def order_seen(state: OrderState) -> OrderSeen:
    """An order of an answer, a list, a query or the user stream."""
    return OrderSeen(
        client_id=state.client_id,
        order_id=state.order_id,
        side=state.side,
        status=order_status(state.status),
        quantity=state.quantity,
        executed=state.executed,
        price=state.price or None,
        reduce_only=state.reduce_only,
        close_position=state.close_position,
        updated_ms=state.updated_ms,
    )


def algo_seen(state: AlgoState) -> AlgoSeen:
    """A conditional order of an answer, a list, a query or the user stream."""
    return AlgoSeen(
        client_id=state.client_id,
        algo_id=state.algo_id,
        side=state.side,
        status=algo_status(state.status),
        quantity=state.quantity,
        trigger=state.trigger_price,
        close_position=state.close_position,
        reduce_only=state.reduce_only,
        order_id=state.order_id,
        executed=state.executed,
        updated_ms=state.updated_ms,
        reason=state.reason,
        working_type="mark" if state.working_type == "MARK_PRICE" else "last",
    )


def execution_seen(execution: Execution, client_id: str = "") -> ExecutionSeen:
    """A fill; `client_id` where the user stream said it. A fee in a quote asset is worth itself, another one has to be valued."""
    known = not execution.fee or execution.fee_asset in QUOTE_ASSETS
    return ExecutionSeen(
        trade_id=execution.trade_id,
        order_id=execution.order_id,
        side=execution.side,
        price=execution.price,
        quantity=execution.quantity,
        fee=execution.fee,
        fee_asset=execution.fee_asset,
        fee_quote=execution.fee if known else None,
        realised=execution.realised,
        is_maker=execution.is_maker,
        time_ms=execution.time_ms,
        client_id=client_id,
    )


def position_held(position: Position) -> PositionHeld:
    """A position of a list; no liquidation price is written as 0."""
    return PositionHeld(
        symbol=position.symbol,
        amount=position.amount,
        entry_price=position.entry_price,
        mark_price=position.mark_price,
        liquidation_price=position.liquidation_price if position.liquidation_price > 0 else None,
        leg=position.position_side,
    )


@dataclass(frozen=True, slots=True)
class AccountView:
    """Looks at one account. `now_ms`: the venue's clock. `statuses`: the venue's words for symbols, as far as they are known.

    A look costs 85 of request weight, one `among` some symbols 5 and 2 for each of them, with `all_conditionals` 45 and 1 for
    each; a thorough one 10 more and 5 for each symbol that is held. Raises what questions of the port raise.
    """

    venue: TradingVenue
    now_ms: Callable[[], int]
    statuses: Callable[[], Mapping[str, str]] = field(default=dict)

    async def compare(
        self,
        ours: Callable[[], OurSide],
        suspected: Mapping[FindingKey, int],
        *,
        thorough: bool = False,
        among: Collection[str] | None = None,
        all_conditionals: bool = False,
    ) -> Reconciled:
        """Look, and ask for what a comparison wants until it wants nothing. `ours` is read when all is asked: what was heard
        meanwhile is in it. `among`, `all_conditionals`: as for `picture`."""
        picture = await self.picture(thorough=thorough, among=among, all_conditionals=all_conditionals)
        found = reconcile(ours(), picture, suspected, thorough=thorough)
        for _ in range(MOST_ROUNDS):
            if found.wanted.is_nothing:
                break
            picture = await self.completed(picture, found.wanted)
            found = reconcile(ours(), picture, suspected, thorough=thorough)
        return found

    async def picture(
        self, *, thorough: bool = False, among: Collection[str] | None = None, all_conditionals: bool = False
    ) -> VenuePicture:
        """One look: orders before positions, so that an order that fills between the two is missed by neither. `thorough`: with
        the account's modes, and leverage and margin type of what is held. `among`: only of these symbols orders are read, and of
        those that the list of positions names, as it does where anything rests that is not conditional (reference facts, 6.4);
        None: of all. `all_conditionals`: conditional orders are read of all symbols all the same: nothing names theirs."""
        waiting_in = None if all_conditionals else among
        orders_ms, orders = self.now_ms(), await self._listed(self.venue.open_orders, among)
        conditionals_ms, conditionals = self.now_ms(), await self._listed(self.venue.open_conditionals, waiting_in)
        positions_ms, positions = self.now_ms(), await self.venue.positions()
        if among is not None and (others := {one.symbol for one in positions}.difference(among)):
            orders += await self._listed(self.venue.open_orders, others)
            if not all_conditionals:
                conditionals += await self._listed(self.venue.open_conditionals, others)
        found = VenuePicture(
            positions=tuple(position_held(one) for one in positions if one.amount),
            positions_ms=positions_ms,
            orders=tuple(_open_order(one) for one in orders),
            orders_ms=orders_ms,
            conditionals=tuple(OpenConditional(one.symbol, algo_seen(one), one.kind in STOPS) for one in conditionals),
            conditionals_ms=conditionals_ms,
            statuses=self.statuses(),
        )
        return await self._with_terms(found) if thorough else found

    async def _listed(
        self, ask: Callable[[str | None], Awaitable[Sequence[Resting]]], among: Collection[str] | None
    ) -> list[Resting]:
        if among is None or len(among) >= MOST_LISTS:
            return list(await ask(None))
        found = await asyncio.gather(*(ask(symbol) for symbol in sorted(among)), return_exceptions=True)
        failures = [one for one in found if isinstance(one, BaseException)]
        if any(type(one) is VenueError for one in failures):  # a symbol that the venue does not know any more
            return list(await ask(None))
        if failures:
            raise failures[0]
        return [row for rows in found if not isinstance(rows, BaseException) for row in rows]

    async def _with_terms(self, picture: VenuePicture) -> VenuePicture:
        terms = await self.venue.account_terms()
        held = {one.symbol: await self.venue.symbol_terms(one.symbol) for one in picture.positions}
        return replace(
            picture,
            is_hedged=terms.is_hedged,
            is_multi_assets=terms.is_multi_assets,
            terms={name: HeldTerms(one.leverage, one.margin_type) for name, one in held.items()},
        )

    async def completed(self, picture: VenuePicture, wanted: Wanted) -> VenuePicture:
        """The same look with the fills and the names of orders that were wanted."""
        fills = {one.symbol: await self._fills(one) for one in wanted.fills}
        names = {(symbol, number): await self._name(symbol, number) for symbol, number in wanted.names}
        return replace(picture, fills={**picture.fills, **fills}, names={**picture.names, **names})

    async def _name(self, symbol: str, number: int) -> str:
        """The client id of an order; "" for one that the venue does not tell any more."""
        found = await self.venue.order_by_number(symbol, number)
        return found.client_id if found is not None else ""

    async def _fills(self, wanted: FillsWanted) -> FillList:
        """Page after page. A symbol that the venue does not know any more has no list; the rest is left to the positions."""
        asked_ms = self.now_ms()
        found: list[ExecutionSeen] = []
        try:
            page = await self._first_page(wanted)
            for _ in range(MOST_PAGES):
                found += [execution_seen(one) for one in page]
                if len(page) < PAGE:
                    return FillList(tuple(found), asked_ms)
                page = await self.venue.executions(wanted.symbol, from_id=page[-1].trade_id + 1)
        except VenueError as error:
            if type(error) is not VenueError:
                raise
        return FillList(tuple(found), asked_ms, is_whole=False)

    def _first_page(self, wanted: FillsWanted) -> Awaitable[Sequence[Execution]]:
        if wanted.from_id is not None:
            return self.venue.executions(wanted.symbol, from_id=wanted.from_id)
        return self.venue.executions(wanted.symbol, since_ms=wanted.since_ms)


def _open_order(state: OrderState) -> OpenOrder:
    return OpenOrder(state.symbol, order_seen(state), state.original_kind not in PLAIN)
