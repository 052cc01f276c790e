"""The one writer of the books: pages that come together are written together, each before anything of it is sent or told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.contracts.event import Event
from libs.kit.errors import UnreachableError
from libs.kit.logging import get_logger
from libs.trading.execution.books import Books, Lease, LeaseLost, Page, Place
from libs.trading.execution.document import Trade
from services.executor.options import Options
from services.executor.ports import Outlet, VenueTime

_LOGGER = get_logger("executor.pages")


@dataclass(slots=True)
class _Waiting:
    page: Page
    told: Sequence[Event]
    written: asyncio.Future[None]


@dataclass(slots=True)
class Pages:
    """Writes under the lease and keeps it. `trouble`: why nothing can be written now, None while it can; `told` is set when a
    page was written that others are told of."""

    books: Books
    outlet: Outlet
    clock: VenueTime
    options: Options
    lease: Lease | None = None
    trouble: str | None = None
    told: asyncio.Event = field(default_factory=asyncio.Event)
    _places: dict[Place, int] = field(default_factory=dict)
    _queue: list[_Waiting] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def acquire(self) -> Lease:
        """Wait until the account is ours."""
        while True:
            try:
                self.lease = await self.books.acquire(self.options.owner)
                self.trouble = None if self.lease else "another executor trades this account"
            except UnreachableError as error:
                self.trouble = error.advice.what
            if self.lease is not None:
                return self.lease
            await self._pause(self.options.lease_look_seconds)

    @property
    def seconds_left(self) -> float:
        """Of the lease, less the margin in which nothing is sent any more."""
        if self.lease is None:
            return 0.0
        return self.lease.until - self.clock.monotonic() - self.options.lease_margin_seconds

    async def write(self, page: Page, told: Sequence[Event] = ()) -> None:
        """Returns when the page stands; `told` is published then. Raises `LeaseLost`."""
        waiting = _Waiting(page, told, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._more.set()
        await waiting.written

    def remember(self, places: Mapping[Place, int]) -> None:
        """Places up to which nothing was for us; they are written with the next page."""
        self._places |= places

    async def run(self) -> None:
        """Write what is asked for. Raises `LeaseLost` when the account is no longer ours: then nothing more may be sent."""
        while True:
            await self._more.wait()
            self._more.clear()
            together, self._queue = self._queue, []
            try:
                places, self._places = Page(offsets=self._places), {}
                await self._until_written(merged([places, *(each.page for each in together)]))
            except BaseException:
                for each in together:
                    each.written.cancel()
                raise
            for each in together:
                if each.told:
                    self.outlet.publish(each.told)
                    self.told.set()
                if not each.written.done():
                    each.written.set_result(None)

    async def keep_lease(self) -> None:
        """Hold the lease on. Raises `LeaseLost`."""
        while True:
            await self._pause(self.options.renew_seconds)
            lease = self._held()
            try:
                async with asyncio.timeout(lease.until - self.clock.monotonic()):
                    self.lease = await self.books.renew(lease)
                if not self._queue:
                    self.trouble = None
            except TimeoutError:
                raise LeaseLost("the books did not answer for as long as the lease lasted") from None
            except UnreachableError as error:
                self._in_trouble(error)

    async def _until_written(self, page: Page) -> None:
        """A page whose answer was lost is the same page again; an account that is not ours any more ends the process."""
        while True:
            lease = self._held()
            try:
                async with asyncio.timeout(lease.until - self.clock.monotonic()):
                    await self.books.write(lease, page)
            except TimeoutError:
                raise LeaseLost("the books did not answer for as long as the lease lasted") from None
            except UnreachableError as error:
                self._in_trouble(error)
                await self.pause_in_trouble()
            else:
                self.trouble = None
                return

    def _held(self) -> Lease:
        if self.lease is None or self.clock.monotonic() >= self.lease.until:
            raise LeaseLost("the lease is over")
        return self.lease

    def _in_trouble(self, error: UnreachableError) -> None:
        if self.trouble is None:
            _LOGGER.warning("the books cannot be written", why=error.advice.what)
        self.trouble = error.advice.what

    async def pause_in_trouble(self) -> None:
        """Wait a moment before the books are asked again."""
        await self._pause(self.options.trouble_pause_seconds)

    async def _pause(self, seconds: float) -> None:
        await self.clock.sleep(seconds * self.clock.speed)


def merged(pages: Sequence[Page]) -> Page:
    """One page of several: the later document of a trade, the farther offset of a place, the newest configuration."""
    trades: dict[str, Trade] = {}
    offsets: dict[Place, int] = {}
    for page in pages:
        trades |= {trade.trade_id: trade for trade in page.trades}
        for place, offset in page.offsets.items():
            offsets[place] = max(offset, offsets.get(place, 0))
    return Page(
        trades=tuple(trades.values()),
        events=tuple(event for page in pages for event in page.events),
        obeyed=tuple(one for page in pages for one in page.obeyed),
        offsets=offsets,
        statement=next((page.statement for page in reversed(pages) if page.statement is not None), None),
        config=next((page.config for page in reversed(pages) if page.config is not None), None),
    )
