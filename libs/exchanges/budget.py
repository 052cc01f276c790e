"""Request budgets: pure arithmetic of "may I ask now, and if not, when"; one per pool of a venue.

Binance counts request weight per IP and calendar minute and reports it in a header; other pools (`/futures/data`, funding)
count requests per five minutes without a header. Source: reference facts of the USD-M REST API, limits.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class RequestBudget:
    """Weight used in the current window of venue time. Everybody behind the same address shares the venue's count, so a
    reported number replaces ours when it is higher. `share` leaves room for others (orders, a second service)."""

    limit: int
    window_ms: int
    share: float = 0.8
    used: int = 0
    blocked_until_ms: int = 0
    _window: int = field(default=-1)

    def wait_ms(self, weight: int, now_ms: int) -> int:
        """0 when `weight` was taken from the budget; otherwise how long to wait (ms of venue time) before asking again."""
        if now_ms < self.blocked_until_ms:
            return self.blocked_until_ms - now_ms
        self._enter(now_ms)
        if self.used and self.used + weight > self.limit * self.share:
            return (self._window + 1) * self.window_ms - now_ms
        self.used += weight
        return 0

    def report(self, used: int, now_ms: int) -> None:
        """The venue's own count for the current window."""
        self._enter(now_ms)
        self.used = max(self.used, used)

    def block(self, until_ms: int) -> None:
        """Nothing may be asked before `until_ms`."""
        self.blocked_until_ms = max(self.blocked_until_ms, until_ms)

    def next_window(self, now_ms: int) -> int:
        """When the current window ends (ms)."""
        return (now_ms // self.window_ms + 1) * self.window_ms

    def _enter(self, now_ms: int) -> None:
        window = now_ms // self.window_ms
        if window > self._window:
            self._window, self.used = window, 0
