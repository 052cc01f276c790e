"""A trader of a few lines, who can be told to make mistakes: it shows that the judge sees them, and that the harness works."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import msgspec

from libs.contracts.signals import SignalScored
from libs.exchanges.trading import Execution, NewConditional, NewOrder, Side
from libs.trading.execution.client_ids import Leg, OrderTag, letters_of
from libs.trading.execution.document import Fill, Trade
from tests.chaos.money.exchange import Line
from tests.chaos.money.plan import Role
from tests.chaos.money.processes import Process
from tests.chaos.money.world import SIGNALS, World

Mistake = Literal["none", "no_stop", "enters_twice", "leaves_stop", "forgets_fill", "invents_fill", "forgets_signal"]
_HOLD_SECONDS = 12.0


@dataclass
class ScriptedParty:
    """No faults are survived here: for quiet runs only."""

    mistake: Mistake = "none"
    trades: dict[str, Trade] = field(default_factory=dict)

    def program(self, world: World, role: Role, process: Process) -> Coroutine[Any, Any, object]:
        return asyncio.sleep(1e9) if role == "guard" else self._trade(world, process)

    def documents(self) -> Mapping[str, Trade]:
        return self.trades

    def is_able(self, role: Role, process: Process) -> bool:
        return role == "executor"

    def protects_strangers(self, world: World, role: Role) -> bool:
        return True

    async def _trade(self, world: World, process: Process) -> None:
        line, offset = world.exchange.connection(process), 0
        while True:
            for event in await world.bus.after(SIGNALS, offset):
                offset += 1
                assert isinstance(event, SignalScored), "the topic has no others"
                if event.state == "emitted" and event.event_id not in self.trades:
                    await self._one(line, event)

    async def _one(self, line: Line, signal: SignalScored) -> None:
        letters, symbol = letters_of(signal.event_id, 12), signal.symbol
        ends: dict[str, Side] = {"long": "BUY", "short": "SELL"}
        side = ends[signal.direction]
        back: Side = "SELL" if side == "BUY" else "BUY"
        quantity = (Decimal(500) / signal.price).quantize(Decimal("0.01"))
        away = Decimal("0.95") if side == "BUY" else Decimal("1.05")
        for generation in range(2 if self.mistake == "enters_twice" else 1):
            await line.account.place(NewOrder(symbol, side, quantity, _id("entry", letters, generation)))
        if self.mistake != "no_stop":
            trigger = (signal.price * away).quantize(Decimal("0.1"))
            stop = NewConditional(symbol, back, "STOP_MARKET", _id("stop", letters, 0), trigger)
            await line.account.place_conditional(stop)
        await asyncio.sleep(_HOLD_SECONDS)
        [held] = await line.account.positions(symbol)
        await line.account.place(NewOrder(symbol, back, abs(held.amount), _id("close", letters, 0), reduce_only=True))
        if self.mistake not in ("no_stop", "leaves_stop"):
            await line.account.cancel_conditional(_id("stop", letters, 0))
        await self._write_down(line, signal, letters)

    async def _write_down(self, line: Line, signal: SignalScored, letters: str) -> None:
        if self.mistake == "forgets_signal":
            return
        seen = {fill.trade_id for trade in self.trades.values() for fill in trade.fills}
        found = [one for one in await line.account.executions(signal.symbol) if one.trade_id not in seen]
        fills = tuple(_booked(one) for one in found)
        if self.mistake == "forgets_fill":
            fills = fills[1:]
        elif self.mistake == "invents_fill":
            fills += (msgspec.structs.replace(fills[0], trade_id=1),)
        income = await line.account.income(signal.event_time_ms, line.clock.now_ms())
        funding = -sum(
            (one.amount for one in income if one.kind == "FUNDING_FEE" and one.symbol == signal.symbol), Decimal(0)
        )
        self.trades[signal.event_id] = Trade(
            trade_id=signal.event_id,
            account="main",
            symbol=signal.symbol,
            direction="long" if signal.direction == "long" else "short",
            origin="signal",
            state="closed",
            signal_letters=letters,
            fills=fills,
            funding=funding,
        )


def _id(leg: Leg, letters: str, generation: int) -> str:
    return OrderTag("executor", letters_of("main", 4), letters_of("here", 6), letters, leg, generation).client_id()


def _booked(one: Execution) -> Fill:
    return Fill(
        trade_id=one.trade_id,
        order_id=one.order_id,
        client_id="",
        by="executor",
        leg=None,
        side=one.side,
        price=one.price,
        quantity=one.quantity,
        fee=one.fee,
        fee_asset=one.fee_asset,
        fee_quote=one.fee,
        realised=one.realised,
        is_maker=one.is_maker,
        time_ms=one.time_ms,
    )
