"""A way to PostgreSQL on which the acknowledgement of a commit can be lost: the server has done it, and nobody hears of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class ForgetfulWay:
    """`url` leads through it. While `losing` is above 0, that many acknowledgements of commits are still to be lost."""

    to_port: int
    port: int = 0
    losing: int = 0
    lost: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def url(self, database_url: str) -> str:
        """The same database, through here."""
        return database_url.replace(f":{self.to_port}/", f":{self.port}/")

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.to_port)
        back = asyncio.create_task(self._pump(from_server, writer))
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                lose = self.losing > 0 and b"COMMIT" in data
                if lose:
                    back.cancel()
                    await asyncio.wait([back])
                to_server.write(data)
                await to_server.drain()
                if lose:
                    await from_server.read(1 << 16)  # it has been done
                    self.losing, self.lost = self.losing - 1, self.lost + 1
                    break
        back.cancel()
        for side in (writer, to_server):
            side.close()
        self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def forgetful_postgres(to_port: int) -> AsyncIterator[ForgetfulWay]:
    """Listens until the block ends."""
    way = ForgetfulWay(to_port)
    server = await asyncio.start_server(way.connected, "127.0.0.1", 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
        for task in list(way._tasks):
            task.cancel()
        await asyncio.gather(*way._tasks, return_exceptions=True)
