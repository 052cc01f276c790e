"""A stand-in for Discord on this machine: its webhooks, the part of its REST API that a bot uses, and its gateway.

From Discord's developer documentation: "Execute Webhook", "Rate Limits", "Gateway" (HELLO, IDENTIFY, READY, heartbeats,
RESUME), "Receiving and Responding to Interactions". It can be killed and started again on the same port.
"""

import asyncio
import json
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from infra.local.ports import free_port

APPLICATION, GUILD, BOT_USER = "1001", "2001", "3001"
TOKEN = "MTAwMQ.stand-in.token"
HEARTBEAT_MS = 5_000
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Posted:
    """What a webhook got."""

    webhook: str
    embed: Json
    payload: Json
    png: bytes | None


@dataclass(frozen=True, eq=False)
class Connection:
    """One of the gateway's; `stream`: where it has asked for transport compression (zlib-stream)."""

    request: web.Request
    socket: web.WebSocketResponse
    stream: "zlib._Compress | None"

    async def say(self, op: int, data: Json | None, **more: Any) -> None:
        """Send a payload."""
        text = json.dumps({"op": op, "d": data, "s": None, "t": None, **more})
        if self.stream is None:
            await self.socket.send_str(text)
        else:
            await self.socket.send_bytes(self.stream.compress(text.encode()) + self.stream.flush(zlib.Z_SYNC_FLUSH))


