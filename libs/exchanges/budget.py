"""Request budgets: pure arithmetic of "may I ask now, and if not, when", for all processes that ask one host of a venue.

A venue counts per address and window, so the count belongs to the machine: `HostState` is what its processes share (see
`limiter`). Times are milliseconds of a clock that they have in common and that only grows, on the venue's scale. Source of the
limits: reference facts of the USD-M REST API, 3.1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

import msgspec

SLOTS = 60
# "2 minutes to 3 days", says Binance.
LONGEST_BAN_MS = 3 * 24 * 3600 * 1000
Reason = Literal["free", "full", "queue", "limited", "banned"]


class Priority(IntEnum):
    """Who is served first when not everybody can be."""

    GUARD = 0
    """The risk guard: it must see and close whatever the others do."""
    POSITIONS = 1
    """Orders, and what is missing of a symbol that we hold a position in."""
    GAPS = 2
    """What is missing of any other symbol that runs, and the first questions of a process."""
    LIVE = 3
    """Schedules, the clock, probes."""
    WARM_UP = 4
    """The past of a fresh start."""


@dataclass(frozen=True, slots=True)
class Pool:
    """One of a venue's counters: `limit` units of weight per `window_ms`.

    `share` of the limit is ours; the rest is for others behind the same address (a browser). `parts`: how much of our share each
    priority after the guard's may fill, so that a lower one leaves something to a higher one that comes later in the window.
    `reserve`: the share of the limit that is kept for the guard, as long as there is one; from a fresh start always.
    """

    name: str
    limit: int
    window_ms: int
    share: float = 0.8
    parts: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    reserve: float = 0.0

    @property
    def slot_ms(self) -> int:
        """The grain in which spent weight is remembered."""
        return max(1, self.window_ms // SLOTS)

    def ceiling(self, limit: int, priority: Priority) -> float:
        """The weight that may stand in any window after a question of this priority."""
        return limit * self.share * (1.0, *self.parts)[priority]

    def left_of_window(self, venue_ms: int) -> int:
        """How much of the venue's own window is left at `venue_ms` of its clock (ms): it counts in calendar windows."""
        return self.window_ms - venue_ms % self.window_ms


@dataclass(frozen=True, slots=True)
class Wish:
    """A question that wants its turn; `who` is unique on the machine, `since_ms` is when it first asked for it."""

    who: str
    weight: int
    priority: Priority
    since_ms: int


class Wait(NamedTuple):
    """How long to wait before asking for the turn again (ms; 0: it is given, the weight is spent), and why."""

    ms: int
    reason: Reason


class Usage(NamedTuple):
    """A pool at one moment: weights, times until spent weight has left the window and until a limit or ban ends (ms), and how
    many questions wait, by priority."""

    used: int
    limit: int
    remaining: int
    window_ms: int
    blocked_ms: int
    waiting: tuple[int, ...]


class Waiter(msgspec.Struct, array_like=True):
    """A question that waits; it counts as long as it is seen again and again, so that the dead hold nobody up."""

    priority: int
    since_ms: int
    seen_ms: int


