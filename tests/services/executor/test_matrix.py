"""The reconciliation matrix with the real executor: it is killed, much happens, and it comes back to thirty symbols."""

import time
from decimal import Decimal
from functools import partial
from pathlib import Path

from libs.trading.execution.document import Trade
from libs.trading.execution.exposure import held_of
from services.exchange_simulator.symbols import generated_symbols
from tests.libs.trading.execution.matrix import CASES, Case
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import CONFIG, Executing, Floor, floor, until
from tests.services.executor.meddling import MEDDLING, WITHOUT_TRADE, Scene
from tests.services.processes import eventually

CASE_OF: dict[str, Case] = {case.name: case for case in CASES}
SYMBOL_OF = dict(zip((one.__name__ for one in MEDDLING), generated_symbols(len(MEDDLING)), strict=True))
LONGEST_SECONDS = 10.0
PACE_SECONDS = 10.0
"""As in a process: so many symbols, compared every two seconds, use up the request budget where everything takes long."""
AT_BREAK_EVEN = ({"take_profit_1", "break_even"}, {"take_profit_1", "close"})
# What the executor may have asked for, booked or mended before a comparison could see it.
PASSING = frozenset({"missed_fill", "order_missing", "stop_missing", "order_taken_over", "orphaned_order"})
# At the venue too, but in tests of their own: the whole account is changed, or the time, or the executor dies in between.
ALONE = frozenset(
    {
        "hedge_legs",
        "hedge_mode_while_flat",
        "multi_assets_mode",
        "external_position_adopted",
        "ten_days_old_position",
        "stop_rejected",
    }
)
# Other ends of cases that are played, and what the simulator does not do: forget a symbol, or a fill within months.
PURE = frozenset(
    {
        "intent_never_sent",
        "delisted_and_gone",
        "external_position_ignored",
        "external_position_adopted_with_its_stop",
        "fills_out_of_reach",
        "empty_database_adopted",
        "wrong_margin_type",
        "stale_positions",
    }
)
WIDE = CONFIG.model_copy(
    update={"risk_per_trade": Decimal(25), "max_positions": 100, "leverage": 20, "max_price_gap_bps": Decimal(1_000)}
)


def findings(at: Floor, symbol: str) -> set[str]:
    """What was found in the symbol."""
    events = at.database.events.values()
    return {one.kind.removeprefix("found:") for one in events if one.detail.get("symbol") == symbol}


async def enter_all(at: Floor, one: Executing) -> dict[str, Trade]:
    return {
        name: await entered(at, one, number, symbol)
        for number, (name, symbol) in enumerate(SYMBOL_OF.items())
        if name not in WITHOUT_TRADE
    }


async def entered(at: Floor, one: Executing, number: int, symbol: str) -> Trade:
    """A trade with its stop and targets. Where the machine is so busy that the venue's time is in doubt, nothing is entered until
    it is not: then with the next signal."""
    while True:
        await one.ready()
        price = at.price(symbol)
        levels = {"stop_loss": price * Decimal("0.95"), "take_profit_1": price * Decimal("1.1")}
        levels["take_profit_2"] = price * Decimal("1.2")
        given = at.signal(number, symbol=symbol, price=price, **levels)
        await one.signal(given)
        trade = await one.trade(given.event_id, lambda found: found.times.targets_ms > 0 or found.is_final, 60)
        if trade.reason != "not_ready":
            assert trade.state == "open", trade
            return trade
        number += 1_000


async def test_each_case_ends_consistent_or_shut_out_by_name_and_all_are_compared_in_ten_seconds(
    tmp_path: Path,
) -> None:
    symbols = tuple(SYMBOL_OF.values())
    async with floor(tmp_path, WIDE, symbols=symbols, rate=100.0) as at:
        first = await at.executor(reconcile_seconds=PACE_SECONDS)
        await first.ready()
        trades = await enter_all(at, first)
        await first.drop()
        for meddle in MEDDLING:
            scene = Scene(at, SYMBOL_OF[meddle.__name__], trades.get(meddle.__name__))
            await meddle(scene)
            if scene.trade is not None:
                trades[meddle.__name__] = scene.trade
        began = time.monotonic()
        second = await at.executor(reconcile_seconds=PACE_SECONDS)
        waited = began
        while not second.executor.ready.is_set():
            second.check()
            if second.executor.pages.lease is None:
                waited = time.monotonic()
            await at.account.clock.sleep(0.01)
        seconds = time.monotonic() - waited
        print(f"{len(symbols)} symbols: {seconds:.2f} s after the lease")
        assert seconds <= LONGEST_SECONDS
        for name in SYMBOL_OF:
            ended, told = partial(ended_as_meant, at, name, trades.get(name)), partial(story, at, name)
            await until(ended, told, 60)
        truth = {one["symbol"]: Decimal(one["amount"]) for one in (await at.person.truth())["positions"]}
        bare: set[str] = set()
        told = partial(stories, at, bare)
        await eventually(partial(all_are_protected, at, trades, bare), 60, told)
        for name, trade in trades.items():
            found = at.database.documents().get(trade.trade_id)
            if found is None or found.is_final:
                continue
            symbol = SYMBOL_OF[name]
            if name != "somebody_adds":
                assert truth[symbol] == held_of(found), name


