"""What the executor needs of the world, so that the same code runs on Kafka and PostgreSQL and on a virtual clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from libs.contracts.event import Event
from libs.exchanges.trading import TradingVenue
from libs.kit.clock import Clock
from libs.trading.execution.admission import Quote
from libs.trading.execution.books import Books
from libs.trading.filters import SymbolFilters


class VenueTime(Clock, Protocol):
    """The venue's time, which runs `speed` times as fast as ours, and our own monotonic seconds."""

    @property
    def speed(self) -> float: ...

    @property
    def is_known(self) -> bool:
        """Whether the venue's time is known well enough to sign with it."""
        ...

    def wall_ms(self) -> int:
        """The machine's time (ms, UTC), in which people's commands expire."""
        ...

    def monotonic(self) -> float:
        """Seconds of this machine that nobody sets; leases are counted in them."""
        ...


class Outlet(Protocol):
    """Where events go. It never waits for a broker: what is told here is told again after a restart if it was lost."""

    def publish(self, events: Sequence[Event]) -> None: ...


class Market(Protocol):
    """What the order venue says of its contracts. `symbols`: those that are followed; `quote_assets`: what settles them."""

    @property
    def symbols(self) -> Sequence[str]: ...

    @property
    def quote_assets(self) -> frozenset[str]: ...

    def filters(self, symbol: str) -> SymbolFilters | None:
        """None for a symbol that it does not have, or that does not trade now."""
        ...

    def statuses(self) -> Mapping[str, str]:
        """The venue's word for each symbol, as far as it was told: TRADING, or another one."""
        ...

    def quote(self, symbol: str) -> Quote | None:
        """The newest price that was heard; None before the first."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The executor's world."""

    books: Books
    venue: TradingVenue
    outlet: Outlet
    clock: VenueTime
    market: Market
