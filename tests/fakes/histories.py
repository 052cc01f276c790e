"""A venue's history of one symbol that takes its time to answer."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from libs.exchanges import AggTrade, ClockReading


@dataclass
class SlowHistory:
    """The trade questions of `MarketData` over a list; `asked` says what was asked, `seconds` how long an answer takes."""

    trades: Sequence[AggTrade]
    now_ms: int
    seconds: float = 0.0
    asked: list[str] = field(default_factory=list)
    turns: list[tuple[object, ...]] = field(default_factory=list)

    def at(self, *turn: object) -> Self:
        self.turns.append(turn)
        return self

    async def _answer(self, question: str, rows: list[AggTrade]) -> list[AggTrade]:
        self.asked.append(question)
        await asyncio.sleep(self.seconds)
        return rows

    async def read_clock(self) -> ClockReading:
        return ClockReading(venue_ms=self.now_ms, asked=time.monotonic(), answered=time.monotonic())

    async def server_time(self) -> int:
        await self._answer("time", [])
        return self.now_ms

    async def agg_trades_from(self, symbol: str, agg_id: int, limit: int = 1000) -> Sequence[AggTrade]:
        return await self._answer("from", [row for row in self.trades if row.agg_id >= agg_id][:limit])

    async def agg_trades_between(self, symbol: str, start: int, end: int, limit: int = 1000) -> Sequence[AggTrade]:
        return await self._answer("between", [row for row in self.trades if start <= row.trade_time <= end][:limit])

    async def newest_agg_trades(self, symbol: str, limit: int = 1) -> Sequence[AggTrade]:
        return await self._answer("newest", list(self.trades[-limit:]))
