"""Signals that nobody can use, and two wishes at once: neither ends the executor, nor gets a second trade into a symbol."""

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec

from libs.contracts.trading import AlertRaised
from services.executor.intake import Came
from tests.services.exchange_simulator.trader import SYMBOL
from tests.services.executor.floor import SYMBOLS, floor, until
from tests.services.executor.test_commands import commanded, obeyed, said


async def test_a_signal_that_no_book_can_hold_is_passed_over_and_the_next_one_entered(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        worthless = msgspec.structs.replace(at.signal(event_id="p"), price=Decimal(0))
        for event in (at.signal(event_id="a|b"), at.signal(event_id="v", version=2**31), worthless):
            await one.signal(event)
        documents = at.database.documents()
        assert [(name, found.reason) for name, found in documents.items()] == [("p", "not_supported")]
        assert len([alert for alert in one.heard.of(AlertRaised) if "passed over" in alert.title]) == 2
        await one.signal(at.signal())
        await one.trade("signal-1", lambda found: found.times.protected_ms > 0)


async def test_a_person_does_not_get_into_a_symbol_while_a_signals_refusals_are_written(tmp_path: Path) -> None:
    async with commanded(tmp_path) as (at, one, key):
        stop = str(at.price() * Decimal("0.98"))
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def gate(moment: str) -> None:
            if moment == "before write":
                begun.set()
                await go_on.wait()

        at.database.gate = gate
        both = [(at.signal(1, strategy="another"), Came(("signals", 0), 1)), (at.signal(2), Came(("signals", 0), 2))]
        signals = asyncio.create_task(one.executor.on_signals(both))
        await begun.wait()
        command = asyncio.create_task(obeyed(one, said(key, 1, "enter", symbol=SYMBOL, direction="long", stop=stop)))
        await asyncio.sleep(0)
        go_on.set()
        await signals
        answer = await command
        assert (answer.accepted, answer.details) == (False, {"why": "position_open"})
        assert [trade.trade_id for trade in one.executor.trades().values()] == ["signal-2"]


async def test_signals_that_come_together_are_in_the_books_together_and_before_any_order(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        symbols = SYMBOLS[:2]
        await until(lambda: all(at.quoted(symbol) for symbol in symbols), lambda: "no price")
        for symbol in symbols:
            assert await one.executor.entering.terms.bring(symbol, at.config)
        stood: list[set[str]] = []

        async def gate(_moment: str) -> None:
            stood.append({name for name in at.database.documents() if name.startswith("signal-")})

        at.database.gate = gate
        events = [
            at.signal(n, symbol=symbol, price=at.price(symbol)) for n, symbol in enumerate((*symbols, symbols[0]))
        ]
        await one.executor.on_signals([(event, Came(("signals", 0), n)) for n, event in enumerate(events, 1)])
        assert {len(names) for names in stood} == {0, len(events)}
        assert at.database.documents()["signal-2"].reason == "position_open"
        for number in (0, 1):
            await one.trade(f"signal-{number}", lambda found: found.times.protected_ms > 0)


async def test_a_trade_that_was_taken_up_does_not_wait_for_who_comes_after_it(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await until(lambda: at.quoted(SYMBOL), lambda: "no price")
        assert await one.executor.entering.terms.bring(SYMBOL, at.config)
        desk, go_on = one.executor.desk_of(SYMBOL), asyncio.Event()
        await desk.step()  # It sleeps now, as one whose trades are over.

        async def gate(moment: str) -> None:
            if moment == "before has_trade":
                await go_on.wait()

        at.database.gate = gate
        old = at.signal(2, event_time_ms=at.account.clock.now_ms() - 3_600_000)
        both = [(at.signal(1), Came(("signals", 0), 1)), (old, Came(("signals", 0), 2))]
        signals = asyncio.create_task(one.executor.on_signals(both))
        await one.trade("signal-1", lambda found: found.times.protected_ms > 0)
        assert not signals.done()
        go_on.set()
        await signals
        assert at.database.offsets[("signals", 0)] == 2 or one.executor.pages._places == {("signals", 0): 2}


async def test_a_signal_that_is_read_again_is_not_passed_before_its_trade_stands(tmp_path: Path) -> None:
    async with floor(tmp_path) as at:
        one = await at.executor()
        await one.ready()
        await until(lambda: at.quoted(SYMBOL), lambda: "no price")
        desk = one.executor.desk_of(SYMBOL)
        stood: list[tuple[bool, bool]] = []
        states: set[str] = set()

        async def gate(_moment: str) -> None:
            documents = at.database.documents()
            stood.append(("signal-1" in documents, ("signals", 0) in at.database.offsets))
            states.update(trade.state for trade in documents.values())

        async with desk.lock:  # Whoever read it first was interrupted between taking it up and writing it.
            decided = await one.executor.entering._decided(at.signal(1), 0)
            desk.take_up(decided)
            at.database.gate = gate
            again = asyncio.create_task(one.executor.on_signals([(at.signal(1), Came(("signals", 0), 1))]))
            await asyncio.sleep(0)
        await again
        assert at.database.offsets[("signals", 0)] == 1
        assert (False, True) not in stood
        await one.trade("signal-1", lambda found: found.times.protected_ms > 0)
        assert "refused" not in states
