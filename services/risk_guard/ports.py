"""What the guard needs from outside, so that all of it runs in one process on any clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from libs.contracts.event import Event
from libs.exchanges.flatten_orders import MarketLot
from libs.exchanges.trading import TradingVenue
from libs.kit.clock import Clock
from libs.trading.command_check import TrustedKeys
from libs.trading.risk.limits import RiskLimits
from services.risk_guard.memory import Keeper


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """What orders of a symbol must fit: prices to multiples of `tick` (quote units), quantities to the lot."""

    tick: Decimal
    lot: MarketLot


class OrderMarket(Protocol):
    """What is public at the order venue. Everything raises `VenueError`."""

    async def last_prices(self) -> Mapping[str, Decimal]:
        """The last price of every symbol, quote units."""
        ...

    async def clock_skew_ms(self) -> Decimal:
        """How far our clock is ahead of the venue's."""
        ...

    async def worth(self, asset: str, since_ms: int, until_ms: int) -> Mapping[int, Decimal]:
        """What an asset was worth in the minutes of that time, as far as it was traded: as `worth_by_minute` says."""
        ...

    async def rules(self, symbols: Sequence[str]) -> Mapping[str, SymbolRules]:
        """The rules of those that the venue has."""
        ...


class Outlet(Protocol):
    """Who tells others. Nothing waits for it, and it never fails: a broker that is away is its own trouble."""

    def publish(self, events: Sequence[Event]) -> None: ...


@dataclass(frozen=True, slots=True)
class GuardParts:
    """`account` and `installation`: whose orders these are; `default_stop_percent`: see the setting. `wall`: the machine's
    clock, by which people's commands are in time or not; None: `clock`, the venue's, is the same."""

    account: str
    installation: str
    venue: TradingVenue
    market: OrderMarket
    keeper: Keeper
    outlet: Outlet
    clock: Clock
    keys: TrustedKeys
    limits: RiskLimits = field(default_factory=RiskLimits)
    default_stop_percent: Decimal = Decimal(3)
    wall: Clock | None = None
