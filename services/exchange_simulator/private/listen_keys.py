"""/fapi/v1/listenKey: keys of user streams; they live 60 minutes of venue time from their last renewal."""

import hashlib
from dataclasses import dataclass

from aiohttp import web

from services.exchange_simulator.clock import VenueTime
from services.exchange_simulator.private.keys import KeyRing
from services.exchange_simulator.private.signing import find_key
from services.exchange_simulator.rest.errors import VenueError, error_reply, reply
from services.exchange_simulator.rest.limits import RequestLimits

LIFE_MS = 60 * 60_000
PATH = "/fapi/v1/listenKey"


@dataclass(slots=True)
class _Key:
    account: str
    until_ms: float


class ListenKeys:
    """One key per account. The API key's header is enough, a signature is not looked at."""

    def __init__(self, clock: VenueTime, ring: KeyRing, limits: RequestLimits) -> None:
        self._clock = clock
        self._ring = ring
        self._limits = limits
        self._keys: dict[str, _Key] = {}
        self._made = 0

    def routes(self) -> list[web.RouteDef]:
        """POST makes or renews, PUT renews, DELETE ends."""
        return [web.post(PATH, self._answer), web.put(PATH, self._answer), web.delete(PATH, self._answer)]

    def account_of(self, text: str) -> str | None:
        """The name of the account that a living key belongs to."""
        key = self._keys.get(text)
        return key.account if key is not None and key.until_ms > self._clock.timer_ms() else None

    def expire_all(self) -> list[str]:
        """End every key; returns those that lived."""
        lived = [text for text in self._keys if self.account_of(text) is not None]
        self._keys.clear()
        return lived

    def take_expired(self) -> list[str]:
        """Keys whose hour is over since the last call."""
        over = [text for text in self._keys if self.account_of(text) is None]
        for text in over:
            del self._keys[text]
        return over

    async def _answer(self, request: web.Request) -> web.Response:
        address = request.remote or "unknown"
        try:
            self._limits.charge(address, 1, "weight")
            response = reply(self._body(request))
        except VenueError as error:
            response = error_reply(error)
        response.headers["X-MBX-USED-WEIGHT-1M"] = str(self._limits.used_weight(address))
        return response

    def _body(self, request: web.Request) -> dict[str, str]:
        account, _ = find_key(request, self._ring)
        now = self._clock.timer_ms()
        text = next((text for text, key in self._keys.items() if key.account == account and key.until_ms > now), None)
        if text is None and request.method != "POST":
            raise VenueError(-1125, "This listenKey does not exist.")
        if text is None:
            self._made += 1
            text = hashlib.sha256(f"{account}/{self._made}/{now}".encode()).hexdigest()
        if request.method == "DELETE":
            del self._keys[text]
            return {}
        self._keys[text] = _Key(account, now + LIFE_MS)
        return {"listenKey": text}
