"""What the guard knows at one instant, as one frozen value; whatever is not known says so, and never passes for a number.

Amounts are quote units, prices quote units per base unit, quantities base units; ages are ms on the guard's own clock, None
where nothing was ever seen.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

Side = Literal["long", "short"]
Age = int | None
PositionKey = tuple[str, Side]
MOST_AHEAD_MS = 1_000
"""So much may the venue's time be ahead of ours; what is further ahead is not believed."""


class Unknown(Exception):
    """Something is not known, in words; whoever asks a rule gets it as a verdict, never as an exception."""


def checked(name: str, number: Decimal | int | None) -> Decimal:
    """The number, if it is one. Raises `Unknown` for None, NaN and infinity."""
    if number is None:
        raise Unknown(f"{name} is not known")
    value = Decimal(number)
    if not value.is_finite():
        raise Unknown(f"{name} is not a number")
    return value


def checked_age(name: str, age_ms: Age) -> Decimal:
    """The age (ms), if it is one. Raises `Unknown` for None, and for what is of a time that has not come yet."""
    value = checked(name, age_ms)
    if value < -MOST_AHEAD_MS:
        raise Unknown(f"{name} is of a time that has not come")
    return value


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and its age. Without arguments: one that is not known. `lacks`: what is still to be taken from it, in words; then
    the true number is less."""

    value: Decimal | None = None
    age_ms: Age = None
    lacks: str = ""

    def read(self, name: str, stale_ms: int) -> Decimal:
        """The number. Raises `Unknown` where there is none, it is not finite, older than `stale_ms`, or from the future."""
        value = checked(name, self.value)
        age_ms = checked_age(f"the age of {name}", self.age_ms)
        if age_ms > stale_ms:
            raise Unknown(f"{name} is {seconds(age_ms)} old")
        return value


UNKNOWN = Figure()


@dataclass(frozen=True, slots=True)
class Account:
    """The account as a whole. R is the risk that each trade had at its entry, `realised_today*` includes costs and funding.

    `peak_equity`: the day's highest equity less what had been moved in by then; `moved`: deposits less withdrawals and transfers
    since the day's baselines (both from `baselines`). `losses_in_a_row` and `worst_slippage_bps` count from
    `GuardState.counts_from_ms`. `age_ms`: since anything of the account was heard; where nothing ever was, since the guard
    started.
    """

    equity: Figure = UNKNOWN
    balance: Figure = UNKNOWN
    realised_today: Figure = UNKNOWN
    realised_today_r: Figure = UNKNOWN
    unrealised: Figure = UNKNOWN
    peak_equity: Figure = UNKNOWN
    moved: Figure = UNKNOWN
    losses_in_a_row: Figure = UNKNOWN
    orders_last_minute: Figure = UNKNOWN
    worst_slippage_bps: Figure = UNKNOWN
    age_ms: Age = None


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop at the venue against positions of `side`. `quantity` None: it closes the whole position, whatever that is then.

    `waits`: it is still there to be triggered. One that has finished protects nothing, whatever became of its order.
    """

    side: Side
    quantity: Decimal | None
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Position:
    """One open position; hedge mode may have two in a symbol. `quantity` has no sign. `stops` None: what rests is not known.

    `bare_ms`: how long it has been without a stop that covers it; 0 with one. `is_new`: it was opened a moment ago, so that what
    nobody has read of it yet is not missing.
    """

    symbol: str
    side: Side
    quantity: Figure = UNKNOWN
    entry_price: Figure = UNKNOWN
    mark_price: Figure = UNKNOWN
    last_price: Figure = UNKNOWN
    unrealised_r: Figure = UNKNOWN
    opened_ms: int | None = None
    stops: tuple[Stop, ...] | None = None
    stops_age_ms: Age = None
    bare_ms: Age = None
    is_new: bool = False

    @property
    def key(self) -> PositionKey:
        """What tells it from others."""
        return self.symbol, self.side


@dataclass(frozen=True, slots=True)
class Feed:
    """A market feed of a symbol that is traded: when it was last heard, and which share of its trades has arrived (0 to 1)."""

    name: str
    age_ms: Age = None
    complete: Figure = UNKNOWN


@dataclass(frozen=True, slots=True)
class Services:
    """Since when others are silent, and how far our clock is ahead of the venue's (ms, below 0: behind)."""

    engine_ms: Age = None
    executor_ms: Age = None
    reconciled_ms: Age = None
    clock_skew: Figure = UNKNOWN


@dataclass(frozen=True, slots=True)
class GuardInputs:
    """Everything that a look at an account sees, at `now_ms` (UTC). `positions` lists the open ones, as they were
    `positions_age_ms` ago."""

    now_ms: int
    account: Account = field(default_factory=Account)
    positions: tuple[Position, ...] = ()
    positions_age_ms: Age = None
    feeds: tuple[Feed, ...] = ()
    services: Services = field(default_factory=Services)

    def open_positions(self, stale_ms: int) -> tuple[Position, ...]:
        """The positions. Raises `Unknown` where the list is older than `stale_ms`, or was never read."""
        Figure(Decimal(len(self.positions)), self.positions_age_ms).read("the list of positions", stale_ms)
        return self.positions


def is_covered(position: Position, stale_ms: int) -> bool:
    """Whether one stop that still waits closes all of it: a finished, smaller or opposite one counts as none, and two halves
    are no whole. Raises `Unknown` where stops or quantity are not known or older than `stale_ms`."""
    name = f"{position.symbol} {position.side}"
    if position.stops is None:
        raise Unknown(f"what stops {name} is not known")
    Figure(Decimal(len(position.stops)), position.stops_age_ms).read(f"the list of stops of {name}", stale_ms)
    waiting = [one for one in position.stops if one.waits and one.side == position.side]
    if any(one.quantity is None for one in waiting):
        return True
    if not waiting:
        return False
    quantity = position.quantity.read(f"the quantity of {name}", stale_ms)
    return any(one.quantity is not None and one.quantity.is_finite() and one.quantity >= quantity for one in waiting)


def seconds(age_ms: Decimal | int) -> str:
    """An age in words."""
    return f"{Decimal(age_ms) / 1000:.1f} s"
