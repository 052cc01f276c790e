"""A user stream ends when it is told to, at whatever instant: a process that has lost its account waits for nothing else."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from libs.exchanges.binance.user_stream import BinanceUserStream
from libs.exchanges.http import Question
from libs.exchanges.user_events import UserEvent
from libs.exchanges.websocket import Connection
from libs.kit.clock import VenueClock


class Keys:
    """Gives the same key to everybody."""

    async def get(self, _question: Question) -> bytes:
        return b'{"listenKey":"abc"}'


class Opened:
    """A handler that knows when the stream is open."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    def on_user_open(self) -> None:
        self.opened.set()

    def on_user_events(self, events: Sequence[UserEvent]) -> None:
        """Nothing comes."""

    def on_user_close(self, reason: str) -> None:
        """Nobody asks why."""


@pytest.mark.parametrize("turns", range(8))
async def test_it_ends_when_it_is_cancelled_while_its_connection_is_lost(turns: int) -> None:
    connections: list[Connection] = []

    async def connect(_url: str, deliver: Callable[[Connection, list[bytes]], None]) -> Connection:
        connections.append(Connection(deliver))
        return connections[-1]

    handler = Opened()
    stream = BinanceUserStream(Keys(), "ws://venue", VenueClock(0), handler, connect)  # type: ignore[arg-type]
    running = asyncio.create_task(stream.run())
    await handler.opened.wait()
    await asyncio.sleep(0)
    connections[0].closed.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=20)
    running.cancel()
    assert done
    assert running.cancelled()
