"""What the guard has of this world beside its account: a file that outlives it, and public questions."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from libs.exchanges import MarkPrice
from libs.exchanges.flatten_orders import MarketLot
from libs.exchanges.worth import minute_of
from libs.kit.durations import MINUTE_MS
from libs.trading.risk.memory import from_bytes, to_bytes
from services.exchange_simulator.trading.filters import MOST_MARKET_STEPS, step_of, tick_of
from services.risk_guard.memory import Memory
from services.risk_guard.ports import SymbolRules
from tests.chaos.money.exchange import ACCOUNT, Exchange
from tests.chaos.money.processes import Process

ASK_SECONDS, HEARD_LATE_SECONDS = 0.04, 0.06


@dataclass
class GuardFiles:
    """The one file of the account, whole at any time."""

    content: bytes = b""

    def of(self, process: Process) -> "GuardFile":
        """As this process opens it."""
        return GuardFile(self, process)


@dataclass(frozen=True)
class GuardFile:
    """The guard's `Keeper`."""

    files: GuardFiles
    process: Process

    def load(self) -> Memory:
        return from_bytes(Memory, self.files.content) if self.files.content else Memory(account=ACCOUNT)

    def save(self, memory: Memory) -> None:
        self.process.check()
        self.files.content = to_bytes(memory)


@dataclass
class PublicQuestions:
    """The guard's `OrderMarket`; all clocks agree here."""

    exchange: Exchange
    process: Process
    _asked: int = field(default=0)

    async def _ask(self) -> None:
        self.process.check()
        self._asked += 1
        await asyncio.sleep(ASK_SECONDS)

    async def last_prices(self) -> Mapping[str, Decimal]:
        await self._ask()
        now_ms = self.exchange.clock.now_ms()
        return {symbol: self.exchange.market.price(symbol, now_ms) for symbol in self.exchange.market.symbols}

    async def clock_skew_ms(self) -> Decimal:
        await self._ask()
        return Decimal(0)

    async def worth(self, asset: str, since_ms: int, until_ms: int) -> Mapping[int, Decimal]:
        await self._ask()
        market, symbol = self.exchange.market, f"{asset}USDT"
        minutes = range(minute_of(since_ms), minute_of(until_ms) + 1, MINUTE_MS) if symbol in market.symbols else ()
        return {
            minute: market.price(symbol, min(minute + MINUTE_MS - 1, self.exchange.clock.now_ms()))
            for minute in minutes
        }

    async def rules(self, symbols: Sequence[str]) -> Mapping[str, SymbolRules]:
        await self._ask()
        known = self.exchange.market.rules
        return {
            symbol: SymbolRules(
                tick_of(known[symbol]), MarketLot(step_of(known[symbol]), step_of(known[symbol]) * MOST_MARKET_STEPS)
            )
            for symbol in symbols
            if symbol in known
        }


async def mark_prices(exchange: Exchange, hear: Callable[[Sequence[MarkPrice]], None]) -> None:
    """The stream of all mark prices, each whole second, as a process hears it."""
    while True:
        await asyncio.sleep(1 - exchange.clock.now_ms() % 1000 / 1000 + HEARD_LATE_SECONDS)
        now_ms = exchange.clock.now_ms() // 1000 * 1000
        hear([_mark_price(exchange, symbol, now_ms) for symbol in exchange.market.symbols])


def _mark_price(exchange: Exchange, symbol: str, now_ms: int) -> MarkPrice:
    mark = exchange.house.prices.mark_price(symbol, now_ms).mark
    return MarkPrice(
        symbol=symbol,
        event_time=now_ms,
        mark_price=mark,
        index_price=mark,
        estimated_settle_price=None,
        mark_price_average=None,
        funding_rate=None,
        next_funding_time=0,
    )
