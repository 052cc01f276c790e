"""What an account's venue was seen to hold, in plain values of no venue, each with the time at which it was asked.

Lists of positions and of conditional orders may be up to two seconds old when they are answered; a list of orders or fills is
taken for what it says. Prices are quote units per base unit, quantities base units, times ms of the venue's clock.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from libs.trading.execution.facts import AlgoSeen, ExecutionSeen, OrderSeen

STALE_MS = 2_000
"""So old may be what a list of positions or conditional orders says."""
PositionLeg = Literal["BOTH", "LONG", "SHORT"]


@dataclass(frozen=True, slots=True)
class PositionHeld:
    """An open position (`amount` below 0: short). `leg` BOTH: of one-way mode."""

    symbol: str
    amount: Decimal
    entry_price: Decimal
    mark_price: Decimal
    liquidation_price: Decimal | None = None
    leg: PositionLeg = "BOTH"


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that rests, and of which symbol. `is_conditional_child`: a conditional order has become it."""

    symbol: str
    seen: OrderSeen
    is_conditional_child: bool = False


@dataclass(frozen=True, slots=True)
class OpenConditional:
    """A conditional order that waits. `is_stop`: it lessens a position when the price goes against it."""

    symbol: str
    seen: AlgoSeen
    is_stop: bool = True


@dataclass(frozen=True, slots=True)
class FillList:
    """All fills of a symbol from `from_id` (or `since_ms`) on, as they were when `asked_ms`; the oldest first. `is_whole`: the
    list reaches back to where it was to begin, and to its end."""

    fills: tuple[ExecutionSeen, ...]
    asked_ms: int
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class HeldTerms:
    """How a symbol is traded on the account. `margin_type`: CROSSED or ISOLATED."""

    leverage: int
    margin_type: str


@dataclass(frozen=True, slots=True)
class VenuePicture:
    """One look at the account. Each `..._ms` says when that question was asked.

    `fills`: of the symbols for which a comparison wanted them. `names`: client ids by symbol and the venue's number of an order,
    as far as they were asked for; "" for one that it does not tell any more. `terms` and `statuses`: as far as they are known;
    a symbol that is in `statuses` and not TRADING does not trade.
    """

    positions: tuple[PositionHeld, ...]
    positions_ms: int
    orders: tuple[OpenOrder, ...]
    orders_ms: int
    conditionals: tuple[OpenConditional, ...]
    conditionals_ms: int
    is_hedged: bool | None = None
    is_multi_assets: bool | None = None
    fills: Mapping[str, FillList] = field(default_factory=dict)
    names: Mapping[tuple[str, int], str] = field(default_factory=dict)
    terms: Mapping[str, HeldTerms] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)

    @property
    def oldest_ms(self) -> int:
        """When the first of its lists was asked for."""
        return min(self.positions_ms, self.orders_ms, self.conditionals_ms)

    def resting(self) -> Iterator[OpenOrder | OpenConditional]:
        """Everything that rests, conditional or not."""
        yield from self.conditionals
        yield from self.orders


@dataclass(frozen=True, slots=True)
class FillsWanted:
    """A list of a symbol's fills that a comparison needs: from the fill `from_id` on, or since `since_ms` where no fill of ours
    is known."""

    symbol: str
    from_id: int | None
    since_ms: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to be asked before two sides can be compared to the end; then compare again with the same picture, completed.

    `names`: symbol and the venue's number of an order.
    """

    fills: tuple[FillsWanted, ...] = ()
    names: tuple[tuple[str, int], ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether everything is known that matters."""
        return not self.fills and not self.names


NOTHING = Wanted()
