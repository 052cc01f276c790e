"""Which positions are open, from lists that may be two seconds old and from events that may be lost; and since when each is bare.

A position counts as bare from the last moment at which a stop was known to cover it, or from the venue's time of its first
change where that is later: never from the guard's own first look at it, which may come late.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from libs.exchanges.trading import Position as VenuePosition
from libs.exchanges.trading import PositionSide
from libs.exchanges.user_events import PositionTold
from libs.trading.risk.inputs import Figure, Position, PositionKey, Side, Unknown, is_covered
from services.risk_guard.marks import MarkBook
from services.risk_guard.moment import Moment
from services.risk_guard.stops import STALE_MS, StopBook

LEFT_TO_ACT_MS = 1_500
"""So long before a position is closed for want of a stop the guard wants to have tried to place one."""


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """One of them. `quantity` without a sign; prices and `unrealised` None where only an event has told of it yet."""

    key: PositionKey
    position_side: PositionSide
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal | None
    unrealised: Decimal | None
    updated_ms: int
    seen_at_ms: int

    def at_price(self, mark: Decimal) -> "OpenPosition":
        """The same at another mark price."""
        signed = self.quantity if self.key[1] == "long" else -self.quantity
        return replace(self, mark_price=mark, unrealised=signed * (mark - self.entry_price))

    def as_told(self) -> VenuePosition:
        """As a venue tells it."""
        return VenuePosition(
            symbol=self.key[0],
            position_side=self.position_side,
            amount=self.quantity if self.key[1] == "long" else -self.quantity,
            entry_price=self.entry_price,
            mark_price=self.mark_price or self.entry_price,
            unrealised=self.unrealised or Decimal(0),
            liquidation_price=Decimal(0),
            updated_ms=self.updated_ms,
        )


@dataclass(slots=True)
class PositionBook:
    """Times named `at` are those of the clock that only grows; `first_seen` is remembered over restarts (ms, UTC).

    `away_since_ms`: the last look before a restart (ms, UTC), until the first list after it.
    """

    first_seen: dict[str, int] = field(default_factory=dict)
    away_since_ms: int | None = None
    marks: MarkBook = field(default_factory=MarkBook)
    _listed: dict[PositionKey, OpenPosition] = field(default_factory=dict)
    _asked_at_ms: int | None = None
    _told: dict[PositionKey, OpenPosition] = field(default_factory=dict)
    _covered_at_ms: dict[PositionKey, int] = field(default_factory=dict)
    _known_since_ms: dict[PositionKey, int] = field(default_factory=dict)
    _unknown_since_ms: dict[PositionKey, int] = field(default_factory=dict)
    _bare: dict[PositionKey, bool] = field(default_factory=dict)

    @property
    def asked_at_ms(self) -> int | None:
        """When the newest list was asked for; None before the first."""
        return self._asked_at_ms

    def listed(self, asked_at_ms: int, positions: Iterable[VenuePosition]) -> None:
        """The venue's list. An older one than the last changes nothing."""
        if self._asked_at_ms is not None and asked_at_ms < self._asked_at_ms:
            return
        self._asked_at_ms = asked_at_ms
        self._listed = {}
        for one in positions:
            if one.amount:
                key = _key(one.symbol, one.position_side, one.amount)
                self._listed[key] = OpenPosition(
                    key,
                    one.position_side,
                    abs(one.amount),
                    one.entry_price,
                    one.mark_price,
                    one.unrealised,
                    one.updated_ms,
                    asked_at_ms,
                )
        self._told = {key: one for key, one in self._told.items() if asked_at_ms < one.seen_at_ms + STALE_MS}

    def told(self, position: PositionTold, event_ms: int, at_ms: int) -> None:
        """An event: what it says is newer than what lists show for a while."""
        for key in _keys(position.symbol, position.position_side):
            amount = position.amount if key == _key(position.symbol, position.position_side, position.amount) else 0
            self._told[key] = OpenPosition(
                key,
                position.position_side,
                abs(Decimal(amount)),
                position.entry_price,
                None,
                None,
                event_ms,
                at_ms,
            )

    def open(self) -> dict[PositionKey, OpenPosition]:
        """What is open, as well as it is known."""
        found = dict(self._listed)
        for key, told in self._told.items():
            listed = found.get(key)
            if listed is not None and listed.quantity == told.quantity:
                continue
            found[key] = told
        return {key: self._at_mark(one) for key, one in sorted(found.items()) if one.quantity}

    def is_marked(self, now: Moment) -> bool:
        """Whether the mark price of everything that is open is of this moment."""
        return all(self.marks.is_fresh(symbol, now) for symbol, _ in self.open())

    def _at_mark(self, one: OpenPosition) -> OpenPosition:
        """At the newest mark price. A price that was heard is that of the list a moment later: as old as the list is all else."""
        mark = self.marks.since(one.key[0], one.seen_at_ms)
        return one if mark is None else one.at_price(mark)

    def remember(self, now: Moment) -> None:
        """Note the first sight of what is new, and forget what has gone."""
        current = self.open()
        for key, one in current.items():
            self.first_seen.setdefault(name_of(*key), min(one.updated_ms or now.now_ms, now.now_ms))
        if self._asked_at_ms is None:
            return  # nothing was asked yet: what was open before a restart may be open still
        names = {name_of(*key) for key in current}
        for name in [name for name in self.first_seen if name not in names]:
            del self.first_seen[name]
        for known in (self._covered_at_ms, self._known_since_ms, self._unknown_since_ms, self._bare):
            for key in [key for key in known if key not in current]:
                del known[key]

    def changed_unseen(self) -> list[str]:
        """Once, with the first list after a restart: what was open before and has changed since. It may be another position,
        whose time began with that."""
        since_ms = self.away_since_ms
        if since_ms is None or self._asked_at_ms is None:
            return []
        self.away_since_ms = None
        changed = [
            one for one in self._listed.values() if one.updated_ms > since_ms and name_of(*one.key) in self.first_seen
        ]
        for one in changed:
            self.first_seen[name_of(*one.key)] = one.updated_ms
        return [name_of(*one.key) for one in changed]

    def has_bare(self, symbol: str | None = None) -> bool:
        """Whether one of them (of that symbol) has no stop, or nobody knows."""
        return any(self._bare.get(key, True) for key in self.open() if symbol in (None, key[0]))

    def is_bare(self, key: PositionKey) -> bool:
        """Whether it is known to have no stop."""
        return self._bare.get(key, False)

    def unknown_ms(self, key: PositionKey, now: Moment) -> int:
        """For how long no list has said whether it has a stop; 0 where one does."""
        return now.at_ms - self._unknown_since_ms.get(key, now.at_ms)

    def prove(self, key: PositionKey, at_ms: int) -> None:
        """The venue has said that a stop covers it, in another way than by a list."""
        self._covered_at_ms[key] = max(at_ms, self._covered_at_ms.get(key, at_ms))

    def unproven_ms(self, key: PositionKey, now: Moment) -> int:
        """How long ago a stop was last known to cover it, or its beginning, if none ever was."""
        began = now.at_of(self.first_seen.get(name_of(*key), now.now_ms))
        return now.at_ms - max(began, self._covered_at_ms.get(key, began))

    def bare_ms(self, position: Position, stops: StopBook, now: Moment, limits: tuple[int, int]) -> int | None:
        """How long the position has been without a stop, 0 with one, None where that cannot be told now. `limits`: from when on a
        list is stale, and from when on the position is closed for want of a stop.

        After a start, and after a time without lists, the position is left long enough for a stop of our own.
        """
        stale_ms, close_ms = limits
        seen = stops.seen(position.symbol)
        try:
            covered = is_covered(position, stale_ms)
        except Unknown:
            self._known_since_ms.pop(position.key, None)
            self._bare.pop(position.key, None)
            self._unknown_since_ms.setdefault(position.key, now.at_ms)
            return None
        self._unknown_since_ms.pop(position.key, None)
        self._bare[position.key] = not covered
        since_ms = self._known_since_ms.setdefault(position.key, now.at_ms)
        if covered:
            assert seen is not None, "without a list it would be unknown"
            proven = max(seen.proven_at_ms, self._covered_at_ms.get(position.key, 0))
            self._covered_at_ms[position.key] = proven
            return 0
        bare = self.unproven_ms(position.key, now)
        return min(bare, max(0, close_ms - LEFT_TO_ACT_MS) + now.at_ms - since_ms)


def name_of(symbol: str, side: str) -> str:
    """How a position is named in what is remembered."""
    return f"{symbol}:{side}"


def figure(value: Decimal | None, seen_at_ms: int, now: Moment) -> Figure:
    """A number with its age."""
    return Figure() if value is None else Figure(value, now.at_ms - seen_at_ms)


def _key(symbol: str, position_side: str, amount: Decimal) -> PositionKey:
    if position_side == "BOTH":
        return symbol, "long" if amount > 0 else "short"
    return symbol, "long" if position_side == "LONG" else "short"


def _keys(symbol: str, position_side: str) -> Iterator[PositionKey]:
    """Those that an event about this side is about: without hedge mode also the other direction, which is over then."""
    sides: tuple[Side, ...] = ("long", "short")
    for side in sides:
        if position_side in ("BOTH", side.upper()):
            yield symbol, side
