"""The matrix of reconciliation at a simulated venue: what happened there while no executor lived, one symbol a case."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import msgspec

from libs.exchanges.trading import NewConditional, NewOrder
from libs.store.live_rows import packed
from libs.trading.execution.client_ids import (
    ACCOUNT_LETTERS,
    INSTALLATION_LETTERS,
    SIGNAL_LETTERS,
    Leg,
    OrderTag,
    Sender,
    letters_of,
)
from libs.trading.execution.document import OurOrder, Trade
from libs.trading.execution.entry import EntryTerms, Naming, entered
from libs.trading.execution.facts import Sending
from libs.trading.execution.folds import fold
from libs.trading.execution.wish import EntryWish, wish_of
from services.exchange_simulator.private.house import House
from services.exchange_simulator.trading import commands
from services.exchange_simulator.trading.orders import OrderRequest
from services.exchange_simulator.trading.quotes import Level
from tests.services.executor.floor import ACCOUNT, Floor

HALF = Decimal("0.5")
MUCH = Decimal(1_000_000)
INSTALLATION = "installation"
NUMBER = 100_000
"""Of a signal that no executor was given."""


@dataclass
class Scene:
    """One symbol; `trade` as the executor left it, None where the case begins without one; a case may bring one of its own."""

    at: Floor
    symbol: str
    trade: Trade | None

    @property
    def held(self) -> Trade:
        assert self.trade is not None
        return self.trade

    @property
    def quantity(self) -> Decimal:
        return self.held.quantity

    @property
    def price(self) -> Decimal:
        return self.at.price(self.symbol)

    def order(self, leg: Leg) -> OurOrder:
        """The newest of that leg: on a busy machine a first try of it may have come too late."""
        return [order for order in self.held.orders if order.leg == leg][-1]

    def part(self, share: Decimal) -> Decimal:
        """A share of the position, on a step."""
        assert self.held.rules is not None
        step = self.held.rules.quantity_step
        return (self.quantity * share / step).to_integral_value() * step

    async def by_hand(self, side: str, quantity: Decimal, **more: object) -> None:
        given = {"symbol": self.symbol, "side": side, "quantity": str(quantity)} | more
        await self.at.venue.fault("outside_order", **given)

    @property
    def house(self) -> House:
        """The venue itself."""
        private = self.at.venue.simulation.private
        assert private is not None
        return private.house

    def shown(self) -> Level:
        """The price at which one can buy now, and how much of it."""
        return self.house.exchange.quote(self.symbol, self.house.now_ms()).ask

    async def force(self, kind: type[Any], **fields: object) -> None:
        """Something that the venue does to the account, at once."""
        self.house.do(kind(at=self.house.now_ms(), **({"account": ACCOUNT} | fields)))

    def name(self, leg: Leg, sender: Sender = "executor", *, trade: str = "", here: bool = True) -> str:
        """An id of our form."""
        letters = letters_of(INSTALLATION if here else "elsewhere", INSTALLATION_LETTERS)
        about = letters_of(trade or self.held.trade_id, SIGNAL_LETTERS)
        return OrderTag(sender, letters_of(ACCOUNT, ACCOUNT_LETTERS), letters, about, leg, 7).client_id()

    async def stop(self, name: str, quantity: Decimal | None, below: str = "0.9") -> None:
        """A stop that somebody places; without a quantity it closes the position."""
        trigger = self.at.tick(self.symbol, self.price * Decimal(below))
        order = NewConditional(self.symbol, "SELL", "STOP_MARKET", name, trigger, quantity, quantity is not None)
        await self.at.account.trading.place_conditional(order)

    def entering(self, quantity: Decimal) -> Trade:
        """Books of the instant at which a long entry of about that was sent."""
        now_ms, price = self.at.account.clock.now_ms(), self.price
        config = self.at.config.model_copy(update={"max_notional": MUCH, "risk_per_trade": MUCH})
        levels = {"stop_loss": price * Decimal("0.95"), "take_profit_1": price * Decimal("1.1")}
        levels["take_profit_2"] = price * Decimal("1.2")
        signal = self.at.signal(NUMBER, symbol=self.symbol, price=price, **levels)
        wish = wish_of(signal, config, now_ms)
        assert isinstance(wish, EntryWish), wish
        wanted = replace(wish, risk=quantity * (price - wish.bracket.stop))
        terms = EntryTerms(self.at.filters(self.symbol), price, MUCH)
        meant = entered(wanted, config, terms, Naming(ACCOUNT, INSTALLATION), now_ms)
        assert isinstance(meant, Trade), meant
        return fold(meant, Sending(meant.orders[0].client_id, now_ms + 2_000, now_ms))

    def rewrite(self, trade: Trade | None) -> None:
        """Other books than there were."""
        trade_id = self.held.trade_id
        if trade is None:
            del self.at.database.trades[trade_id]
        else:
            self.at.database.trades[trade_id] = packed(trade)


async def nothing_differs(scene: Scene) -> None:
    """Nothing happens."""


async def missed_fill_of_a_target(scene: Scene) -> None:
    await scene.force(commands.FillOrder, order_id=scene.order("take_profit_1").venue_id)


async def missed_stop(scene: Scene) -> None:
    await scene.force(commands.TriggerAlgo, algo_id=scene.order("stop").venue_id)


async def stop_partly_filled(scene: Scene) -> None:
    await scene.force(commands.SetTriggeredShare, account="", share=HALF)
    await missed_stop(scene)
    await scene.force(commands.SetTriggeredShare, account="", share=Decimal(1))


async def closed_by_hand(scene: Scene) -> None:
    await scene.by_hand("SELL", scene.quantity, reduce_only=True)


async def half_closed_by_hand(scene: Scene) -> None:
    await scene.by_hand("SELL", scene.part(HALF), reduce_only=True)


async def liquidated_while_down(scene: Scene) -> None:
    await scene.at.venue.fault("forced_close", symbol=scene.symbol, reason="liquidation")


async def deleveraged_in_part(scene: Scene) -> None:
    await scene.at.venue.fault("forced_close", symbol=scene.symbol, reason="adl", share="0.5")


async def settled_by_a_delisting(scene: Scene) -> None:
    await scene.at.venue.fault("delisting", symbols=[scene.symbol])


async def guard_closed(scene: Scene) -> None:
    name = scene.name("close", "guard")
    order = NewOrder(scene.symbol, "SELL", scene.quantity, name, reduce_only=True)
    await scene.at.account.trading.place(order)


async def guard_placed_the_stop(scene: Scene) -> None:
    await stop_cancelled_by_hand(scene)
    await scene.stop(scene.name("stop", "guard"), None)


async def stop_cancelled_by_hand(scene: Scene) -> None:
    await scene.at.account.trading.cancel_conditional(scene.order("stop").client_id)


async def target_cancelled_by_hand(scene: Scene) -> None:
    await scene.at.account.trading.cancel(scene.symbol, scene.order("take_profit_2").client_id)


async def external_position(scene: Scene) -> None:
    await scene.by_hand("BUY", scene.at.least(scene.symbol, scene.price))


async def somebody_adds(scene: Scene) -> None:
    await scene.by_hand("BUY", scene.part(HALF))


async def somebody_adds_and_takes_back(scene: Scene) -> None:
    await scene.by_hand("BUY", scene.part(HALF))
    await scene.by_hand("SELL", scene.part(HALF))


async def side_flip(scene: Scene) -> None:
    await scene.at.venue.fault("position_flip", symbol=scene.symbol)


async def empty_database(scene: Scene) -> None:
    scene.rewrite(None)


async def empty_database_while_flat(scene: Scene) -> None:
    await closed_by_hand(scene)
    scene.rewrite(None)


async def unknown_entry_found_filled(scene: Scene) -> None:
    await scene.at.account.trading.cancel_conditional(scene.order("stop").client_id)
    for leg in ("take_profit_1", "take_profit_2"):
        await scene.at.account.trading.cancel(scene.symbol, scene.order(leg).client_id)
    await stale_database_without_the_entry(scene)


async def stale_database_without_the_entry(scene: Scene) -> None:
    """The books are of the instant at which the entry was sent; everything stands at the venue."""
    sent = msgspec.structs.replace(
        scene.order("entry"), status="submitting", executed=Decimal(0), venue_id=None, updated_ms=0
    )
    scene.rewrite(
        msgspec.structs.replace(
            scene.held, state="entering", orders=(sent,), fills=(), initial_risk=None, fills_read_ms=0
        )
    )


async def stale_database(scene: Scene) -> None:
    """The books are of before the stop was moved: another one rests than they know."""
    await stop_cancelled_by_hand(scene)
    await scene.stop(scene.name("stop"), None, "0.93")


async def entry_partly_filled_then_canceled(scene: Scene) -> None:
    """The books are of the instant at which the entry was sent: half of it found somebody to sell, the rest was canceled."""
    shown = scene.shown()
    trade = scene.trade = scene.entering(2 * shown.quantity)
    entry = trade.orders[0]
    request = OrderRequest(scene.symbol, "BUY", "BOTH", "LIMIT", trade.quantity, shown.price, "IOC")
    # In the very instant in which so much was shown.
    await scene.force(commands.PlaceOrder, request=replace(request, client_id=entry.client_id))
    scene.rewrite(trade)


async def orphaned_exits_of_a_flat_symbol(scene: Scene) -> None:
    await scene.stop(scene.name("bridge", trade="signal-of-last-week"), scene.at.least(scene.symbol, scene.price))


async def orphaned_exit_beside_another_trade(scene: Scene) -> None:
    await scene.stop(scene.name("bridge", trade="signal-of-last-month"), scene.part(HALF))


async def orders_of_another_installation(scene: Scene) -> None:
    name = scene.name("bridge", trade="signal-of-others", here=False)
    await scene.stop(name, scene.at.least(scene.symbol, scene.price))


async def foreign_order(scene: Scene) -> None:
    price = scene.at.tick(scene.symbol, scene.price * Decimal("0.98"))
    await scene.by_hand("BUY", 2 * scene.at.least(scene.symbol, scene.price), price=str(price))


async def foreign_stop_beside_ours(scene: Scene) -> None:
    await scene.stop("my-own-stop", scene.part(HALF), "0.92")


async def foreign_stop_in_place_of_ours(scene: Scene) -> None:
    await stop_cancelled_by_hand(scene)
    await scene.stop("my-own-closing-stop", None, "0.93")


async def wrong_leverage(scene: Scene) -> None:
    await scene.at.venue.fault("outside_settings", symbol=scene.symbol, leverage=3)


MEDDLING: tuple[Callable[[Scene], Awaitable[None]], ...] = (
    nothing_differs,
    missed_fill_of_a_target,
    missed_stop,
    stop_partly_filled,
    closed_by_hand,
    half_closed_by_hand,
    liquidated_while_down,
    deleveraged_in_part,
    settled_by_a_delisting,
    guard_closed,
    guard_placed_the_stop,
    stop_cancelled_by_hand,
    target_cancelled_by_hand,
    external_position,
    somebody_adds,
    side_flip,
    empty_database,
    empty_database_while_flat,
    unknown_entry_found_filled,
    stale_database_without_the_entry,
    stale_database,
    entry_partly_filled_then_canceled,
    somebody_adds_and_takes_back,
    orphaned_exits_of_a_flat_symbol,
    orphaned_exit_beside_another_trade,
    orders_of_another_installation,
    foreign_order,
    foreign_stop_beside_ours,
    foreign_stop_in_place_of_ours,
    wrong_leverage,
)
"""Each by the name of its case in the pure matrix."""
WITHOUT_TRADE = frozenset(
    {
        "entry_partly_filled_then_canceled",
        "external_position",
        "orphaned_exits_of_a_flat_symbol",
        "orders_of_another_installation",
        "foreign_order",
    }
)
