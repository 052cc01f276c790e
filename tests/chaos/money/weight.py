"""What executor and guard of one account ask the venue together, by path, weighed by the simulator: on a virtual clock."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.event import Event
from libs.contracts.signals import SignalScored
from libs.contracts.trading import ExecutorReported, LiveTradeChanged, RiskStateChanged
from libs.exchanges.limiter import GUARD
from libs.trading.execution.config import LiveConfig
from libs.trading.risk.limits import RiskLimits
from services.executor.executor import Executor
from services.executor.intake import Came
from services.executor.options import Options
from services.executor.ports import Ports
from services.risk_guard.guard import Guard
from services.risk_guard.ports import GuardParts
from tests.chaos.money.exchange import ACCOUNT, Exchange
from tests.chaos.money.guard_ports import GuardFiles, PublicQuestions, mark_prices
from tests.chaos.money.http import Answer, Server, ServerRequest
from tests.chaos.money.market import JumpyMarket, Stage
from tests.chaos.money.parties import INSTALLATION, AnyKey
from tests.chaos.money.ports import Prices, Time
from tests.chaos.money.processes import Process
from tests.chaos.money.run import START_MS
from tests.chaos.money.virtual_time import VirtualClock, run_virtually
from tests.fakes.memory_books import MemoryBooks, MemoryDatabase
from tests.support.signals import emitted

TEN = (
    "BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "LINKUSDT", "AVAXUSDT", "LTCUSDT",
)  # fmt: skip
STRATEGY = "weight"
CLOCKS = 4
"""Keeping the venue's time costs executor and guard so much a minute together; here all clocks agree."""
_OFF = ("data_freshness", "data_completeness", "engine_silent", "too_many_orders", "slippage")
"""Rules about parts of an installation that are not here, and one that ten entries in one second break."""
_START_SECONDS, _ENTER_SECONDS = 20.0, 60.0


