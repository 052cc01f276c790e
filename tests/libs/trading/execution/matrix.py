"""What may differ between an account and its books: each case with what is found and how it ends, once for all who reconcile.

The pure form is played by `test_reconciliation`; the same names are played against the simulator by the tests of the exchanges.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import msgspec

from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import TradeState
from libs.trading.execution.findings import FindingName
from libs.trading.execution.venue_facts import HeldTerms, PositionHeld
from tests.libs.trading.execution.scene import BTC, ELSEWHERE, ETH, HALF, ONE, PRICE, Scene, client_id

End = Literal["agreed", "symbol", "account"]
"""`agreed`: nothing is found any more; else what stays shut out, for a reason that has a name."""
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Case:
    """`found`: all findings on the way, beside those that wait for a second look. `trade`: what the trade is at the end, `left`:
    what it holds then; None: there is none."""

    name: str
    arrange: Callable[[Scene], None]
    found: frozenset[FindingName]
    end: End
    trade: TradeState | None = "open"
    left: Decimal = ONE


def _case(
    arrange: Callable[[Scene], None],
    *found: FindingName,
    end: End = "agreed",
    trade: TradeState | None = "open",
    left: Decimal = ONE,
) -> Case:
    return Case(arrange.__name__, arrange, frozenset(found), end, trade, left)


def nothing_differs(scene: Scene) -> None:
    scene.hold()


def missed_fill_of_a_target(scene: Scene) -> None:
    scene.hold()
    scene.fill_limit(client_id("signal-1", "take_profit_1"))


def missed_stop(scene: Scene) -> None:
    scene.hold()
    scene.trigger(client_id("signal-1", "stop"), ONE)


def stop_partly_filled(scene: Scene) -> None:
    scene.hold()
    scene.trigger(client_id("signal-1", "stop"), HALF, ONE)


def entry_partly_filled_then_canceled(scene: Scene) -> None:
    scene.enter("unknown", HALF)


def unknown_entry_found_filled(scene: Scene) -> None:
    scene.enter("unknown", ONE)


def intent_never_sent(scene: Scene) -> None:
    scene.enter("intended")


def closed_by_hand(scene: Scene) -> None:
    scene.hold()
    scene.execute(BTC, "SELL", ONE)


def half_closed_by_hand(scene: Scene) -> None:
    scene.hold()
    scene.execute(BTC, "SELL", HALF)


def liquidated_while_down(scene: Scene) -> None:
    scene.hold()
    scene.execute(BTC, "SELL", ONE, "autoclose-1763712000123")


def deleveraged_in_part(scene: Scene) -> None:
    scene.hold()
    scene.execute(BTC, "SELL", HALF, "adl_autoclose")


def settled_by_a_delisting(scene: Scene) -> None:
    scene.hold()
    for name in [*scene.orders, *scene.conditionals]:
        scene.drop(name, "expired")
    scene.execute(BTC, "SELL", ONE, "settlement_autoclose-77")
    scene.statuses[BTC] = "SETTLING"


def delisted_and_gone(scene: Scene) -> None:
    """The venue knows the symbol no more: no position, no list of fills."""
    settled_by_a_delisting(scene)
    scene.statuses[BTC] = "CLOSE"
    scene.unlisted.add(BTC)


def guard_closed(scene: Scene) -> None:
    scene.hold()
    scene.execute(BTC, "SELL", ONE, client_id("signal-1", "close", sender="guard", installation=ELSEWHERE))


def guard_placed_the_stop(scene: Scene) -> None:
    trade = scene.hold()
    own = client_id("signal-1", "stop")
    scene.drop(own, "rejected")
    scene.change(trade, own, status="rejected")
    scene.rest(BTC, client_id("signal-1", "stop", sender="guard", installation=ELSEWHERE), "SELL", PRICE - 12)


def stop_rejected(scene: Scene) -> None:
    trade = scene.hold()
    own = client_id("signal-1", "stop")
    scene.drop(own, "rejected")
    scene.change(trade, own, status="rejected")


def stop_cancelled_by_hand(scene: Scene) -> None:
    scene.hold()
    scene.drop(client_id("signal-1", "stop"), "canceled")


def target_cancelled_by_hand(scene: Scene) -> None:
    scene.hold()
    scene.drop(client_id("signal-1", "take_profit_2"), "canceled")


def external_position(scene: Scene) -> None:
    scene.execute(ETH, "BUY", ONE)


def external_position_ignored(scene: Scene) -> None:
    scene.config = LiveConfig(foreign_policy="ignore")
    external_position(scene)


def external_position_adopted(scene: Scene) -> None:
    scene.config = LiveConfig(foreign_policy="adopt")
    external_position(scene)


def external_position_adopted_with_its_stop(scene: Scene) -> None:
    external_position_adopted(scene)
    scene.rest(ETH, "my-own-stop", "SELL", PRICE - 3)


def somebody_adds(scene: Scene) -> None:
    scene.hold()
    scene.execute(BTC, "BUY", HALF)


def somebody_adds_and_takes_back(scene: Scene) -> None:
    scene.hold()
    scene.execute(BTC, "BUY", HALF)
    scene.execute(BTC, "SELL", HALF)


def side_flip(scene: Scene) -> None:
    scene.hold()
    scene.execute(BTC, "SELL", 2 * ONE)


def hedge_legs(scene: Scene) -> None:
    scene.is_hedged = True
    scene.legs = [PositionHeld(BTC, ONE, PRICE, PRICE, leg="LONG"), PositionHeld(BTC, -ONE, PRICE, PRICE, leg="SHORT")]


def hedge_mode_while_flat(scene: Scene) -> None:
    scene.is_hedged = True


def multi_assets_mode(scene: Scene) -> None:
    scene.is_multi_assets = True


def ten_days_old_position(scene: Scene) -> None:
    """Its fills are older than the venue tells by time; by their numbers they are still told."""
    scene.hold()
    scene.now_ms += 10 * DAY_MS
    scene.fill_limit(client_id("signal-1", "take_profit_1"))


def fills_out_of_reach(scene: Scene) -> None:
    scene.hold()
    scene.now_ms += 100 * DAY_MS
    scene.execute(BTC, "SELL", HALF)
    scene.unlisted.add(BTC)


def empty_database(scene: Scene) -> None:
    scene.hold()
    scene.trades.clear()


def empty_database_adopted(scene: Scene) -> None:
    """The lost trade's stop is taken over; its targets are nobody's."""
    scene.config = LiveConfig(foreign_policy="adopt")
    empty_database(scene)


def empty_database_while_flat(scene: Scene) -> None:
    scene.hold()
    scene.execute(BTC, "SELL", ONE)
    scene.trades.clear()


def stale_database(scene: Scene) -> None:
    """The books are of before the stop was moved: another generation rests than they know."""
    scene.hold()
    scene.drop(client_id("signal-1", "stop"), "canceled")
    scene.rest(BTC, client_id("signal-1", "stop", 1), "SELL", PRICE - 5)


def stale_database_without_the_entry(scene: Scene) -> None:
    """The books are of before anything was sent: the entry was filled, and the stop rests."""
    trade = scene.hold()
    scene.trades[trade.trade_id] = msgspec.structs.replace(trade, state="entering", orders=(), fills=())


def orphaned_exits_of_a_flat_symbol(scene: Scene) -> None:
    scene.ended.add("signal-0")
    scene.rest(BTC, client_id("signal-0", "stop"), "SELL", PRICE - 10)
    scene.rest_limit(BTC, client_id("signal-0", "take_profit_2"), "SELL", HALF, PRICE + 20)


def orphaned_exit_beside_another_trade(scene: Scene) -> None:
    scene.hold()
    scene.ended.add("signal-0")
    scene.rest(BTC, client_id("signal-0", "bridge"), "SELL", PRICE - 4, HALF)


def orders_of_another_installation(scene: Scene) -> None:
    scene.rest(ETH, client_id("signal-9", "stop", installation=ELSEWHERE), "SELL", PRICE - 10)


def foreign_order(scene: Scene) -> None:
    scene.rest_limit(ETH, "mine-by-hand", "BUY", ONE, PRICE - 20)


def foreign_stop_beside_ours(scene: Scene) -> None:
    scene.hold()
    scene.rest(BTC, "my-own-stop", "SELL", PRICE - 3, HALF)


def foreign_stop_in_place_of_ours(scene: Scene) -> None:
    """It closes the position, so that the venue takes none of ours beside it: the trade takes it over."""
    trade = scene.hold()
    own = client_id("signal-1", "stop")
    scene.drop(own, "canceled")
    scene.change(trade, own, status="canceled")
    scene.rest(BTC, "my-own-stop", "SELL", PRICE - 3)


def wrong_leverage(scene: Scene) -> None:
    scene.hold()
    scene.terms[BTC] = HeldTerms(50, "CROSSED")


def wrong_margin_type(scene: Scene) -> None:
    scene.hold()
    scene.terms[BTC] = HeldTerms(5, "ISOLATED")


def stale_positions(scene: Scene) -> None:
    """One look is told an old list of positions."""
    scene.hold()
    scene.stale = {}


CASES: tuple[Case, ...] = (
    _case(nothing_differs),
    _case(missed_fill_of_a_target, "missed_fill", "order_missing", left=HALF),
    _case(missed_stop, "missed_fill", "order_missing", trade=None),
    _case(stop_partly_filled, "missed_fill", "order_missing", "stop_missing", left=HALF),
    _case(entry_partly_filled_then_canceled, "missed_fill", "stop_missing", left=HALF),
    _case(unknown_entry_found_filled, "missed_fill", "stop_missing"),
    _case(intent_never_sent, trade="entering", left=ONE - ONE),
    _case(closed_by_hand, "closed_by_hand", trade=None),
    _case(half_closed_by_hand, "closed_by_hand", left=HALF),
    _case(liquidated_while_down, "liquidated", trade=None),
    _case(deleveraged_in_part, "deleveraged", left=HALF),
    _case(settled_by_a_delisting, "settled", "order_missing", "symbol_not_trading", trade=None),
    _case(
        delisted_and_gone,
        "fills_out_of_reach",
        "order_missing",
        "stop_missing",
        "symbol_not_trading",
        trade=None,
    ),
    _case(guard_closed, "guard_acted", trade=None),
    _case(guard_placed_the_stop, "order_taken_over", "stop_missing"),
    _case(stop_rejected, "stop_missing"),
    _case(stop_cancelled_by_hand, "order_missing", "stop_missing"),
    _case(target_cancelled_by_hand, "order_missing"),
    _case(external_position, "foreign_position", end="account", trade=None),
    _case(external_position_ignored, "foreign_position", end="symbol", trade=None),
    _case(external_position_adopted, "foreign_position", "stop_missing"),
    _case(external_position_adopted_with_its_stop, "foreign_position", "foreign_order"),
    _case(somebody_adds, "position_larger", end="account"),
    _case(somebody_adds_and_takes_back),
    _case(side_flip, "closed_by_hand", "side_flipped", "foreign_position", end="account", trade=None),
    _case(hedge_legs, "hedge_mode", end="account", trade=None),
    _case(hedge_mode_while_flat, "hedge_mode", end="account", trade=None),
    _case(multi_assets_mode, "multi_assets_mode", end="account", trade=None),
    _case(ten_days_old_position, "missed_fill", "order_missing", left=HALF),
    _case(fills_out_of_reach, "fills_out_of_reach", end="account"),
    _case(empty_database, "books_lost", end="account", trade=None),
    _case(empty_database_adopted, "books_lost", "orphaned_order"),
    _case(empty_database_while_flat, "orphaned_order", trade=None),
    _case(stale_database, "order_missing", "order_taken_over", "stop_missing"),
    _case(stale_database_without_the_entry, "missed_fill", "order_taken_over"),
    _case(orphaned_exits_of_a_flat_symbol, "orphaned_order", trade=None),
    _case(orphaned_exit_beside_another_trade, "orphaned_order"),
    _case(orders_of_another_installation, "other_installation", end="account", trade=None),
    _case(foreign_order, "foreign_order", end="account", trade=None),
    _case(foreign_stop_beside_ours, "foreign_stop", end="account"),
    _case(foreign_stop_in_place_of_ours, "order_taken_over", "stop_missing"),
    _case(wrong_leverage, "wrong_leverage", end="symbol"),
    _case(wrong_margin_type, "wrong_margin_type", end="symbol"),
    _case(stale_positions),
)