async def all_are_protected(at: Floor, trades: dict[str, Trade], bare: set[str]) -> bool:
    """Whether every open trade has a stop that closes its position, whatever it is replaced by just now; `bare` has the cases
    that have none. By the venue's truth: a test that asks again and again would use up the budget of whom it watches."""
    await at.account.clock.sleep(1)
    waiting = [one for one in (await at.person.truth())["algo_orders"] if one["algoStatus"] == "NEW"]
    stops = {one["symbol"] for one in waiting if one["closePosition"]}
    known = {name: at.database.documents().get(trade.trade_id) for name, trade in trades.items()}
    bare.clear()
    bare |= {name for name, one in known.items() if one is not None and not one.is_final and one.symbol not in stops}
    return not bare


def ended_as_meant(at: Floor, name: str, before: Trade | None) -> bool:
    """Whether the case is where its row says that it ends."""
    case, found = CASE_OF[name], findings(at, SYMBOL_OF[name])
    if "foreign_position" in found and was_closed_by_others(at, before):
        # Where the list of fills was read before the second look, our trade is over by then: what is left is a stranger's.
        found.add("side_flipped")
    if not case.found - PASSING - {"foreign_position", "symbol_not_trading"} <= found:
        return False
    trade = at.database.documents().get(before.trade_id) if before is not None else None
    if before is None or case.trade is None:
        return trade is None or trade.is_final
    if name == "missed_fill_of_a_target" and trade is not None and left_at_break_even(trade):
        return True
    if trade is None or trade.is_final:
        return False
    return trade.state == case.trade and (case.left == 1) == (held_of(trade) == before.quantity)


def left_at_break_even(trade: Trade) -> bool:
    """Whether the market stood below break-even when the first target's fill was booked: then the rest is closed with it."""
    legs = {fill.leg for fill in trade.fills} - {"entry"}
    return trade.is_final and not held_of(trade) and legs in AT_BREAK_EVEN


def was_closed_by_others(at: Floor, before: Trade | None) -> bool:
    """Whether there was a trade, and somebody else's fill has closed just what it held, before a comparison saw the flip."""
    trade = at.database.documents().get(before.trade_id) if before is not None else None
    if before is None or trade is None or not trade.is_final or held_of(trade):
        return False
    taken = sum((fill.quantity for fill in trade.fills if fill.by == "person"), Decimal(0))
    return (trade.exit_reason, taken) == ("person", before.quantity)


def story(at: Floor, name: str) -> str:
    """What is known of a case that does not end."""
    documents = [trade for trade in at.database.documents().values() if trade.symbol == SYMBOL_OF[name]]
    return f"{name}: {findings(at, SYMBOL_OF[name])}, {documents}"


def stories(at: Floor, names: set[str]) -> str:
    """The same of several."""
    return "no stop of its trade: " + "\n".join(story(at, name) for name in names)


def test_every_case_is_played_at_the_venue_or_said_to_be_played_in_the_core_alone() -> None:
    names = {one.__name__ for one in MEDDLING}
    assert names | ALONE | PURE == CASE_OF.keys()
    assert len(names) + len(ALONE) + len(PURE) == len(CASE_OF)


async def test_a_position_of_others_is_adopted_with_a_stop_where_the_account_says_so(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"foreign_policy": "adopt"})
    async with floor(tmp_path, config) as at:
        await at.person.buy("0.010")
        one = await at.executor()
        await until(lambda: bool(one.executor.trades()), lambda: str(one.executor.permission.reasons()))
        [trade_id] = one.executor.trades()
        trade = await one.trade(trade_id, lambda found: found.times.protected_ms > 0)
        assert (trade.origin, trade.direction, trade.state) == ("adopted", "long", "open")
        [stop] = await at.account.trading.open_conditionals()
        assert trade.bracket is not None
        assert (stop.close_position, stop.trigger_price) == (True, trade.bracket.stop)
        assert abs((at.price() - stop.trigger_price) * Decimal("0.010") - config.risk_per_trade) < 5
        await at.person.ok("POST", "/fapi/v1/order", symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.010")
        closed = await one.trade(trade_id, lambda found: found.is_final)
        assert closed.fills[-1].by == "person"
        assert await at.account.trading.open_conditionals() == []


async def test_an_account_in_another_mode_is_not_entered(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        await at.venue.fault("outside_settings", hedged=True, multi_assets=True)
        one = await at.executor()
        await until(lambda: len(findings(at, "")) == 2, lambda: str(at.database.events))
        assert findings(at, "") == {"hedge_mode", "multi_assets_mode"}
        await until(lambda: at.quoted(SYMBOL), lambda: "no price")
        await one.trade_refused(at.signal(), "not_ready")


async def test_legs_of_hedge_mode_keep_out_by_name_until_they_are_gone(tmp_path: Path) -> None:
    """Nothing of them is touched; once a person has closed both and left that mode, entries go on."""
    async with floor(tmp_path) as at:
        await at.person.ok("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
        legs = (("BUY", "LONG"), ("SELL", "SHORT"))
        for side, leg in legs:
            await at.person.buy("0.010", side=side, positionSide=leg)
        one = await at.executor()
        await until(lambda: "hedge_mode" in findings(at, SYMBOL), lambda: str(at.database.events))
        await until(lambda: at.quoted(SYMBOL), lambda: "no price")
        await one.trade_refused(at.signal(), "not_ready")
        held = {one["side"]: Decimal(one["amount"]) for one in (await at.person.truth())["positions"]}
        assert {leg: abs(amount) for leg, amount in held.items()} == dict.fromkeys(("LONG", "SHORT"), Decimal("0.010"))
        assert await at.account.trading.open_conditionals() == []
        for side, leg in legs:
            await at.person.buy("0.010", side="SELL" if side == "BUY" else "BUY", positionSide=leg)
        await at.person.ok("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false")
        await one.ready()
        await one.signal(at.signal(2))
        await one.trade("signal-2", lambda found: found.times.protected_ms > 0)
