"""A guard, its account at the simulated exchange, and everybody who tells it something, on a virtual clock in one process."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from libs.contracts.commands import CommandIssued, CommandName, command_id, signed_bytes
from libs.contracts.market import FeedStatusChanged
from libs.contracts.trading import ExecutorReported, LiveTradeChanged, RiskStateChanged
from libs.exchanges.trading import NewConditional, NewOrder
from libs.kit.clock import ManualClock
from libs.kit.keys import PersonalKey, TrustedFolder, new_key
from libs.trading.risk.limits import RiskLimits
from libs.trading.risk.rules import all_rules
from services.exchange_simulator.faults.plan import FAULT
from services.risk_guard.guard import Guard
from services.risk_guard.memory import StateFile
from services.risk_guard.ports import GuardParts, SymbolRules
from tests.chaos.money.exchange import Exchange, Line
from tests.chaos.money.market import SYMBOLS, JumpyMarket, Stage
from tests.chaos.money.processes import Process, task_of_a_process
from tests.chaos.money.virtual_time import VirtualClock, run_virtually
from tests.services.risk_guard.guarding import Told

START_MS = 1_764_373_800_000
"""Ten minutes before a UTC midnight."""
DAY_MS = 86_400_000
SYMBOL, QUANTITY = "BTCUSDT", Decimal("0.100")
LASTS_MS = 1_500_000


@dataclass
class Voices:
    """What others say, twice a second; a test changes it, or silences somebody."""

    scene: "Scene"
    silent: set[str] = field(default_factory=set)
    completeness_ppm: int = 1_000_000
    orders_last_minute: int = 0
    reconciled_ms: int | None = None
    held: dict[str, LiveTradeChanged] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            if (guard := self.scene.guard) is not None:
                self.speak(guard)
            await asyncio.sleep(0.5)

    def speak(self, guard: Guard) -> None:
        now_ms = self.scene.clock.now_ms()
        if "executor" not in self.silent:
            guard.on_executor(self.report(now_ms))
        if "engine" not in self.silent:
            guard.on_engine()
        if "feed" not in self.silent:
            feed = FeedStatusChanged(
                event_id=f"feed-{now_ms}",
                event_time_ms=now_ms,
                feed="trades",
                symbol=SYMBOL,
                state="live",
                detail="",
                last_event_time_ms=now_ms,
                completeness_1h_ppm=self.completeness_ppm,
            )
            guard.on_feed(feed)

    def report(self, now_ms: int) -> ExecutorReported:
        return ExecutorReported(
            event_id=f"report-{now_ms}",
            event_time_ms=now_ms,
            account="main",
            mode="demo",
            epoch=1,
            entries_allowed=True,
            reasons=(),
            reconciled_at_ms=now_ms if self.reconciled_ms is None else self.reconciled_ms,
            reconciliation_clean=True,
            config_version=1,
            held=tuple(self.held.values()),
            orders_last_minute=self.orders_last_minute,
            heartbeat=now_ms,
        )


@dataclass
class VirtualPrices:
    """The order venue's public half."""

    scene: "Scene"
    last_share: Decimal = Decimal(1)
    skew_ms: Decimal = Decimal(0)

    async def last_prices(self) -> Mapping[str, Decimal]:
        now_ms = self.scene.clock.now_ms()
        return {symbol: self.scene.market.price(symbol, now_ms) * self.last_share for symbol in SYMBOLS}

    async def clock_skew_ms(self) -> Decimal:
        return self.skew_ms

    async def worth(self, asset: str, since_ms: int, until_ms: int) -> Mapping[int, Decimal]:
        return {}

    async def rules(self, symbols: Sequence[str]) -> Mapping[str, SymbolRules]:
        return {}


