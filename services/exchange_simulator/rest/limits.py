"""Request limits: the weight pool per address, the separate pools, 429, and the ban (418) of those who go on.

Everything counts on the venue's timer scale, so that an accelerated venue has accelerated minutes.
"""

from dataclasses import dataclass, field
from typing import Literal

from libs.kit.durations import DAY_MS
from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.rest.errors import VenueError

Pool = Literal["weight", "data", "funding", "free"]
_MINUTE_MS = 60_000
_FIVE_MINUTES_MS = 300_000
_POOL_LIMITS = {"data": 1000, "funding": 500}
# This many refused requests in one minute turn 429 into a ban, first of two minutes, doubled each time up to three days.
_PATIENCE = 10
_FIRST_BAN_MS = 120_000
_LONGEST_BAN_MS = 3 * DAY_MS
_BEYOND_ANY_USE = 1_000_000_000


@dataclass(slots=True)
class _Account:
    """One address: counters by pool and window, refusals, and the end of a ban on both time scales."""

    windows: dict[str, tuple[int, int]] = field(default_factory=dict)
    refused: tuple[int, int] = (-1, 0)
    bans: int = 0
    banned_until: float = 0.0
    banned_until_venue_ms: int = 0


class RequestLimits:
    """Counts requests per address and raises -1003 when there are too many."""

    def __init__(self, clock: VenueTime, weight_limit: int) -> None:
        self._clock = clock
        self.weight_limit = weight_limit
        self._accounts: dict[str, _Account] = {}

    def charge(self, address: str, weight: int, pool: Pool) -> None:
        """Count one request; raises `VenueError` with status 429 or 418 when it must not be answered."""
        account = self._accounts.setdefault(address, _Account())
        now = self._clock.timer_ms()
        if now < account.banned_until:
            raise self._banned(account, address)
        if weight:
            self._count(account, address, "weight", weight, self.weight_limit)
        if pool in _POOL_LIMITS:
            self._count(account, address, pool, 1, _POOL_LIMITS[pool])

    def used_weight(self, address: str) -> int:
        """The weight of the running minute, for X-MBX-USED-WEIGHT-1M."""
        account = self._accounts.get(address)
        window, used = account.windows.get("weight", (-1, 0)) if account else (-1, 0)
        return used if window == int(self._clock.timer_ms()) // _MINUTE_MS else 0

    def _count(self, account: _Account, address: str, pool: str, weight: int, limit: int) -> None:
        now = int(self._clock.timer_ms())
        window = now // (_MINUTE_MS if pool == "weight" else _FIVE_MINUTES_MS)
        held, used = account.windows.get(pool, (window, 0))
        used = weight if held != window else used + weight
        account.windows[pool] = (window, used)
        if used <= limit:
            return
        minute = now // _MINUTE_MS
        refused = account.refused[1] + 1 if account.refused[0] == minute else 1
        account.refused = (minute, refused)
        if refused > _PATIENCE:
            length = min(_FIRST_BAN_MS * 2**account.bans, _LONGEST_BAN_MS)
            account.bans += 1
            account.banned_until = now + length
            # The text names venue time, which may run on another scale than the timers of a waiting recording.
            account.banned_until_venue_ms = self._clock.now_ms() + length
            raise self._banned(account, address)
        minutes = "minute" if pool == "weight" else "5 minutes"
        raise VenueError(
            -1003,
            f"Too many requests; current limit of IP({address}) is {limit} requests per {minutes}. "
            "Please use the websocket for live updates to avoid polling the API.",
            status=429,
        )

    @staticmethod
    def _banned(account: _Account, address: str) -> VenueError:
        return VenueError(
            -1003,
            f"Way too many requests; IP({address}) banned until {account.banned_until_venue_ms}. "
            "Please use the websocket for live updates to avoid bans.",
            status=418,
        )


class NoRequestLimits(RequestLimits):
    """For an unpaced recording: a rate needs a minute, and there minutes have no length. States what no client can use up."""

    def __init__(self, clock: VenueTime, _: int) -> None:
        super().__init__(clock, _BEYOND_ANY_USE)

    def charge(self, address: str, weight: int, pool: Pool) -> None:
        """Everybody may ask."""
