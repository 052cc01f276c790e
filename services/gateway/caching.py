"""Answers that are kept for a moment, so that many who ask the same are one question; never more than so many, nor so large."""

import asyncio
import gzip
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import BaseModel

MOST_KEPT = 500
MOST_BYTES = 32 << 20
Lasts = int | Callable[[BaseModel], int]
"""For how many seconds an answer is as good as a new one; what depends on the answer is asked when it is there."""


LEAST_PACKED = 1_000
"""From here on (bytes) an answer is also kept packed: a page of signals is a tenth of its size then."""


@dataclass(frozen=True, slots=True)
class Body:
    """JSON, and the same as gzip where it is large enough to be worth it."""

    plain: bytes
    packed: bytes | None

    @classmethod
    def of(cls, model: BaseModel) -> "Body":
        """The quickest of gzip's levels: an answer is read once or a few times."""
        plain = model.model_dump_json().encode()
        return cls(plain, gzip.compress(plain, 1, mtime=0) if len(plain) >= LEAST_PACKED else None)

    def __len__(self) -> int:
        return len(self.plain) + len(self.packed or b"")


@dataclass(frozen=True, slots=True)
class Made:
    """An answer, good for `seconds`."""

    body: Body
    seconds: int


@dataclass(slots=True)
class _Kept:
    making: "asyncio.Task[Made]"
    size: int = 0
    until: float = float("inf")
    ending: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class AnswerCache:
    """Answers by what was asked. While one is being made, others who ask the same wait for it; a failure is theirs too, and not
    kept. What is over is dropped when it is over; the oldest goes first where there is no room."""

    _kept: dict[str, _Kept] = field(default_factory=dict)
    _bytes: int = 0

    async def answer(self, asked: str, lasts: Lasts, make: Callable[[], Awaitable[BaseModel]]) -> Made:
        """The answer, at most as old as it lasts. Raises what `make` raises."""
        kept = self._kept.get(asked)
        if kept is None or time.monotonic() >= kept.until:
            self._drop(asked)
            kept = self._kept[asked] = _Kept(asyncio.create_task(_made(lasts, make)))
            kept.making.add_done_callback(lambda _: self._keep(asked, kept))
            self._make_room()
        # Whoever hangs up does not take it from the others.
        return await asyncio.shield(kept.making)

    def forget(self) -> None:
        """What is asked from now on is made anew."""
        for asked in list(self._kept):
            self._drop(asked)

    def _keep(self, asked: str, kept: _Kept) -> None:
        if self._kept.get(asked) is not kept:
            return
        if kept.making.cancelled() or kept.making.exception() is not None:
            self._drop(asked)
            return
        made = kept.making.result()
        kept.size, kept.until = len(made.body), time.monotonic() + made.seconds
        kept.ending = asyncio.get_running_loop().call_later(made.seconds, self._drop, asked)
        self._bytes += kept.size
        self._make_room()

    def _drop(self, asked: str) -> None:
        kept = self._kept.pop(asked, None)
        if kept is not None:
            self._bytes -= kept.size
            if kept.ending is not None:
                kept.ending.cancel()

    def _make_room(self) -> None:
        while len(self._kept) > MOST_KEPT or self._bytes > MOST_BYTES:
            self._drop(next(iter(self._kept)))


async def _made(lasts: Lasts, make: Callable[[], Awaitable[BaseModel]]) -> Made:
    answer = await make()
    return Made(Body.of(answer), lasts if isinstance(lasts, int) else lasts(answer))
