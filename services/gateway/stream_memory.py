"""What the stream's channels remember: of some facts the newest by key, of others the last ones as a list.

Nothing is kept for a client but the place up to which it has taken: whoever is slow takes less often, and then gets the newest
of each key, or the list from there on as far as it is still known. Texts are made once for all who take the same.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

MOST_AT_ONCE = 200
MOST_LISTED = 1_000
MOST_SHOWN = 50
_MOST_ANSWERS = 500


@dataclass(frozen=True, slots=True)
class Item:
    """A fact as it is sent. `symbol`, `strategy` None: it is of none, and whoever wants only some does not get it."""

    text: str
    symbol: str | None = None
    strategy: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which facts; empty: all."""

    symbols: frozenset[str] = frozenset()
    strategies: frozenset[str] = frozenset()

    def takes(self, item: Item) -> bool:
        """Whether the fact is one of these."""
        if self.symbols and item.symbol not in self.symbols:
            return False
        return not self.strategies or item.strategy in self.strategies


@dataclass(frozen=True, slots=True)
class Taken:
    """What a client gets, as JSON values with commas between. `sequence`: up to where. `missed`: so many facts of the channel
    are no longer known. `more`: there is more to take."""

    sequence: int
    text: str
    missed: int = 0
    more: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.text and not self.missed


class Channel(Protocol):
    """Where facts come in under growing numbers, and clients take them."""

    @property
    def sequence(self) -> int:
        """The number of the last fact."""
        ...

    def put(self, key: str, item: Item) -> bool:
        """A fact; False for one that is known already."""
        ...

    def snapshot(self, wanted: Wanted) -> Taken:
        """What there is now."""
        ...

    def since(self, sequence: int, wanted: Wanted) -> Taken:
        """What has come after the fact of that number."""
        ...


@dataclass(slots=True)
class Newest:
    """The newest fact of each key. Of `kept` keys at most, the ones that changed last."""

    kept: int = 20_000
    sequence: int = 0
    _items: dict[str, tuple[int, Item]] = field(default_factory=dict)  # in the order of their last change
    _answers: dict[tuple[int, Wanted], Taken] = field(default_factory=dict)

    def put(self, key: str, item: Item) -> bool:
        self.sequence += 1
        self._items.pop(key, None)
        self._items[key] = (self.sequence, item)
        while len(self._items) > self.kept:
            del self._items[next(iter(self._items))]
        self._answers.clear()
        return True

    def snapshot(self, wanted: Wanted) -> Taken:
        return self.since(0, wanted)

    def since(self, sequence: int, wanted: Wanted) -> Taken:
        known = self._answers.get((sequence, wanted))
        if known is None:
            known = Taken(self.sequence, ",".join(item.text for item in self._after(sequence) if wanted.takes(item)))
            if len(self._answers) < _MOST_ANSWERS:
                self._answers[sequence, wanted] = known
        return known

    def _after(self, sequence: int) -> list[Item]:
        found = []
        for number, item in reversed(self._items.values()):
            if number <= sequence:
                break
            found.append(item)
        return found[::-1]


@dataclass(slots=True)
class Listed:
    """The last facts, each once by its key, in their order: none stands for another."""

    sequence: int = 0
    _items: deque[tuple[int, str, Item]] = field(default_factory=lambda: deque(maxlen=MOST_LISTED))
    _keys: set[str] = field(default_factory=set)
    _answers: dict[tuple[int, Wanted], Taken] = field(default_factory=dict)

    def put(self, key: str, item: Item) -> bool:
        if key in self._keys:  # said again after a restart
            return False
        if len(self._items) == MOST_LISTED:
            self._keys.discard(self._items[0][1])
        self.sequence += 1
        self._items.append((self.sequence, key, item))
        self._keys.add(key)
        self._answers.clear()
        return True

    def snapshot(self, wanted: Wanted) -> Taken:
        """The last ones only."""
        found: list[str] = []
        for _, _, item in reversed(self._items):
            if wanted.takes(item):
                found.append(item.text)
            if len(found) == MOST_SHOWN:
                break
        return Taken(self.sequence, ",".join(found[::-1]))

    def since(self, sequence: int, wanted: Wanted) -> Taken:
        known = self._answers.get((sequence, wanted))
        if known is None:
            known = self._taken(sequence, wanted)
            if len(self._answers) < _MOST_ANSWERS:
                self._answers[sequence, wanted] = known
        return known

    def _taken(self, sequence: int, wanted: Wanted) -> Taken:
        oldest = self._items[0][0] if self._items else self.sequence + 1
        missed = max(0, oldest - 1 - sequence)
        found = [(number, item) for number, item in self._after(sequence) if wanted.takes(item)]
        now, more = found[:MOST_AT_ONCE], len(found) > MOST_AT_ONCE
        return Taken(now[-1][0] if more else self.sequence, ",".join(item.text for _, item in now), missed, more)

    def _after(self, sequence: int) -> list[tuple[int, Item]]:
        found = []
        for number, _, item in reversed(self._items):
            if number <= sequence:
                break
            found.append((number, item))
        return found[::-1]


@dataclass(slots=True)
class Waking:
    """Tells clients that a channel has something new; each waits for an event of its own."""

    _listeners: dict[str, set[asyncio.Event]] = field(default_factory=dict)

    def listen(self, channel: str, event: asyncio.Event) -> None:
        """Set `event` whenever this channel changes."""
        self._listeners.setdefault(channel, set()).add(event)

    def leave(self, channel: str, event: asyncio.Event) -> None:
        """No longer."""
        self._listeners.get(channel, set()).discard(event)

    def wake(self, channels: Iterable[str]) -> None:
        """These have changed."""
        for channel in channels:
            for event in self._listeners.get(channel, ()):
                event.set()