@dataclass
class Scene:
    """`crashes`: by how much the price of `SYMBOL` changes, and after how many seconds. `wall`: the clock of the machine, where
    it is not the venue's."""

    folder: Path
    limits: RiskLimits
    crashes: Mapping[int, str] = field(default_factory=dict)
    seed: int = 1
    told: Told = field(default_factory=Told)
    guard: Guard | None = None
    process: Process | None = None
    wall: ManualClock | None = None

    def run(self, test: Callable[["Scene"], Coroutine[Any, Any, None]]) -> None:
        """The test's story, to its end."""
        self.clock = VirtualClock(START_MS)
        self.market = JumpyMarket(Stage(self.seed, START_MS, START_MS + LASTS_MS, START_MS + LASTS_MS - 1))
        self._make_still()
        self.voices, self.prices = Voices(self), VirtualPrices(self)
        self.key: PersonalKey = new_key(self.folder / "mine", "ada")
        self.trusted = TrustedFolder(self.folder / "trusted")
        self.trusted.trust(self.key.public)
        run_virtually(self.clock, lambda: self._main(test))

    async def _main(self, test: Callable[["Scene"], Coroutine[Any, Any, None]]) -> None:
        asyncio.get_running_loop().set_task_factory(task_of_a_process)  # type: ignore[arg-type]
        self.exchange = Exchange(self.clock, self.market, self.seed, lambda _who, _words: None)
        self.owner: Line = self.exchange.connection(Process("owner"))
        others = [asyncio.create_task(one) for one in (self.exchange.run(), self.voices.run())]
        await test(self)
        self.drop()
        for task in others:
            task.cancel()

    def _make_still(self) -> None:
        """A price that only moves when the test says so."""
        for symbol in SYMBOLS:
            trades = self.market._trades[symbol]
            trades.prices[:] = trades.prices[0]
            if symbol == SYMBOL:
                for after_s, factor in self.crashes.items():
                    later = trades.event_ms >= START_MS + after_s * 1000
                    trades.prices[later] = int(trades.prices[0] * float(factor)) // 10 * 10

    def begin(self) -> Guard:
        """A guard with what the state file has."""
        process = self.process = Process("guard")
        line = self.exchange.connection(process)
        keeper = StateFile(self.folder / "state", "main")
        keeper.path.parent.mkdir(exist_ok=True)
        parts = GuardParts(
            account="main",
            installation="here",
            venue=line.account,
            market=self.prices,
            keeper=keeper,
            outlet=self.told,
            clock=line.clock,
            keys=self.trusted,
            limits=self.limits,
            wall=self.wall,
        )

        async def work() -> None:
            self.guard = Guard(parts, keeper.load())
            await asyncio.gather(self.guard.run(), line.user_stream(self.guard).run())

        process.start(work)
        return self.guard  # type: ignore[return-value]

    def drop(self) -> None:
        """As a crash does."""
        if self.process is not None:
            self.process.kill()
            assert self.process.main is not None
            if self.process.main.done() and not self.process.main.cancelled():
                self.process.main.result()
        self.guard = None

    async def enter(
        self, symbol: str = SYMBOL, quantity: Decimal = QUANTITY, *, stop_share: str | None = "0.5"
    ) -> None:
        """A long position of the executor, which tells of it; with its stop, unless there is to be none."""
        number = self.clock.now_ms()
        await self.owner.account.place(NewOrder(symbol, "BUY", quantity, f"p1-{number}"))
        price = self.market.price(symbol, self.clock.now_ms())
        self.voices.held[symbol] = trade(symbol, price, number)
        if stop_share is not None:
            trigger = (price * Decimal(stop_share)).quantize(Decimal("0.1"))
            await self.owner.account.place_conditional(
                NewConditional(symbol, "SELL", "STOP_MARKET", f"p1-stop-{number}", trigger)
            )

    def fault(self, kind: str, **fields: Any) -> None:
        self.exchange.arm(FAULT.validate_python({"kind": kind, **fields}))

    def command(self, name: CommandName, arguments: dict[str, str] | None = None, **changed: Any) -> CommandIssued:
        """A command of somebody who is trusted, given to the guard; what a test changes is changed after it was signed."""
        nonce, now_ms = secrets.token_hex(16), (self.wall or self.clock).now_ms()
        said = CommandIssued(
            event_id=command_id("ada", nonce),
            event_time_ms=now_ms,
            account="main",
            target="risk_guard",
            command=name,
            arguments=arguments or {},
            reason="a test",
            issued_by="ada",
            issued_at_ms=now_ms,
            expires_at_ms=now_ms + 30_000,
            nonce=nonce,
            signature="",
        )
        signed = msgspec.structs.replace(said, signature=self.key.sign(signed_bytes(said)))
        return msgspec.structs.replace(signed, **changed)

    def obey(self, event: CommandIssued) -> Any:
        """The guard's answer."""
        assert self.guard is not None
        self.guard.on_command(event)
        return self.told.answers[-1]

    @property
    def state(self) -> RiskStateChanged:
        return self.told.states[-1]

    def quantity(self, symbol: str = SYMBOL) -> Decimal:
        """What is open, by the exchange's own truth."""
        return sum((one.amount for one in self.exchange.account.held() if one.symbol == symbol), Decimal(0))

    async def until(self, condition: Callable[[], bool], seconds: float, what: str = "") -> float:
        """Wait until it holds; how long that took, in seconds of the virtual clock."""
        began = self.clock.seconds
        while not condition():
            if self.clock.seconds - began > seconds:
                seen = [(one.rule, one.level, one.sentence) for one in self.state.measures if one.level != "normal"]
                raise AssertionError(f"{what or 'it'} did not come within {seconds} s: {self.state.level} {seen}")
            if self.process is not None and self.process.main is not None and self.process.main.done():
                self.process.main.result()
            await asyncio.sleep(0.01)
        return self.clock.seconds - began


def trade(symbol: str, price: Decimal, number: int, **more: Any) -> LiveTradeChanged:
    """A trade that the executor holds: 1 R is 100."""
    fields: dict[str, Any] = {
        "event_id": f"trade-{number}",
        "event_time_ms": number,
        "account": "main",
        "trade_id": f"trade-{number}",
        "strategy": "v1",
        "symbol": symbol,
        "direction": "long",
        "state": "open",
        "reason": None,
        "quantity": QUANTITY,
        "quantity_left": QUANTITY,
        "entry_price": price,
        "exit_price": None,
        "stop": (price * Decimal("0.97")).quantize(Decimal("0.1")),
        "take_profit_1": None,
        "take_profit_2": None,
        "risk_quote": Decimal(100),
        "pnl_quote": Decimal(0),
        "pnl_r": Decimal(0),
        "slippage_bps": Decimal(1),
        "entered_at_ms": number,
        "hold_until_ms": number + 4_200_000,
    }
    return LiveTradeChanged(**(fields | more))


def only(rule: str, **more: Any) -> RiskLimits:
    """Limits with that rule alone, as it is shipped."""
    off = {one.name: {"warning": None, "breach": None} for one in all_rules() if one.name != rule}
    return RiskLimits.model_validate({"rules": off, "cooldown_minutes": 1, **more})
