"""Continuity of one symbol's aggregate ids: what may be published now, what waits for a gap to be filled, what is a copy.

Rule 3: a gap is filled, or declared as missing, before anything newer of that symbol is published.
"""

from bisect import bisect_left
from collections.abc import Iterable
from enum import Enum
from operator import attrgetter
from typing import NamedTuple

from libs.contracts.market import NEVER_EXISTED, UNKNOWN_TIME
from libs.contracts.plausible import LATEST_MS
from libs.exchanges import AggTrade

UNKNOWN_ID = -1
# Several times what any symbol trades in the two days that the venue keeps: further ahead no id is believed.
FURTHEST_AHEAD = 100_000_000
_ID = attrgetter("agg_id")


class Continuity(Enum):
    """LIVE: every id so far is published and the connection is whole. DOUBT: trades may have passed us unseen; the next id
    decides, or REST. WAITING: one connection has jumped over ids that another one may still bring; newer trades are held.
    FILLING: ids are known to be missing (or the first id is not known yet) and newer trades are held."""

    LIVE = "live"
    DOUBT = "doubt"
    WAITING = "waiting"
    FILLING = "filling"


class Missing(NamedTuple):
    """Ids, both inclusive, that will not come; stands before the next trade."""

    first: int
    last: int
    cause: str


Release = list["AggTrade | Missing"]


class Skipped(NamedTuple):
    """Ids, both inclusive, that are published and that a line jumped over; the times (ms) of what it told before and after."""

    first: int
    last: int
    from_ms: int
    to_ms: int


class Told(NamedTuple):
    """What an answer of REST proves. `caught_up`: it had nothing newer when it was asked, which proves continuity if the
    connection has been whole since then (`generation` as it was before asking). `cause`: why ids that it skips are missing: the
    venue has no such trades, or none any more. `asked`: from which id on; of what was taken back since then it proves nothing."""

    caught_up: bool
    generation: int
    cause: str = NEVER_EXISTED
    asked: int = UNKNOWN_ID


