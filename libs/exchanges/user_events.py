"""What an account is told on its user stream, in words that no venue owns. Between the types a venue keeps no order."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from libs.exchanges.trading import AlgoState, Execution, OrderState, PositionSide


@dataclass(frozen=True, slots=True)
class OrderTold:
    """An order has changed. `execution`: its fill, where the change is one; it may be told twice, so count trades by their id.
    `is_forced`: the venue's own order (liquidation, ADL, settlement), which nobody here has sent."""

    order: OrderState
    execution: Execution | None
    is_forced: bool
    event_ms: int


@dataclass(frozen=True, slots=True)
class AlgoTold:
    """A conditional order has changed."""

    algo: AlgoState
    event_ms: int


@dataclass(frozen=True, slots=True)
class PositionTold:
    """A position as it is after the change; `amount` is below 0 for a short."""

    symbol: str
    position_side: PositionSide
    amount: Decimal
    entry_price: Decimal


@dataclass(frozen=True, slots=True)
class AccountTold:
    """Wallets and positions that have changed, and why (ORDER, FUNDING_FEE, DEPOSIT, WITHDRAW ...): the venue's words."""

    reason: str
    wallets: dict[str, Decimal]
    positions: tuple[PositionTold, ...]
    event_ms: int


@dataclass(frozen=True, slots=True)
class LeverageTold:
    """A symbol's leverage was changed, here or elsewhere."""

    symbol: str
    leverage: int
    event_ms: int


@dataclass(frozen=True, slots=True)
class MarginCallTold:
    """Positions are near their liquidation."""

    symbols: tuple[str, ...]
    event_ms: int


@dataclass(frozen=True, slots=True)
class StreamExpired:
    """The venue tells nothing more on this connection."""

    event_ms: int


UserEvent = OrderTold | AlgoTold | AccountTold | LeverageTold | MarginCallTold | StreamExpired


class UserStreamHandler(Protocol):
    """Who hears an account. Nothing is told again after a connection was lost: what happened meanwhile has to be asked for."""

    def on_user_open(self) -> None:
        """A connection stands; ask for everything now."""
        ...

    def on_user_events(self, events: Sequence[UserEvent]) -> None:
        """Events in the order of one connection."""
        ...

    def on_user_close(self, reason: str) -> None:
        """Nothing is heard from now on."""
        ...
