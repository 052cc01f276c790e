"""How many orders an account may send: 300 in ten seconds and 1200 a minute, counted on the venue's timers."""

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.rest.errors import VenueError

ORDER_LIMITS = {"10S": (10_000, 300), "1M": (60_000, 1200)}
_SPOKEN = {"10S": "10 SECOND", "1M": "1 MINUTE"}


class OrderLimits:
    """Counts what was sent, accepted or not."""

    def __init__(self, clock: VenueTime) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}

    def count(self, account: str, orders: int) -> None:
        """Raises -1015 (429) where these are too many; then they do not count."""
        wanted = {name: self._used(account, name) + orders for name in ORDER_LIMITS}
        for name, (_, most) in ORDER_LIMITS.items():
            if wanted[name] > most:
                message = f"Too many new orders; current limit is {most} orders per {_SPOKEN[name]}."
                raise VenueError(-1015, message, 429)
        for name, count in wanted.items():
            self._counts[account, name] = (self._window(name), count)

    def headers(self, account: str) -> dict[str, str]:
        """What the running windows have counted."""
        return {f"X-MBX-ORDER-COUNT-{name}": str(self._used(account, name)) for name in ORDER_LIMITS}

    def _window(self, name: str) -> int:
        return int(self._clock.timer_ms()) // ORDER_LIMITS[name][0]

    def _used(self, account: str, name: str) -> int:
        window, count = self._counts.get((account, name), (-1, 0))
        return count if window == self._window(name) else 0