@dataclass
class DiscordStandIn:
    """`answers`: what the next webhook requests get instead of being taken, (status, body, headers) each; `posted`: what was
    taken; `asked`: how many requests there were; `responses`: what a bot answered to interactions, in order."""

    port: int = field(default_factory=free_port)
    answers: deque[tuple[int, Json, dict[str, str]]] = field(default_factory=deque)
    posted: list[Posted] = field(default_factory=list)
    asked: int = 0
    hang: asyncio.Event | None = None
    commands: list[Json] = field(default_factory=list)
    responses: list[tuple[str, Json]] = field(default_factory=list)
    identified: list[Json] = field(default_factory=list)
    resumed: list[Json] = field(default_factory=list)
    heartbeats: int = 0
    _runner: web.AppRunner | None = None
    _sockets: "list[Connection]" = field(default_factory=list)
    _sequence: int = 0
    _interaction: int = 5000

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def webhook(self, name: str = "1") -> str:
        """The address of a webhook."""
        return f"{self.url}/api/webhooks/{name}/secret-token-{name}"

    @property
    def bot_online(self) -> bool:
        """Whether a bot is identified on an open connection."""
        return any(not one.socket.closed for one in self._sockets)

    async def start(self) -> None:
        """Open the port (again)."""
        application = web.Application(client_max_size=10_000_000)
        application.add_routes(
            [
                web.post("/api/webhooks/{id}/{token}", self._execute),
                web.get("/api/v10/gateway/bot", self._gateway_address),
                web.get("/api/v10/users/@me", self._me),
                web.put("/api/v10/applications/{app}/guilds/{guild}/commands", self._put_commands),
                web.post("/api/v10/interactions/{id}/{token}/callback", self._callback),
                web.patch("/api/v10/webhooks/{app}/{token}/messages/@original", self._edit),
                web.get("/gateway", self._gateway),
                web.get("/gateway/", self._gateway),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Close the port and every connection without a word."""
        for one in self._sockets:
            if one.request.transport is not None:
                one.request.transport.abort()
        self._sockets.clear()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def refuse(self, status: int, body: Json | None = None, **headers: str) -> None:
        """Answer the next webhook request like this."""
        self.answers.append((status, body or {}, headers))

    def pause(self, seconds: float) -> None:
        """429, as documented: the exact time in the body, a rounded one in the header."""
        body = {"message": "You are being rate limited.", "retry_after": seconds, "global": False}
        self.answers.append((429, body, {"Retry-After": str(max(1, round(seconds)))}))

    def titles(self) -> list[str]:
        """Of what webhooks have taken."""
        return [one.embed.get("title", "") for one in self.posted]

    async def _execute(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.hang is not None:
            await self.hang.wait()
        if request.match_info["token"] != f"secret-token-{request.match_info['id']}":
            return web.json_response({"message": "Unknown Webhook", "code": 10015}, status=404)
        if self.answers:
            status, body, headers = self.answers.popleft()
            return web.json_response(body, status=status, headers=headers)
        payload, png = await _parts(request)
        problem = beyond_limits(payload)
        if problem is not None:
            return web.json_response({"message": problem, "code": 50035}, status=400)
        self.posted.append(Posted(request.match_info["id"], payload.get("embeds", [{}])[0], payload, png))
        if request.query.get("wait") == "true":
            return web.json_response({"id": str(len(self.posted)), "type": 0})
        return web.Response(status=204)

    async def _gateway_address(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bot {TOKEN}":
            return web.json_response({"message": "401: Unauthorized", "code": 0}, status=401)
        limit = {"total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1}
        address = f"ws://127.0.0.1:{self.port}/gateway"
        return web.json_response({"url": address, "shards": 1, "session_start_limit": limit})

    async def _me(self, _: web.Request) -> web.Response:
        return web.json_response(_user(BOT_USER, "perpstream", bot=True))

    async def _put_commands(self, request: web.Request) -> web.Response:
        self.commands = await request.json()
        common = {"application_id": APPLICATION, "guild_id": GUILD, "version": "1", "default_member_permissions": None}
        return web.json_response(
            [{**common, **one, "id": str(4000 + number), "type": 1} for number, one in enumerate(self.commands)]
        )

    async def _callback(self, request: web.Request) -> web.Response:
        payload, _ = await _parts(request)
        self.responses.append((request.match_info["token"], payload))
        if request.query.get("with_response") != "true":
            return web.Response(status=204)
        return web.json_response({"interaction": {"id": request.match_info["id"], "type": payload["type"]}})

    async def _edit(self, request: web.Request) -> web.Response:
        payload, _ = await _parts(request)
        self.responses.append((request.match_info["token"], {"edit": True, "data": payload}))
        return web.json_response(_message(payload))

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        stream = zlib.compressobj() if request.query.get("compress") == "zlib-stream" else None
        connection = Connection(request, socket, stream)
        await connection.say(10, {"heartbeat_interval": HEARTBEAT_MS})
        async for frame in socket:
            if frame.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                await self._take(connection, json.loads(frame.data))
        return socket

    async def _take(self, connection: "Connection", said: Json) -> None:
        match said["op"]:
            case 1:
                self.heartbeats += 1
                await connection.say(11, None)
            case 2 if said["d"]["token"] != TOKEN:
                await connection.socket.close(code=4004, message=b"Authentication failed.")
            case 2:
                self.identified.append(said["d"])
                self._sockets.append(connection)
                await self._dispatch(connection, "READY", self._ready())
            case 6:
                self.resumed.append(said["d"])
                self._sockets.append(connection)
                await self._dispatch(connection, "RESUMED", {})

    def _ready(self) -> Json:
        return {
            "v": 10,
            "user": _user(BOT_USER, "perpstream", bot=True),
            "guilds": [],
            "session_id": "session",
            "resume_gateway_url": f"ws://127.0.0.1:{self.port}/gateway",
            "shard": [0, 1],
            "application": {"id": APPLICATION, "flags": 0},
        }

    async def _dispatch(self, connection: "Connection", name: str, data: Json) -> None:
        self._sequence += 1
        await connection.say(0, data, t=name, s=self._sequence)

    async def slash(self, name: str, *, member: Json, guild: str = GUILD, **options: str) -> str:
        """A person gives a command; returns the interaction's token, under which the answers are."""
        given = [{"name": key, "type": 3, "value": value} for key, value in options.items()]
        return await self._interact(2, {"id": "4000", "name": name, "type": 1, "options": given}, member, guild)

    async def press(self, custom_id: str, *, member: Json, payload: Json, guild: str = GUILD) -> str:
        """A person presses a button of a message that a bot sent."""
        data = {"custom_id": custom_id, "component_type": 2}
        return await self._interact(3, data, member, guild, message=_message(payload))

    async def _interact(self, kind: int, data: Json, member: Json, guild: str, **more: Any) -> str:
        self._interaction += 1
        token = f"interaction-{self._interaction}"
        event = {
            "id": str(self._interaction),
            "application_id": APPLICATION,
            "type": kind,
            "data": data,
            "guild_id": guild,
            "channel_id": "6001",
            "channel": {"id": "6001", "type": 0, "name": "desk", "permissions": "0"},
            "member": member,
            "token": token,
            "version": 1,
            "locale": "en-US",
            "guild_locale": "en-US",
            "app_permissions": "0",
            "attachment_size_limit": 10_485_760,
            "entitlements": [],
            "authorizing_integration_owners": {"0": guild},
            "context": 0,
            **more,
        }
        open_ones = [one for one in self._sockets if not one.socket.closed]
        assert open_ones, "no bot is connected"
        await self._dispatch(open_ones[-1], "INTERACTION_CREATE", event)
        return token

    def answers_to(self, token: str) -> list[Json]:
        """What a bot has said to an interaction."""
        return [payload for name, payload in self.responses if name == token]


def member(user: str, name: str, *roles: str) -> Json:
    """A member of the guild as interactions carry it."""
    return {
        "user": _user(user, name),
        "roles": list(roles),
        "joined_at": "2026-01-01T00:00:00+00:00",
        "deaf": False,
        "mute": False,
        "flags": 0,
        "permissions": "0",
        "nick": None,
        "avatar": None,
        "premium_since": None,
        "pending": False,
    }


def _user(identity: str, name: str, *, bot: bool = False) -> Json:
    return {
        "id": identity,
        "username": name,
        "discriminator": "0",
        "global_name": name,
        "avatar": None,
        "bot": bot,
        "public_flags": 0,
        "flags": 0,
        "mfa_enabled": True,
        "locale": "en-US",
        "verified": True,
        "email": None,
    }


def _message(payload: Json) -> Json:
    return {
        "id": "7001",
        "channel_id": "6001",
        "author": _user(BOT_USER, "perpstream", bot=True),
        "content": payload.get("content") or "",
        "timestamp": "2026-01-01T00:00:00+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
        "components": [],
        "flags": 64,
    }


async def _parts(request: web.Request) -> tuple[Json, bytes | None]:
    """The JSON and the file of a request in either of its two documented forms."""
    if request.content_type == "application/json":
        return await request.json(), None
    form = await request.post()
    content = form["payload_json"]
    text = content.file.read() if isinstance(content, web.FileField) else content
    file = form.get("files[0]")
    return json.loads(text), file.file.read() if isinstance(file, web.FileField) else None


def beyond_limits(payload: Json) -> str | None:
    """Discord's limits of an embed, or of plain content."""
    if "embeds" not in payload:
        return None if 0 < len(payload["content"]) <= 2000 else "Invalid Form Body"
    (embed,) = payload["embeds"]
    fields = embed.get("fields", [])
    texts = [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
    texts += [text for one in fields for text in (one["name"], one["value"])]
    if len(texts[0]) > 256 or len(texts[1]) > 4096 or len(fields) > 25 or sum(map(len, texts)) > 6000:
        return "Invalid Form Body"
    if any(not one["name"] or not one["value"] for one in fields) or not any(texts):
        return "Cannot send an empty message"
    return None
