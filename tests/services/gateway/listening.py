"""A client of the stream, as tests use it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.services.gateway.house import Device

PATIENCE_SECONDS = 60.0


@dataclass(slots=True)
class Listener:
    """An open WebSocket."""

    socket: aiohttp.ClientWebSocketResponse

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps({name.rstrip("_"): value for name, value in message.items()}))

    async def hear(self, *kinds: str, but_not: str = "heartbeat") -> dict[str, Any]:
        """The next message of one of these kinds; of any without one."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                message = await self.socket.receive()
                assert message.type is aiohttp.WSMsgType.TEXT, f"closed: {self.socket.close_code} {message.extra}"
                said: dict[str, Any] = json.loads(message.data)
                if said["type"] != but_not and (not kinds or said["type"] in kinds):
                    return said

    async def closed(self) -> tuple[int | None, str | None]:
        """Read on until it is closed; the code and the sentence."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                message = await self.socket.receive()
                if message.type is aiohttp.WSMsgType.CLOSE:
                    return message.data, message.extra
                if message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                    return self.socket.close_code, None


@asynccontextmanager
async def listening(device: Device, *, welcome: bool = True, **headers: str) -> AsyncIterator[Listener]:
    """The stream of whoever has this device; a token is said in the first message."""
    sent = headers or {"Origin": device.url}
    async with device.session.ws_connect(f"{device.url}/api/stream", headers=sent, max_msg_size=0) as socket:
        listener = Listener(socket)
        if device.token is not None:
            await listener.say(type="authenticate", token=device.token)
        if welcome:
            said = await listener.hear()
            assert said["type"] == "welcome", said
        yield listener
