"""/fapi/v1/listenKey: keys of user streams; they live 60 minutes of venue time from their last renewal."""

import hashlib
from dataclasses import dataclass

from aiohttp import web

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.rest.errors import VenueError, error_reply, reply

LIFE_MS = 60 * 60_000
_API_KEY = "X-MBX-APIKEY"


@dataclass(slots=True)
class _Key:
    text: str
    until_ms: float


class ListenKeys:
    """One key per API key. Any API key is taken: accounts are not this service's matter yet."""

    def __init__(self, clock: VenueTime) -> None:
        self._clock = clock
        self._keys: dict[str, _Key] = {}
        self._made = 0

    def routes(self) -> list[web.RouteDef]:
        """POST makes or renews, PUT renews, DELETE ends."""
        path = "/fapi/v1/listenKey"
        return [web.post(path, self._answer), web.put(path, self._answer), web.delete(path, self._answer)]

    def valid(self, text: str) -> bool:
        """Whether the key lives."""
        return any(key.text == text and key.until_ms > self._clock.timer_ms() for key in self._keys.values())

    def expire_all(self) -> list[str]:
        """End every key; returns those that lived."""
        lived = [key.text for key in self._keys.values() if key.until_ms > self._clock.timer_ms()]
        self._keys.clear()
        return lived

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            return reply(self._body(request))
        except VenueError as error:
            return error_reply(error)

    def _body(self, request: web.Request) -> dict[str, str]:
        account = request.headers.get(_API_KEY, "")
        if not account:
            raise VenueError(-2014, "API-key format invalid.", 401)
        now = self._clock.timer_ms()
        key = self._keys.get(account)
        if key is not None and key.until_ms <= now:
            key = None
        if key is None and request.method != "POST":
            raise VenueError(-1125, "This listenKey does not exist.")
        if key is None:
            self._made += 1
            digest = hashlib.sha256(f"{account}/{self._made}/{now}".encode()).hexdigest()
            key = self._keys[account] = _Key(digest, 0)
        if request.method == "DELETE":
            del self._keys[account]
            return {}
        key.until_ms = now + LIFE_MS
        return {"listenKey": key.text}
