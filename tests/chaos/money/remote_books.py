"""Books behind a network: a call takes time, what was sent is carried out whether its sender lives or not, and a database that
goes away in between leaves its caller without an answer.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from libs.kit.errors import UnreachableError
from libs.trading.execution.books import Books, Kept, Lease, Page
from tests.chaos.money.processes import Process, outside

_FASTEST, _SLOWEST, _RARELY = 0.001, 0.008, 0.4
_PATIENCE = 3.0
Answer = TypeVar("Answer")


@dataclass
class RemoteBooks:
    """One process's way to the books. `lease`: the newest that it was given, so what it may send under."""

    books: Books
    process: Process
    is_away: Callable[[], bool]
    chance: random.Random
    lease: Lease | None = None

    async def acquire(self, owner: str) -> Lease | None:
        self.lease = await self._ask(lambda: self.books.acquire(owner))
        return self.lease

    async def renew(self, lease: Lease) -> Lease:
        self.lease = await self._ask(lambda: self.books.renew(lease))
        return self.lease

    async def release(self, lease: Lease) -> None:
        self.lease = None
        await self._ask(lambda: self.books.release(lease))

    async def load(self, lease: Lease) -> Kept:
        return await self._ask(lambda: self.books.load(lease))

    async def write(self, lease: Lease, page: Page) -> None:
        await self._ask(lambda: self.books.write(lease, page))

    async def has_trade(self, trade_id: str) -> bool:
        return await self._ask(lambda: self.books.has_trade(trade_id))

    async def _ask(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        self.process.check()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        _travelling = outside(self._carry_out(call, future))
        try:
            async with asyncio.timeout(_PATIENCE):
                return await future
        except TimeoutError:
            raise _unreachable() from None

    async def _carry_out(self, call: Callable[[], Awaitable[Answer]], future: "asyncio.Future[Answer]") -> None:
        await self._travel()
        if self.is_away():
            # Half of the time nobody refuses: the caller waits until its patience is over.
            if self.chance.random() < 0.5 and not future.done():
                future.set_exception(_unreachable())
            return
        error: Exception | None = None
        try:
            answer = await call()
        except Exception as refused:
            error = refused
        await self._travel()
        if future.done() or self.is_away():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(answer)

    async def _travel(self) -> None:
        longest = _RARELY if self.chance.random() < 0.01 else _SLOWEST
        await asyncio.sleep(self.chance.uniform(_FASTEST, longest))


def _unreachable() -> UnreachableError:
    return UnreachableError(
        "the database does not answer", where="the books of this run", todo="it comes back by itself"
    )
