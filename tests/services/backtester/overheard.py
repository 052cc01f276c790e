"""A market whose readers hand their stretches through a function of the test on the way to the run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from libs.contracts.timeline import PlacedEvent
from libs.indicators.settings import KernelSettings
from services.backtester.reading import TableMarket
from services.backtester.sources import Reader, Span, Stretch

Listener = Callable[[list[Stretch]], list[Stretch]]


@dataclass(frozen=True, slots=True)
class Through:
    """A reader, and what is done with each of its answers."""

    reader: Reader
    listen: Listener

    @property
    def trades_read(self) -> int:
        return self.reader.trades_read

    def keep_mark_prices(self) -> None:
        self.reader.keep_mark_prices()

    async def begin(self) -> None:
        await self.reader.begin()

    async def advance(self, until_ms: int) -> list[Stretch]:
        return self.listen(await self.reader.advance(until_ms))

    async def close(self) -> None:
        await self.reader.close()


@dataclass(frozen=True, slots=True)
class Overheard(TableMarket):
    """`listener` makes a function for each reader."""

    listener: Callable[[], Listener]

    async def readers(
        self, symbols: Sequence[str], span: Span, settings: KernelSettings, given: Sequence[PlacedEvent]
    ) -> list[Reader]:
        found = await TableMarket.readers(self, symbols, span, settings, given)
        return [Through(reader, self.listener()) for reader in found]
