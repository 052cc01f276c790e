"""What people say to the executor: obeyed once, by the same checks as signals, and answered; anything else changes nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from libs.contracts.commands import CommandAnswered, CommandIssued, CommandName, command_id, signed_bytes
from libs.contracts.trading import AlertRaised
from libs.exchanges.trading import TradingVenue
from libs.kit.clock import SystemClock
from libs.kit.keys import PersonalKey, TrustedFolder, new_key
from libs.trading.commands import Close, MoveStop
from libs.trading.execution.books import Page
from libs.trading.execution.document import Trade
from services.executor.intake import Came
from services.executor.wishes import Wishes
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import ACCOUNT, CONFIG, Executing, Floor, floor, until


@asynccontextmanager
async def commanded(folder: Path, **changes: Any) -> AsyncIterator[tuple[Floor, Executing, PersonalKey]]:
    """An executor that is ready, and somebody whom it trusts."""
    key = new_key(folder / "keys", "tester")
    TrustedFolder(folder / "trusted").trust(key.public)
    async with floor(folder, CONFIG.model_copy(update=changes)) as at:
        one = await at.executor()
        await one.ready()
        yield at, one, key


def said(key: PersonalKey, number: int, name: CommandName, **arguments: str) -> CommandIssued:
    """A signed command of now."""
    now_ms, nonce = SystemClock().now_ms(), f"{number:032x}"
    unsigned = CommandIssued(
        event_id=command_id(key.name, nonce),
        event_time_ms=now_ms,
        account=ACCOUNT,
        target="executor",
        command=name,
        arguments=arguments,
        reason="test",
        issued_by=key.name,
        issued_at_ms=now_ms,
        expires_at_ms=now_ms + 50_000,
        nonce=nonce,
        signature="",
    )
    return msgspec.structs.replace(unsigned, signature=key.sign(signed_bytes(unsigned)))


async def obeyed(one: Executing, event: CommandIssued) -> CommandAnswered:
    """The answer to it, which may come after it was taken."""
    known = len(answers_to(one, event))
    await taken(one, event)
    await until(lambda: len(answers_to(one, event)) > known, lambda: f"no answer to {event.command}")
    return answers_to(one, event)[-1]


async def taken(one: Executing, event: CommandIssued) -> None:
    """It has been read, and what follows from it at once is done."""
    one.offset += 1
    await one.executor.on_commands([(event, Came(("commands", 0), one.offset))])


async def seconds_of(work: Awaitable[None]) -> float:
    began = time.monotonic()
    await work
    return time.monotonic() - began


class HeldBalances:
    """The port to an account on which no comparison comes to its end until it may."""

    def __init__(self, venue: TradingVenue) -> None:
        self._venue, self.asked, self.go_on = venue, asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    async def balances(self) -> Any:
        self.asked.set()
        await self.go_on.wait()
        return await self._venue.balances()


def answers_to(one: Executing, event: CommandIssued) -> list[CommandAnswered]:
    return [answer for answer in one.heard.of(CommandAnswered) if answer.command_id == event.event_id]


async def test_a_part_is_closed_then_the_rest(tmp_path: Path) -> None:
    async with commanded(tmp_path, risk_per_trade=Decimal(80)) as (at, one, key):
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        part = await obeyed(one, said(key, 1, "close", symbol=SYMBOL, share="0.5"))
        assert part.accepted
        half = (trade.quantity / 2).quantize(Decimal("0.001"))
        reduced = await one.trade("signal-1", lambda found: any(fill.leg == "close" for fill in found.fills))
        assert sum(fill.quantity for fill in reduced.fills if fill.leg == "close") in (half, trade.quantity - half)
        assert reduced.state == "open"
        assert (await obeyed(one, said(key, 2, "close", symbol=SYMBOL, share="1"))).accepted
        closed = await one.trade("signal-1", lambda found: found.is_final)
        assert (closed.state, closed.exit_reason) == ("closed", "command")
        assert await at.account.trading.open_conditionals() == []
        assert [each.command for each in at.database.obeyed.values()] == ["close", "close"]


async def test_the_stop_is_moved_and_never_missing(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        wanted = at.price() * Decimal("0.97")
        moved = await obeyed(one, said(key, 1, "move_stop", symbol=SYMBOL, price=str(wanted)))
        assert moved.accepted, moved.result

        def stands(found: Any) -> bool:
            stops = [order for order in found.orders if order.leg in ("stop", "bridge") and order.status == "new"]
            return [order.leg for order in stops] == ["stop"] and abs(stops[0].trigger - wanted) < 1

        after = await one.trade("signal-1", stands)
        assert after.initial_risk == trade.initial_risk
        [stop] = await at.account.trading.open_conditionals()
        assert abs(stop.trigger_price - wanted) < 1
        absurd = await obeyed(one, said(key, 2, "move_stop", symbol=SYMBOL, price=str(at.price() * 2)))
        assert (absurd.accepted, "close instead" in absurd.result) == (False, True)


async def test_a_stop_that_may_only_come_closer_is_judged_as_it_stands_when_it_is_obeyed(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        assert trade.bracket is not None
        stop, tick = trade.bracket.stop, trade.rules.tick if trade.rules is not None else Decimal(0)
        wanted = {"symbol": SYMBOL, "only_closer": "true"}
        wider = await obeyed(one, said(key, 1, "move_stop", price=str(stop - tick), **wanted))
        assert (wider.accepted, "only a closer one was wanted" in wider.result) == (False, True)
        closer = await obeyed(one, said(key, 2, "move_stop", price=str(stop + tick), **wanted))
        assert closer.accepted, closer.result
        late = await obeyed(one, said(key, 3, "move_stop", price=str(stop), **wanted))
        assert not late.accepted
        after = await one.trade("signal-1", lambda found: found.bracket is not None and found.bracket.stop > stop)
        assert after.bracket is not None
        assert after.bracket.stop == stop + tick


async def test_a_person_enters_by_the_same_checks(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        price = at.price()
        stop = str(price * Decimal("0.98"))
        order = {"symbol": SYMBOL, "direction": "long", "stop": stop}
        greedy = await obeyed(one, said(key, 3, "enter", risk="1000000", **order))
        assert (greedy.accepted, greedy.details) == (False, {"why": "over_risk"})
        entered = await obeyed(one, said(key, 1, "enter", symbol=SYMBOL, direction="long", stop=stop))
        assert entered.accepted, entered.result
        trade = await one.trade(entered.details["trade_id"], lambda found: found.times.protected_ms > 0)
        assert (trade.origin, trade.state) == ("command", "open")
        again = await obeyed(one, said(key, 2, "enter", symbol=SYMBOL, direction="long", stop=stop))
        assert (again.accepted, again.details) == (False, {"why": "position_open"})


async def test_what_is_not_signed_repeated_or_late_changes_nothing(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (_, one, key):
        good = said(key, 1, "change_config", base_version="0", max_positions="5")
        assert (await obeyed(one, good)).accepted
        assert one.executor.permission.config.max_positions == 5
        assert (await obeyed(one, good)).details == {"why": "replayed"}
        stranger = new_key(one.floor.folder / "others", "stranger")
        foreign = said(stranger, 2, "change_config", base_version="1", max_positions="9")
        assert (await obeyed(one, foreign)).details == {"why": "unknown_issuer"}
        forged = msgspec.structs.replace(
            said(key, 3, "change_config", base_version="1"), arguments={"max_positions": "9"}
        )
        assert (await obeyed(one, forged)).details == {"why": "wrong_signature"}
        stale = said(key, 4, "change_config", base_version="0", max_positions="9")
        refused = await obeyed(one, stale)
        assert (refused.accepted, "version 1 by now" in refused.result) == (False, True)
        assert one.executor.permission.config.max_positions == 5
        kinds = [event.kind for event in one.floor.database.events.values()]
        assert kinds.count("command_refused") == 3
        alerts = {alert.event_id: alert for alert in one.heard.of(AlertRaised) if "was refused" in alert.title}
        assert [alert.severity for alert in alerts.values()] == ["warning"] * 3
        assert sum("stranger" in alert.title for alert in alerts.values()) == 1


async def test_a_nonce_and_a_configuration_outlive_the_process(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        good = said(key, 1, "change_config", base_version="0", max_positions="5")
        assert (await obeyed(one, good)).accepted
        await one.drop()
        at.database.expires = float("-inf")
        second = await at.executor()
        await second.ready()
        assert second.executor.permission.config.max_positions == 5
        assert (await obeyed(second, good)).details == {"why": "replayed"}


async def test_a_change_is_in_force_within_a_second_and_waits_for_no_comparison(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        venue = HeldBalances(at.account.trading)
        one.fuse_venue(venue)
        sync = said(key, 1, "sync")
        await asyncio.wait_for(taken(one, sync), 60)
        await venue.asked.wait()
        round_trip = await seconds_of(one.executor.pages.write(Page()))
        change = said(key, 2, "change_config", base_version="0", max_positions="5")
        took = await seconds_of(taken(one, change))
        assert one.executor.permission.config.max_positions == 5
        assert took < 1 + 10 * round_trip
        assert [answer.accepted for answer in answers_to(one, change)] == [True]
        assert answers_to(one, sync) == []
        venue.go_on.set()
        await until(lambda: bool(answers_to(one, sync)), lambda: "the comparison has no end")


async def test_sync_says_what_differs(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        assert (await obeyed(one, said(key, 1, "sync"))).result == "books and venue agree"
        away = Decimal(await at.person.price(-2000))
        await at.venue.fault("outside_order", symbol=SYMBOL, side="BUY", quantity="0.01", price=str(away))
        found = await obeyed(one, said(key, 2, "sync"))
        assert found.result == "1 difference"
        assert "foreign order" in found.details["1"]


def wishes_about(one: Executing, trade: Trade) -> Wishes:
    """What commands would do if this were the only trade."""
    at = one.executor
    return Wishes(at.ports, at.entering, at.desk_of, lambda: {trade.trade_id: trade}, at.reconciling.synchronise)


async def test_there_is_no_part_of_what_is_not_filled(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        unfilled = msgspec.structs.replace(trade, state="entering", orders=(), fills=())
        wishes = wishes_about(one, unfilled)
        event = said(key, 1, "close", symbol=SYMBOL, share="0.5")
        for part in (Close(SYMBOL, share=Decimal("0.5")), Close(SYMBOL, quantity=Decimal("0.001"))):
            effect = await wishes.effect_of(event, part)
            assert (effect.answer.accepted, effect.write) == (False, None), effect.answer.sentence
        assert (await wishes.effect_of(event, Close(SYMBOL, share=Decimal(1)))).answer.accepted


async def test_a_stop_is_on_the_venues_ticks_whatever_the_books_know_of_them(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        await one.signal(at.signal())
        trade = await one.trade("signal-1", lambda found: found.times.targets_ms > 0)
        bare = msgspec.structs.replace(trade, rules=None)
        wishes = wishes_about(one, bare)
        wanted, event = at.tick(SYMBOL, at.price() * Decimal("0.97")), said(key, 1, "move_stop")
        moved = (await wishes.effect_of(event, MoveStop(SYMBOL, wanted))).answer
        assert (moved.accepted, moved.sentence) == (True, f"the stop of {SYMBOL} goes to {wanted}")
        nothing = (await wishes.effect_of(event, MoveStop(SYMBOL, Decimal("0.000001")))).answer
        assert (nothing.accepted, "is none" in nothing.sentence) == (False, True)