@dataclass
class Bill:
    """Questions and their weights, by who asks, and by method and path."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    weights: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, who: str, what: str, weight: int) -> None:
        """One question."""
        self.counts[who, what] += 1
        self.weights[who, what] += weight

    def table(self) -> str:
        """For people: the dearest first."""
        lines = [f"together {self.weights.total()}"]
        for (who, what), weight in self.weights.most_common():
            count = self.counts[who, what]
            lines.append(f"{who:9} {what:30} {count:5} x {weight / count:5.1f} = {weight:5}")
        return "\n".join(lines)


@dataclass
class WeighingServer(Server):
    """Writes down what the venue has charged for each request."""

    charged: Callable[[], int] = lambda: 0
    bill: Bill = field(default_factory=Bill)

    async def handle(self, request: ServerRequest) -> Answer:
        before = self.charged()
        try:
            return await super().handle(request)
        finally:
            after = self.charged()
            self.bill.add(request.who, f"{request.method} {request.path}", after - before if after >= before else after)


@dataclass
class WeighedQuestions(PublicQuestions):
    """They do not reach the private half of the simulator; their weights are those of the documentation."""

    add: Callable[[str, str, int], None] = lambda _who, _what, _weight: None

    async def last_prices(self) -> Mapping[str, Decimal]:
        self.add("guard", "GET /fapi/v2/ticker/price", 2)
        return await super().last_prices()

    async def clock_skew_ms(self) -> Decimal:
        self.add("guard", "GET /fapi/v1/time", 1)
        return await super().clock_skew_ms()


@dataclass
class Link:
    """Where one of both publishes; the other hears it a moment later."""

    hear: Callable[[Event], None]

    def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            asyncio.get_running_loop().call_later(0.02, self.hear, event)


@dataclass
class Weighing:
    """An account with that many positions, left alone for so many minutes. `entering`: the minute of its entries; `resting`: all
    minutes after it. `hears_marks`: whether the guard hears the stream of mark prices."""

    positions: int
    minutes: int = 2
    hears_marks: bool = True
    entering: Bill = field(default_factory=Bill)
    resting: Bill = field(default_factory=Bill)

    def run(self) -> "Weighing":
        """To its end."""
        self.clock = VirtualClock(START_MS)
        end_ms = START_MS + int(_START_SECONDS + _ENTER_SECONDS + 60 * self.minutes) * 1000
        self.market = JumpyMarket(Stage(1, START_MS, end_ms + 10_000, end_ms + 9_000, TEN))
        for trades in self.market._trades.values():
            trades.prices[:] = trades.prices[0]  # so that nothing is triggered
        run_virtually(self.clock, self._main)
        return self

    async def _main(self) -> None:
        exchange = self.exchange = Exchange(self.clock, self.market, 1, lambda _who, _words: None)
        self._weigh(Bill())
        self.executor, self.guard = self._made_executor(), self._made_guard()
        work = [exchange.run(), self.executor.run(), self.guard.run()]
        work += [mark_prices(exchange, self.guard.on_marks)] if self.hears_marks else []
        work += [self.executor_line.user_stream(self.executor).run(), self.guard_line.user_stream(self.guard).run()]
        tasks = [asyncio.create_task(one) for one in work]
        await asyncio.sleep(_START_SECONDS)
        self._weigh(self.entering)
        await self._enter()
        await asyncio.sleep(_ENTER_SECONDS)
        self._weigh(self.resting)
        await asyncio.sleep(60 * self.minutes)
        for task in [one for one in tasks if one.done()]:
            task.result()
        assert len(exchange.account.held()) == self.positions
        assert self.executor.permission.reasons() == ()

    def _weigh(self, bill: Bill) -> None:
        """From now on on this one."""
        old, exchange = self.exchange.server, self.exchange
        charged = lambda: exchange.limits.used_weight("127.0.0.1")  # noqa: E731
        self.bill = bill
        if isinstance(old, WeighingServer):
            old.bill = bill
        else:
            exchange.server = WeighingServer(old.handlers, old.middleware, old.chance, old.tell, charged, bill)

    def _made_executor(self) -> Executor:
        line = self.executor_line = self.exchange.connection(Process("executor"))
        books = MemoryBooks(MemoryDatabase(lambda: self.clock.seconds), ACCOUNT, lambda: self.clock.seconds)
        prices = Prices(self.exchange, symbols=TEN)
        ports = Ports(books, line.account, Link(self._tell_guard), Time(line.clock), prices)
        config = LiveConfig(version=1, strategies=(STRATEGY,), symbols=TEN, max_positions=10)
        return Executor(ports, Options(ACCOUNT, "demo", INSTALLATION, "executor/1"), AnyKey(), config)

    def _made_guard(self) -> Guard:
        process = Process("guard")
        keeper = GuardFiles().of(process)
        line = self.guard_line = self.exchange.connection(process, GUARD)
        parts = GuardParts(
            account=ACCOUNT,
            installation=INSTALLATION,
            venue=line.account,
            market=WeighedQuestions(self.exchange, process, add=lambda *asked: self.bill.add(*asked)),
            keeper=keeper,
            outlet=Link(self._tell_executor),
            clock=line.clock,
            keys=AnyKey(),
            limits=RiskLimits.model_validate({"rules": {name: {} for name in _OFF}}),
        )
        return Guard(parts, keeper.load())

    def _tell_guard(self, event: Event) -> None:
        if isinstance(event, ExecutorReported):
            self.guard.on_executor(event)
        elif isinstance(event, LiveTradeChanged):
            self.guard.on_trade(event)

    def _tell_executor(self, event: Event) -> None:
        if isinstance(event, RiskStateChanged):
            self.executor.on_risk_state(event)

    async def _enter(self) -> None:
        for number, symbol in enumerate(TEN[: self.positions], 1):
            await self.executor.on_signal(self._signal(symbol), Came(("signals", 0), number))
            await asyncio.sleep(0.1)

    def _signal(self, symbol: str) -> SignalScored:
        now_ms = self.clock.now_ms()
        price = self.market.price(symbol, now_ms)
        return emitted(f"signal-{symbol}", symbol, price, now_ms, strategy=STRATEGY)
