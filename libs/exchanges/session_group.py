"""The sessions of one service, which come and go while it runs."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from libs.exchanges.session import StreamSession, brake

Work = Callable[[], Coroutine[Any, Any, None]]


class SessionGroup:
    """Runs sessions, each with what belongs to it. The first failure of any ends all, and is raised by `run`."""

    def __init__(self) -> None:
        self._sessions: dict[StreamSession, tuple[Work, ...]] = {}
        self._tasks: dict[StreamSession, list[asyncio.Task[None]]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._held = False

    def hold(self, hold: bool) -> None:
        """Stop or go on reading all of them, those that come later too."""
        self._held = hold
        brake(self._sessions, hold)

    def add(self, session: StreamSession, *beside: Work) -> None:
        """Run the session, and `beside` for as long; at once if the group runs."""
        self._sessions[session] = beside
        if self._held:
            session.pause_reading()
        if self._group is not None:
            self._start(self._group, session)

    async def close(self, session: StreamSession) -> None:
        """End the session's connections without a word to its handler, and what runs beside it."""
        self._sessions.pop(session)
        tasks = self._tasks.pop(session, [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for session in self._sessions:
                self._start(group, session)
            await asyncio.Event().wait()

    def _start(self, group: asyncio.TaskGroup, session: StreamSession) -> None:
        work = (session.run, *self._sessions[session])
        self._tasks[session] = [group.create_task(item()) for item in work]
