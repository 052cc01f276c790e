"""Answers that are kept for a moment, so that many who ask the same are one question."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pydantic import BaseModel

MOST_KEPT = 500


@dataclass(slots=True)
class _Kept:
    made: "asyncio.Task[bytes]"
    until: float = float("inf")


@dataclass(slots=True)
class AnswerCache:
    """Bodies by what was asked. While one is being made, others who ask the same wait for it; a failure is theirs too, and is not
    kept."""

    _kept: dict[str, _Kept] = field(default_factory=dict)

    async def body(self, asked: str, seconds: float, make: Callable[[], Awaitable[BaseModel]]) -> bytes:
        """The answer as JSON, at most `seconds` old. Raises what `make` raises."""
        kept = self._kept.get(asked)
        if kept is None or time.monotonic() >= kept.until:
            self._make_room()
            kept = self._kept[asked] = _Kept(asyncio.create_task(_body(make)))
            kept.made.add_done_callback(lambda _: self._made(asked, kept, seconds))
        # Whoever hangs up does not take it from the others.
        return await asyncio.shield(kept.made)

    def forget(self) -> None:
        """What is asked from now on is made anew."""
        self._kept.clear()

    def _made(self, asked: str, kept: _Kept, seconds: float) -> None:
        kept.until = time.monotonic() + seconds
        if (kept.made.cancelled() or kept.made.exception() is not None) and self._kept.get(asked) is kept:
            del self._kept[asked]

    def _make_room(self) -> None:
        if len(self._kept) >= MOST_KEPT:
            now = time.monotonic()
            old = [asked for asked, kept in self._kept.items() if now >= kept.until]
            for asked in old or list(self._kept)[: MOST_KEPT // 2]:
                del self._kept[asked]


async def _body(make: Callable[[], Awaitable[BaseModel]]) -> bytes:
    return (await make()).model_dump_json().encode()
