"""Sessions that come and go: each runs with what belongs to it, a brake holds late comers too, and one failure ends all."""

import asyncio
from typing import cast

import pytest

from libs.exchanges.session import StreamSession
from libs.exchanges.session_group import SessionGroup


class Session:
    """Runs until it is told to fail, or cancelled."""

    def __init__(self) -> None:
        self.runs, self.paused, self.failing, self.beside = False, False, asyncio.Event(), False

    async def run(self) -> None:
        self.runs = True
        try:
            await self.failing.wait()
            raise OSError("the wire")
        finally:
            self.runs = False

    async def work(self) -> None:
        self.beside = True
        try:
            await asyncio.Event().wait()
        finally:
            self.beside = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def add(group: SessionGroup) -> Session:
    session = Session()
    group.add(cast(StreamSession, session), session.work)
    return session


async def test_one_is_added_and_one_closed_while_the_others_run() -> None:
    group = SessionGroup()
    first = add(group)
    running = asyncio.create_task(group.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    group.hold(True)
    second = add(group)
    await asyncio.sleep(0)
    assert (first.runs, first.paused, second.runs, second.beside, second.paused) == (True,) * 5
    await group.close(cast(StreamSession, first))
    group.hold(False)
    assert (first.runs, first.beside, second.paused) == (False,) * 3
    assert second.runs
    second.failing.set()
    with pytest.raises(ExceptionGroup) as failure:
        await running
    assert failure.group_contains(OSError, match="the wire")
    assert not second.beside
