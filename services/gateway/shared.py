"""What all routes share: the database, of which only so much may be asked at once, and the memory of live rates."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from libs.store.engine import Engine, ReadSession, busy, check_reachable, read_session
from services.gateway.caching import AnswerCache
from services.gateway.live_rates import LiveRates
from services.gateway.newest import Newest
from services.gateway.stack import Stack

# Database questions that are answered at the same time: the size of the pool. Each ends after 15 s (`read_session`).
QUESTIONS = 5
# Whoever finds all of them taken for this long is told to come back, instead of joining a queue without an end.
WAIT_SECONDS = 1.0


@dataclass(slots=True)
class Gateway:
    """What the routes share. `watching` is an engine apart, which only says whether the database answers. `symbols` are those
    in force, which may change while we run; `account` is the one that this installation trades."""

    engine: Engine
    watching: Engine
    symbols: tuple[str, ...]
    live: LiveRates = field(default_factory=LiveRates)
    words: Newest = field(default_factory=Newest)
    stack: Stack = field(default_factory=Stack)
    account: str = "main"
    venue: str = "simulator"
    answers: AnswerCache = field(default_factory=AnswerCache)
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUESTIONS))
    _checking: "asyncio.Task[str] | None" = None

    async def add(self, symbols: Sequence[str]) -> None:
        """These are followed from now on."""
        self._follow((*self.symbols, *symbols))

    async def remove(self, symbols: Sequence[str]) -> None:
        """These are not followed any more; what is stored of them is answered all the same."""
        self._follow(tuple(symbol for symbol in self.symbols if symbol not in symbols))

    def _follow(self, symbols: tuple[str, ...]) -> None:
        self.symbols = symbols
        self.answers.forget()

    def market_now_ms(self) -> int:
        """The market's time (ms): of its newest mark price, which in a recording is not ours; before the first, our clock's."""
        seen = [observed.event_time_ms for observed in self.live.newest.values()]
        return max(seen, default=self.live.clock.now_ms())

    @asynccontextmanager
    async def question(self) -> AsyncIterator[ReadSession]:
        """A read session for one question. Raises `DatabaseBusy`, and what `read_session` raises."""
        async with self.turn(), read_session(self.engine) as session:
            yield session

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Engine]:
        """The engine, for a question that opens its own session. Raises `DatabaseBusy`."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise busy(self.engine) from None
        try:
            yield self.engine
        finally:
            self._free.release()

    async def database_version(self) -> str:
        """The server's version; raises `UnreachableError`. However many ask at the same time, the database is asked once."""
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(check_reachable(self.watching))
        return await asyncio.shield(self._checking)