class ContinuityTracker:
    """`expected` is the next id to publish (`UNKNOWN_ID` before the first). Never releases an id twice or out of order.

    `held` is bounded: when it is full, newer trades are not kept; they are found missing afterwards and fetched by REST.
    `lines` are the healthy connections that deliver the symbol: ids are missing when each of them has jumped over them. `told` is
    the newest id that one of them has told, or that was known at the start, and `told_time` its time: what REST brought beyond
    it, the stream still owes; `owed` are published ids that one of several lines jumped over and another may still tell,
    `skipped` those that none will tell any more. `heard`: the stream has told something new since it was opened. `held` is in
    order of ids, each once.
    """

    __slots__ = (
        "_furthest",
        "_held",
        "_limit",
        "_only_rest",
        "disbelieved",
        "duplicates",
        "expected",
        "generation",
        "heard",
        "lines",
        "owed",
        "skipped",
        "state",
        "told",
        "told_time",
    )

    def __init__(self, expected: int = UNKNOWN_ID, held_limit: int = 50_000) -> None:
        self.expected = expected
        self.told = expected - 1 if expected != UNKNOWN_ID else UNKNOWN_ID
        self.told_time = UNKNOWN_TIME
        self.owed: list[Skipped] = []
        self.skipped: list[Skipped] = []
        self.state = Continuity.DOUBT if expected != UNKNOWN_ID else Continuity.FILLING
        self.duplicates = 0
        self.disbelieved = 0
        self.generation = 0
        self.lines: frozenset[int] = frozenset()
        self._furthest: dict[int, int] = {}
        self.heard = False
        self._held: list[AggTrade] = []
        # An id that a stream has told in a way that cannot be published.
        self._only_rest = UNKNOWN_ID
        self._limit = held_limit

    @property
    def held(self) -> int:
        """How many newer trades wait."""
        return len(self._held)

    @property
    def first_held(self) -> AggTrade | None:
        """The oldest trade that waits."""
        return self._held[0] if self._held else None

    def gaps(self, *, given_up: bool = False) -> list[tuple[int, int, AggTrade | None, AggTrade]]:
        """The ids that are known to be missing, oldest first: first, last, the held trade before (None: the last published one)
        and the one after. Empty before the first id is known. Of several lines, one that has not come so far may still bring
        what lies behind the first gap; the first one too, unless it is `given_up`."""
        found: list[tuple[int, int, AggTrade | None, AggTrade]] = []
        wanted, before = self.expected, None
        if wanted == UNKNOWN_ID or self.state is not Continuity.FILLING:
            return found
        for trade in self._held:
            if trade.agg_id > wanted:
                waits = len(self.lines) > 1 and not self._passed_by_all(trade.agg_id - 1)
                if waits and not (given_up and wanted == self.expected):
                    break
                found.append((wanted, trade.agg_id - 1, before, trade))
            wanted, before = trade.agg_id + 1, trade
        return found

    def offer(self, trade: AggTrade, line: int = 0) -> bool:
        """A trade of the stream, by one of its lines. True: publish it now, and then what `follow_up` gives. False: it is a
        copy, or it waits."""
        trade_id = trade.agg_id
        if trade_id == self.expected and (self.state is not Continuity.FILLING or self._brought_late(trade_id)):
            self.expected = trade_id + 1
            if trade_id > self.told:
                if trade_id != self.told + 1:
                    self._skip_to(trade)
                self.told, self.told_time = trade_id, trade.trade_time
            if self.state is Continuity.DOUBT:
                self.state = Continuity.LIVE
            self.heard = True
            return True
        if trade_id < self.expected:
            if trade_id > self.told:
                self._skip_to(trade)
                self.told, self.told_time = trade_id, trade.trade_time
            elif self.owed:
                self._tells_after_all(trade_id)
            self.duplicates += 1
            return False
        return self._hold(trade, line)

    def _brought_late(self, agg_id: int) -> bool:
        """REST is being asked, but one line was only slower than our patience. A single line that goes back is not believed."""
        return len(self.lines) > 1 and agg_id != self._only_rest

    def follow_up(self) -> Release:
        """What waited for the trade that was just published, as far as it is contiguous."""
        return self._release_held([]) if self._held else []

    def lost_lines(self, lines: frozenset[int]) -> bool:
        """These are left. True: what was waited for cannot come any more, REST shall be asked."""
        self.lines = lines
        if len(lines) < 2:
            self.settle()
        return self.state is Continuity.WAITING and self._passed_by_all() and self.stop_waiting()

    def stop_waiting(self) -> bool:
        """The other line does not bring it in time. True: REST shall be asked; false when nothing is waited for."""
        if self.state is not Continuity.WAITING:
            return False
        self.state = Continuity.FILLING
        return True

    def _hold(self, trade: AggTrade, line: int) -> bool:
        if self.expected == UNKNOWN_ID and self.state is Continuity.LIVE:
            self.expected = trade.agg_id + 1
            self.told, self.told_time = trade.agg_id, trade.trade_time
            self.heard = True
            return True
        self._furthest[line] = max(trade.agg_id, self._furthest.get(line, UNKNOWN_ID))
        if self.state is not Continuity.FILLING:
            self.state = Continuity.FILLING if self._passed_by_all() else Continuity.WAITING
        if self._held and trade.agg_id <= self._held[-1].agg_id:
            self._go_back(trade)
        elif self.expected != UNKNOWN_ID and trade.agg_id - self.expected > FURTHEST_AHEAD:
            self.disbelieved += 1
        elif len(self._held) < self._limit:
            self._held.append(trade)
            self._skip_to(trade)
            if trade.agg_id > self.told:
                self.told, self.told_time = trade.agg_id, trade.trade_time
            self.heard = True
        return False

    def _skip_to(self, trade: AggTrade) -> None:
        """A line tells this trade after `told`: what REST has published of those between, it will not tell any more."""
        last = min(trade.agg_id, self.expected) - 1
        if self.told < last and self.told != UNKNOWN_ID:
            self._owe(Skipped(self.told + 1, last, self.told_time, trade.trade_time))

    def _owe(self, part: Skipped) -> None:
        parts = self.skipped if len(self.lines) < 2 else self.owed
        if parts and parts[-1].last + 1 == part.first:
            before = parts.pop()
            part = before._replace(last=part.last, to_ms=max(before.to_ms, part.to_ms))
        parts.append(part)

    def _tells_after_all(self, agg_id: int) -> None:
        for place, part in enumerate(self.owed):
            if part.first <= agg_id <= part.last:
                pieces = part._replace(last=agg_id - 1), part._replace(first=agg_id + 1)
                self.owed[place : place + 1] = [piece for piece in pieces if piece.first <= piece.last]
                return

    def settle(self, until: int | None = None) -> None:
        """What is owed (up to an id) will not be told by any other line: each has told something newer, is lost, or had its
        time."""
        self.skipped += [part for part in self.owed if until is None or part.first <= until]
        self.owed = [part for part in self.owed if until is not None and part.first > until]

    def _passed_by_all(self, agg_id: int | None = None) -> bool:
        """Whether each line has jumped over the id (by default `expected`): then none will bring it."""
        wanted = self.expected if agg_id is None else agg_id
        return all(self._furthest.get(line, UNKNOWN_ID) > wanted for line in self.lines)

    def _go_back(self, trade: AggTrade) -> None:
        """An id below the newest held one. Of several lines each tells ids in order, but not all of them the same: what one left
        out comes in between. A single one that goes back has told a wrong id before: what lies above goes, and REST tells what
        was right of it."""
        held, place = self._held, bisect_left(self._held, trade.agg_id, key=_ID)
        if held[place].agg_id == trade.agg_id:
            self.duplicates += 1
            return
        if len(self.lines) < 2:
            self.disbelieved += len(held) - place
            del held[place:]
            self.told, self.told_time = trade.agg_id, trade.trade_time
        held.insert(place, trade)

    def forget_held(self, last_time: int) -> None:
        """The venue knows nothing of the held trades: what was right of them will be found missing and fetched. `last_time`: that
        of the last published trade."""
        self.disbelieved += len(self._held)
        self._held.clear()
        self.told, self.told_time = self.expected - 1, last_time

    def begin(self, expected: int) -> Release:
        """The first id of a fresh symbol is known (`UNKNOWN_ID`: the venue has no trade yet, take whatever comes)."""
        self.expected, self.told = expected, max(self.told, expected - 1)
        if expected == UNKNOWN_ID and self._held:
            self.expected = self._held[0].agg_id
        elif expected == UNKNOWN_ID:
            self.state = Continuity.LIVE
            return []
        return self._release_held([])

    def interrupt(self) -> None:
        """The connection is lost: what follows the last trade is unknown."""
        self.generation += 1
        self.heard = False
        self._furthest.clear()
        if self.state is Continuity.LIVE:
            self.state = Continuity.DOUBT
        elif self.state is Continuity.WAITING:
            self.state = Continuity.FILLING

    def distrust(self) -> bool:
        """The stream told the next trade in a way that cannot be true: REST shall tell it. False when it is asked already."""
        self._only_rest = self.expected
        if self.state is Continuity.FILLING:
            return False
        self.state = Continuity.FILLING
        return True

    def take_back(self, agg_id: int, newer: Iterable[AggTrade]) -> None:
        """`agg_id` was released but cannot be published as it was told: REST shall tell it. `newer` were released behind it."""
        self.expected = self._only_rest = agg_id
        self.state = Continuity.FILLING
        self._held[:0] = newer

    def fill(self, rows: Iterable[AggTrade], told: Told) -> Release:
        """Rows that REST gave from `expected` on, ascending. Ids that it skips are missing for good. A row that cannot be true
        ends the answer: nothing of it or behind it is believed, and it is asked for again. What the stream has told stays."""
        out: Release = []
        if told.asked > self.expected:
            return out
        whole = True
        for row in rows:
            if row.agg_id < self.expected:
                continue
            far = self.expected != UNKNOWN_ID and row.agg_id - self.expected > FURTHEST_AHEAD
            if far or not 0 <= row.trade_time < LATEST_MS:
                self.disbelieved += 1
                whole = False
                break
            self._take_held_below(row.agg_id, out, told.cause)
            if len(self.lines) > 1 and self._may_still_come(row.agg_id):
                self._owe(Skipped(row.agg_id, row.agg_id, row.trade_time, row.trade_time))
            if row.agg_id > self.expected:
                out.append(Missing(self.expected, row.agg_id - 1, told.cause))
            out.append(row)
            self.expected = row.agg_id + 1
        self._release_held(out)
        if not self._held and whole and told.caught_up and told.generation == self.generation:
            self.state = Continuity.LIVE
        return out

    def _may_still_come(self, agg_id: int) -> bool:
        """Whether one line has jumped over it, but not each: then it is in no gap yet."""
        waits = bool(self._held) and self._held[0].agg_id == agg_id
        return agg_id < self.told and not waits and not self._passed_by_all(agg_id)

    def abandon(self, cause: str) -> Release:
        """Give up the gap before the oldest held trade; empty when nothing is held (then nothing newer is blocked)."""
        if not self._held or self.expected == UNKNOWN_ID:
            return []
        first = self._held[0].agg_id
        out: Release = [Missing(self.expected, first - 1, cause)] if first > self.expected else []
        self.expected = first
        return self._release_held(out)

    def _take_held_below(self, agg_id: int, out: Release, cause: str) -> None:
        below = bisect_left(self._held, agg_id, key=_ID)
        for trade in self._held[:below]:
            if trade.agg_id > self.expected:
                out.append(Missing(self.expected, trade.agg_id - 1, cause))
            if trade.agg_id >= self.expected:
                out.append(trade)
                self.expected = trade.agg_id + 1
        del self._held[:below]

    def _release_held(self, out: Release) -> Release:
        """Release what is contiguous now; when nothing waits any more, the trades of this connection prove continuity, unless one
        of them was taken back."""
        held, taken = self._held, 0
        while taken < len(held) and held[taken].agg_id <= self.expected:
            if held[taken].agg_id == self.expected:
                out.append(held[taken])
                self.expected += 1
            taken += 1
        before = bool(held)
        del held[:taken]
        if not held and before and self.told < self.expected:
            self.state = Continuity.LIVE if self.heard else Continuity.DOUBT
        elif held and out and not self._passed_by_all():
            self.state = Continuity.WAITING
        return out