class PoolState(msgspec.Struct, omit_defaults=True):
    """What was spent from one pool, in slots of (number, weight); what others behind the address have spent as far as the venue
    has told; how long it refuses us; and who waits. `limit` 0: the venue has stated none. `guarded`: what of `spent` was the
    guard's."""

    limit: int = 0
    spent: list[tuple[int, int]] = []
    guarded: list[tuple[int, int]] = []
    others: int = 0
    others_until_ms: int = 0
    limited_until_ms: int = 0
    waiting: dict[str, Waiter] = {}

    def own(self, pool: Pool, now_ms: int) -> int:
        """Our weight of the last window. A rolling one, so that no window of the venue holds more, wherever it begins: clocks
        differ, and a question that left in one minute may arrive in the next."""
        self.spent = [(slot, weight) for slot, weight in self.spent if _leaves(pool, slot) > now_ms]
        return sum(weight for _, weight in self.spent)

    def used(self, pool: Pool, now_ms: int) -> int:
        """Everybody's weight as far as we know."""
        if self.others_until_ms <= now_ms:
            self.others = 0
        return self.own(pool, now_ms) + self.others

    def room_in(self, pool: Pool, wish: Wish, now_ms: int) -> int:
        """When the weight fits below its ceiling (ms from now). One that is dearer than all of it is asked alone."""
        over = self.used(pool, now_ms) + wish.weight - pool.ceiling(self.limit or pool.limit, wish.priority)
        if wish.priority is not Priority.GUARD:
            over += self.kept(pool, wish.priority, now_ms)
        if over <= 0:
            return 0
        for until_ms, weight in sorted(self._leaving(pool)):
            over -= weight
            if over <= 0:
                return max(1, until_ms - now_ms)
        return max(1, self.whole_in(pool, now_ms)) if self.used(pool, now_ms) else 0

    def kept(self, pool: Pool, priority: Priority, now_ms: int) -> float:
        """What is left of the guard's reserve. Where no guard has asked within the window, and none waits, only the past of a
        fresh start keeps off it: at the start of a whole house a guard comes a moment later, and what the past had taken of
        its part by then would be missing to orders for the rest of the window."""
        self.guarded = [(slot, weight) for slot, weight in self.guarded if _leaves(pool, slot) > now_ms]
        is_there = self.guarded or any(waiter.priority == Priority.GUARD for waiter in self.waiting.values())
        if not is_there and priority is not Priority.WARM_UP:
            return 0.0
        return max(0.0, (self.limit or pool.limit) * pool.reserve - sum(weight for _, weight in self.guarded))

    def whole_in(self, pool: Pool, now_ms: int) -> int:
        """When nothing of what is spent counts any more (ms from now)."""
        return max((until_ms - now_ms for until_ms, _ in self._leaving(pool)), default=0)

    def _leaving(self, pool: Pool) -> Iterator[tuple[int, int]]:
        yield from ((_leaves(pool, slot), weight) for slot, weight in self.spent)
        if self.others:
            yield self.others_until_ms, self.others

    def spend(self, pool: Pool, wish: Wish, now_ms: int) -> None:
        """A question is asked now."""
        _add(self.spent, now_ms // pool.slot_ms, wish.weight)
        if wish.priority is Priority.GUARD:
            _add(self.guarded, now_ms // pool.slot_ms, wish.weight)

    def behind(self, wish: Wish) -> bool:
        """Whether somebody waits who comes first: of a higher priority, or of the same and longer."""
        mine = (wish.priority, wish.since_ms, wish.who)
        return any((other.priority, other.since_ms, who) < mine for who, other in self.waiting.items())

    def forget(self, seen_before_ms: int) -> None:
        """Waiters that were last seen before are dead, or hang."""
        self.waiting = {who: waiter for who, waiter in self.waiting.items() if waiter.seen_ms >= seen_before_ms}


class HostState(msgspec.Struct, omit_defaults=True):
    """What the processes of one machine know together of a venue's host. `boot` and `now_ms` say on which run of the machine's
    clock the times are; the end of a ban is kept by the wall clock too, which alone goes on over a reboot."""

    boot: str = ""
    now_ms: int = 0
    banned_until_ms: int = 0
    banned_until_wall_ms: int = 0
    pools: dict[str, PoolState] = {}

    def pool(self, pool: Pool) -> PoolState:
        """The state of that pool, which begins unspent."""
        return self.pools.setdefault(pool.name, PoolState())

    def ask(self, pool: Pool, wish: Wish, now_ms: int, forget_after_ms: int) -> Wait:
        """The turn of one question: given and spent, or how long to wait; a waiting one asks again within `forget_after_ms`."""
        state = self.pool(pool)
        state.forget(now_ms - forget_after_ms)
        wait = self._wait(pool, wish, now_ms)
        if wait.ms:
            state.waiting[wish.who] = Waiter(wish.priority, wish.since_ms, now_ms)
        else:
            self.withdraw(pool, wish)
            state.spend(pool, wish, now_ms)
        return wait

    def _wait(self, pool: Pool, wish: Wish, now_ms: int) -> Wait:
        state = self.pool(pool)
        if self.banned_until_ms > now_ms:
            return Wait(self.banned_until_ms - now_ms, "banned")
        if state.limited_until_ms > now_ms:
            return Wait(state.limited_until_ms - now_ms, "limited")
        room = state.room_in(pool, wish, now_ms)
        if state.behind(wish):
            return Wait(max(1, room), "queue")
        return Wait(room, "full" if room else "free")

    def withdraw(self, pool: Pool, wish: Wish) -> None:
        """The question waits no longer."""
        self.pool(pool).waiting.pop(wish.who, None)

    def report(self, pool: Pool, used: int, now_ms: int, left_ms: int) -> None:
        """The venue's own count of its window, of which `left_ms` are left. What it counts beyond ours is other people's."""
        state = self.pool(pool)
        if (beyond := used - state.own(pool, now_ms)) > 0:
            state.others = max(beyond, state.others if state.others_until_ms > now_ms else 0)
            state.others_until_ms = now_ms + left_ms

    def limit(self, pool: Pool, until_ms: int) -> None:
        """429: nobody asks for anything of this pool before `until_ms`."""
        state = self.pool(pool)
        state.limited_until_ms = max(state.limited_until_ms, until_ms)

    def ban(self, until_ms: int, until_wall_ms: int) -> None:
        """418: nobody asks this host anything before `until_ms`."""
        if until_ms > self.banned_until_ms:
            self.banned_until_ms, self.banned_until_wall_ms = until_ms, until_wall_ms

    def take_over(self, other: "HostState") -> None:
        """Be refused as long as `other`, which was kept apart for a while."""
        self.ban(other.banned_until_ms, other.banned_until_wall_ms)
        for name, state in other.pools.items():
            mine = self.pools.setdefault(name, PoolState())
            mine.limited_until_ms = max(mine.limited_until_ms, state.limited_until_ms)

    def after_reboot(self, now_ms: int, wall_ms: int, speed: float) -> "HostState":
        """What is left on another run of the machine's clock: the ban, as far as the wall clock knows."""
        fresh, left_ms = HostState(), min(int((self.banned_until_wall_ms - wall_ms) * speed), LONGEST_BAN_MS)
        if left_ms > 0:
            fresh.ban(now_ms + left_ms, self.banned_until_wall_ms)
        return fresh

    def usage(self, pool: Pool, now_ms: int, forget_after_ms: int) -> Usage:
        """The pool as metrics show it."""
        state = self.pool(pool)
        state.forget(now_ms - forget_after_ms)
        used, limit = state.used(pool, now_ms), state.limit or pool.limit
        waiting = [waiter.priority for waiter in state.waiting.values()]
        return Usage(
            used=used,
            limit=limit,
            remaining=max(0, int(limit * pool.share) - used),
            window_ms=state.whole_in(pool, now_ms),
            blocked_ms=max(0, self.banned_until_ms - now_ms, state.limited_until_ms - now_ms),
            waiting=tuple(waiting.count(priority) for priority in Priority),
        )


def _add(spent: list[tuple[int, int]], slot: int, weight: int) -> None:
    if spent and spent[-1][0] >= slot:
        slot, before = spent.pop()
        weight += before
    spent.append((slot, weight))


def _leaves(pool: Pool, slot: int) -> int:
    """When the last that may have been spent in that slot is out of the window."""
    return (slot + 1) * pool.slot_ms + pool.window_ms
