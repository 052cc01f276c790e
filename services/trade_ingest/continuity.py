"""Continuity of one symbol's aggregate ids: what may be published now, what waits for a gap to be filled, what is a copy.

Rule 3: a gap is filled, or declared as missing, before anything newer of that symbol is published.
"""

from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from libs.contracts.plausible import LATEST_MS
from libs.exchanges import AggTrade

UNKNOWN_ID = -1
# Several times what any symbol trades in the two days that the venue keeps: further ahead no id is believed.
FURTHEST_AHEAD = 100_000_000


class Continuity(Enum):
    """LIVE: every id so far is published and the connection is whole. DOUBT: trades may have passed us unseen; the next id
    decides, or REST. FILLING: ids are known to be missing (or the first id is not known yet) and newer trades are held."""

    LIVE = "live"
    DOUBT = "doubt"
    FILLING = "filling"


class Missing(NamedTuple):
    """Ids, both inclusive, that will not come; stands before the next trade."""

    first: int
    last: int
    cause: str


Release = list["AggTrade | Missing"]


class ContinuityTracker:
    """`expected` is the next id to publish (`UNKNOWN_ID` before the first). Never releases an id twice or out of order.

    `held` is bounded: when it is full, newer trades are not kept; they are found missing afterwards and fetched by REST.
    """

    __slots__ = ("_heard", "_held", "_limit", "disbelieved", "duplicates", "expected", "generation", "state")

    def __init__(self, expected: int = UNKNOWN_ID, held_limit: int = 50_000) -> None:
        self.expected = expected
        self.state = Continuity.DOUBT if expected != UNKNOWN_ID else Continuity.FILLING
        self.duplicates = 0
        self.disbelieved = 0
        self.generation = 0
        self._heard = False
        self._held: deque[AggTrade] = deque()
        self._limit = held_limit

    @property
    def held(self) -> int:
        """How many newer trades wait."""
        return len(self._held)

    @property
    def first_held(self) -> AggTrade | None:
        """The oldest trade that waits."""
        return self._held[0] if self._held else None

    def offer(self, trade: AggTrade) -> bool:
        """A trade of the stream. True: publish it now. False: it is a copy, or it waits."""
        trade_id = trade.agg_id
        if trade_id == self.expected and self.state is not Continuity.FILLING:
            self.expected = trade_id + 1
            self.state = Continuity.LIVE
            self._heard = True
            return True
        if trade_id < self.expected:
            self.duplicates += 1
            return False
        return self._hold(trade)

    def _hold(self, trade: AggTrade) -> bool:
        if self.expected == UNKNOWN_ID and self.state is Continuity.LIVE:
            self.expected = trade.agg_id + 1
            self._heard = True
            return True
        self.state = Continuity.FILLING
        if self._held and trade.agg_id <= self._held[-1].agg_id and not self._drop_contradicted(trade.agg_id):
            self.duplicates += 1
        elif self.expected != UNKNOWN_ID and trade.agg_id - self.expected > FURTHEST_AHEAD:
            self.disbelieved += 1
        elif len(self._held) < self._limit:
            self._held.append(trade)
            self._heard = True
        return False

    def _drop_contradicted(self, agg_id: int) -> bool:
        """A stream tells ids in order, so an id below the last held one is a copy of a held trade (false), or that one was
        wrong: what lies above goes, and REST tells what was right of it."""
        if self._holds(agg_id):
            return False
        while self._held and self._held[-1].agg_id > agg_id:
            self._held.pop()
            self.disbelieved += 1
        return True

    def _holds(self, agg_id: int) -> bool:
        first, last = self._held[0].agg_id, self._held[-1].agg_id
        if last - first + 1 == len(self._held):
            return first <= agg_id <= last
        return any(trade.agg_id == agg_id for trade in self._held)

    def forget_held(self) -> None:
        """The venue knows nothing of the held trades: what was right of them will be found missing and fetched."""
        self.disbelieved += len(self._held)
        self._held.clear()

    def begin(self, expected: int) -> Release:
        """The first id of a fresh symbol is known (`UNKNOWN_ID`: the venue has no trade yet, take whatever comes)."""
        self.expected = expected
        if expected == UNKNOWN_ID and self._held:
            self.expected = self._held[0].agg_id
        elif expected == UNKNOWN_ID:
            self.state = Continuity.LIVE
            return []
        return self._release_held([])

    def interrupt(self) -> None:
        """The connection is lost: what follows the last trade is unknown."""
        self.generation += 1
        self._heard = False
        if self.state is Continuity.LIVE:
            self.state = Continuity.DOUBT

    def distrust(self) -> bool:
        """The stream told the next trade in a way that cannot be true: REST shall tell it. False when it is asked already."""
        if self.state is Continuity.FILLING:
            return False
        self.state = Continuity.FILLING
        return True

    def take_back(self, agg_id: int, newer: Iterable[AggTrade]) -> None:
        """`agg_id` was released but cannot be published as it was told: REST shall tell it. `newer` were released behind it."""
        self.expected = agg_id
        self.state = Continuity.FILLING
        self._held.extendleft(reversed(list(newer)))

    def fill(self, rows: Iterable[AggTrade], *, caught_up: bool, generation: int) -> Release:
        """Rows that REST gave from `expected` on, ascending. `caught_up`: REST had nothing newer when it was asked, which
        proves continuity if the connection has been whole since then (`generation` as it was before asking).

        Ids that REST skips are missing for good: the venue has no such trades (any more).
        """
        out: Release = []
        for row in rows:
            if row.agg_id < self.expected:
                continue
            if self.expected != UNKNOWN_ID and row.agg_id - self.expected > FURTHEST_AHEAD:
                self.disbelieved += 1
                break
            self._take_held_below(row.agg_id, out)
            if row.agg_id > self.expected:
                out.append(Missing(self.expected, row.agg_id - 1, "not_at_venue"))
            out.append(row if 0 <= row.trade_time < LATEST_MS else Missing(row.agg_id, row.agg_id, "absurd_time"))
            self.expected = row.agg_id + 1
        self._release_held(out)
        if not self._held and caught_up and generation == self.generation:
            self.state = Continuity.LIVE
        return out

    def abandon(self, cause: str) -> Release:
        """Give up the gap before the oldest held trade; empty when nothing is held (then nothing newer is blocked)."""
        if not self._held or self.expected == UNKNOWN_ID:
            return []
        first = self._held[0].agg_id
        out: Release = [Missing(self.expected, first - 1, cause)] if first > self.expected else []
        self.expected = first
        return self._release_held(out)

    def _take_held_below(self, agg_id: int, out: Release) -> None:
        held = self._held
        while held and held[0].agg_id < agg_id:
            trade = held.popleft()
            if trade.agg_id > self.expected:
                out.append(Missing(self.expected, trade.agg_id - 1, "not_at_venue"))
            if trade.agg_id >= self.expected:
                out.append(trade)
                self.expected = trade.agg_id + 1

    def _release_held(self, out: Release) -> Release:
        """Release what is contiguous now; when nothing waits any more, the trades of this connection prove continuity."""
        held = self._held
        had_held = bool(held)
        while held and held[0].agg_id <= self.expected:
            trade = held.popleft()
            if trade.agg_id == self.expected:
                out.append(trade)
                self.expected += 1
        if not held and had_held:
            self.state = Continuity.LIVE if self._heard else Continuity.DOUBT
        return out
