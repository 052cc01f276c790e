"""One limiter for all processes of the machine that ask a venue's host: turns by priority, the venue's count, limits, bans.

What is known stands in a file that all of them change (decision 0017). Without a usable file a process counts for itself.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from libs.exchanges.budget import HostState, Pool, Priority, Reason, Usage, Wait, Wish
from libs.exchanges.shared_file import SharedFile
from libs.kit.clock import Clock, MachineClock, boot_id
from libs.kit.logging import get_logger
from libs.kit.metrics import MetricName, gauge

# A waiting question looks again so often (real seconds), and is forgotten when it has not been seen for so long.
LOOK_SECONDS, FORGET_SECONDS = 0.5, 3.0
# A refusal becomes no shorter.
REFUSED_LOOK_SECONDS = 2.0
# It is somebody else's turn: that takes no longer than a look at the file.
QUEUE_SECONDS = 0.05
# By so much (real seconds) a refusal is taken for longer: half a round trip is how well we know the venue's clock, and a
# question that arrives in the last instant of a ban is one during the ban.
MARGIN_SECONDS = 0.5
# Another process changes the file: microseconds, unless it was stopped in between.
BUSY_SECONDS, LONGEST_BUSY_SECONDS = 0.001, 2.0
# So long a file that could not be used is left alone.
RETRY_SECONDS = 10.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Turn:
    """How a question waits for its turn: before whom, and at most how long (real seconds; None: however long)."""

    priority: Priority = Priority.LIVE
    patience_seconds: float | None = None


LIVE = Turn()
GUARD = Turn(Priority.GUARD, patience_seconds=1.0)


def state_file(directory: Path, venue: str, base_url: str, speed: float | None) -> Path:
    """The file of one host: a venue at another address or speed is another one, and shares nothing with it."""
    place = urlsplit(base_url).netloc.replace(":", "_")
    digest = sha256(f"{base_url.rstrip('/')} {speed}".encode()).hexdigest()[:8]
    return directory / f"{venue}-{place}-{digest}"


class Limiter:
    """The turns of one host. `speed`: how many times faster than real time the venue and `clock` run; None: the venue has no
    pace, and no rate. Then nothing is counted, but a limit or a ban stops everybody all the same."""

    def __init__(self, venue: str, clock: Clock, *, file: SharedFile | None = None, speed: float | None = 1.0) -> None:
        self.venue = venue
        self._paced, speed = speed is not None, speed or 1.0
        self._clock = clock
        self._file = file
        self._speed = speed
        self._forget_ms = int(FORGET_SECONDS * 1000 * speed)
        self._name = secrets.token_hex(4)
        self._numbers = itertools.count()
        self._boot = boot_id()
        self._state = HostState()
        self._retry_at = 0.0
        self._apart = False
        self._told_until_ms = 0
        self._shown: set[str] = set()
        self._log = get_logger("limiter")

    async def take(self, pool: Pool, weight: int, turn: Turn) -> Wait | None:
        """Wait for the turn of a question and spend its weight. None when that is done; what it still waits for when its
        patience has ended before."""
        self._show(pool)
        who = f"{self._name}.{next(self._numbers)}"
        wish = Wish(who, weight if self._paced else 0, turn.priority, self._clock.now_ms())
        patience = turn.patience_seconds
        until_ms = None if patience is None else wish.since_ms + int(patience * 1000 * self._speed)
        wait = Wait(0, "free")
        try:
            while True:
                wait = await self._change(lambda state, now_ms: state.ask(pool, wish, now_ms, self._forget_ms))
                if not wait.ms:
                    return None
                if until_ms is not None and self._clock.now_ms() >= until_ms:
                    return wait
                self._tell(wait)
                left_ms = wait.ms if until_ms is None else min(wait.ms, until_ms - self._clock.now_ms())
                await self._clock.sleep(self._pause_seconds(left_ms, wait.reason))
        finally:
            if wait.ms:
                await self._change(lambda state, _: state.withdraw(pool, wish))

    def _pause_seconds(self, wait_ms: int, reason: Reason) -> float:
        """Until the next look, in the clock's seconds. In the queue the room that there is now may be somebody else's next."""
        if reason == "queue" and wait_ms < QUEUE_SECONDS * self._speed * 1000:
            return QUEUE_SECONDS * self._speed
        look = LOOK_SECONDS if reason in ("queue", "full") else REFUSED_LOOK_SECONDS
        return min(look * self._speed, max(1, wait_ms) / 1000)

    async def report(self, pool: Pool, used: int, left_ms: int) -> None:
        """The venue has counted `used` in its window, of which `left_ms` are left."""
        await self._change(lambda state, now_ms: state.report(pool, used, now_ms, left_ms))

    async def refuse(self, pool: Pool, length_ms: int, *, banned: bool) -> None:
        """The venue answers nothing for so long: of this pool, or (banned) of anything."""
        length_ms += int(MARGIN_SECONDS * 1000 * self._speed)

        def change(state: HostState, now_ms: int) -> None:
            if banned:
                state.ban(now_ms + length_ms, _wall_ms() + int(length_ms / self._speed))
            else:
                state.limit(pool, now_ms + length_ms)

        await self._change(change)

    async def set_limit(self, pool: Pool, limit: int) -> None:
        """The venue has stated the pool's limit."""

        def change(state: HostState, _: int) -> None:
            state.pool(pool).limit = limit

        await self._change(change)

    def why_not(self, pool: Pool, wait: Wait) -> str:
        """Why a question was not asked, and when it may be, for a person."""
        seconds = f"{wait.ms / 1000 / self._speed:.0f} s"
        match wait.reason:
            case "banned":
                return f"the venue has banned this address for {seconds} more"
            case "limited":
                return f"the venue answers nothing of the request budget {pool.name} for {seconds} more"
            case "queue":
                return f"others come first in the request budget {pool.name}"
            case _:
                return f"the request budget {pool.name} is used up, and has room for it in {seconds}"

    def usage(self, pool: Pool) -> Usage:
        """The pool now, as all processes of the machine have used it."""
        content = self._file.read() if self._file is not None and not self._apart else None
        state = self._state if content is None else self._read(content)
        return state.usage(pool, self._clock.now_ms(), self._forget_ms)

    async def _change(self, change: Callable[[HostState, int], T]) -> T:
        """Change what the processes know together; while the file cannot be used, what this one knows."""
        began = time.monotonic()
        while self._file is not None and began >= self._retry_at:
            try:
                answer = self._file.change(partial(self._changed, change))
            except BlockingIOError:
                if time.monotonic() - began > LONGEST_BUSY_SECONDS:
                    self._keep_apart("another process holds it")
                    break
                await asyncio.sleep(BUSY_SECONDS)
            except OSError as error:
                self._keep_apart(error.strerror or str(error))
                break
            else:
                if self._apart:
                    self._apart = False
                    self._log.info("requests are counted together again", file=str(self._file.path))
                return answer
        return change(self._state, self._clock.now_ms())

    def _changed(self, change: Callable[[HostState, int], T], content: bytes | None) -> tuple[bytes, T]:
        """One change of the file's content. What this process knows of bans outlives a file that was lost or out of reach."""
        state = self._state if content is None else self._read(content)
        state.take_over(self._state)
        now_ms = self._clock.now_ms()
        answer = change(state, now_ms)
        state.boot, state.now_ms = self._boot, now_ms
        self._state = state
        return msgspec.json.encode(state), answer

    def _read(self, content: bytes) -> HostState:
        try:
            state = msgspec.json.decode(content, type=HostState)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._log.warning("what was counted together cannot be read; it is begun anew", error=str(error))
            return HostState()
        now_ms = self._clock.now_ms()
        if state.boot == self._boot and state.now_ms <= now_ms:
            return state
        return state.after_reboot(now_ms, _wall_ms(), self._speed)

    def _keep_apart(self, problem: str) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._apart and self._file is not None:
            self._apart = True
            self._log.warning(
                "requests cannot be counted together with other processes", file=str(self._file.path), error=problem
            )

    def _tell(self, wait: Wait) -> None:
        """A limit or a ban, once for each: a process that only waits would look as if it hung."""
        until_ms = self._clock.now_ms() + wait.ms
        if wait.reason not in ("limited", "banned") or until_ms <= self._told_until_ms + 1000 * self._speed:
            return
        self._told_until_ms = until_ms
        seconds = round(wait.ms / 1000 / self._speed, 1)
        self._log.warning("the venue lets nobody ask", venue=self.venue, reason=wait.reason, seconds=seconds)

    def _show(self, pool: Pool) -> None:
        """Let the pool's metrics tell what stands in the file whenever they are read: other processes use it too."""
        if pool.name in self._shown:
            return
        self._shown.add(pool.name)
        shown: tuple[tuple[MetricName, Callable[[Usage], float]], ...] = (
            ("perpstream_request_weight_used", lambda usage: usage.used),
            ("perpstream_request_weight_limit", lambda usage: usage.limit),
            ("perpstream_request_weight_remaining", lambda usage: usage.remaining),
            ("perpstream_request_window_seconds", lambda usage: usage.window_ms / 1000 / self._speed),
            ("perpstream_request_blocked_seconds", lambda usage: usage.blocked_ms / 1000 / self._speed),
        )
        for name, value in shown:
            gauge(name).labels(self.venue, pool.name).set_function(partial(self._measured, pool, value))
        for priority in Priority:
            child = gauge("perpstream_requests_waiting").labels(self.venue, pool.name, priority.name.lower())
            child.set_function(partial(self._waiting, pool, priority))

    def _waiting(self, pool: Pool, priority: Priority) -> float:
        return self.usage(pool).waiting[priority]

    def _measured(self, pool: Pool, value: Callable[[Usage], float]) -> float:
        return value(self.usage(pool))


def open_limiter(venue: str, base_url: str, directory: Path, speed: float | None) -> Limiter:
    """The limiter that this process shares with all others of the machine that name the same directory, address and speed."""
    file = SharedFile(state_file(directory, venue, base_url, speed))
    return Limiter(venue, MachineClock(speed or 1.0), file=file, speed=speed)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
