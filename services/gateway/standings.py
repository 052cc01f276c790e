"""The memory of who may do what: asked of the database once, and forgotten the moment PostgreSQL tells of a change.

While its notices are not heard, everything is asked anew. Only while the database does not answer, or hangs, who was known in
the last minutes stays known, so that a person who is signed in can still reduce risk;
a ban in that time counts once it answers.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from libs.kit.errors import UnreachableError
from libs.kit.logging import get_logger
from libs.store.engine import Engine, QuestionTooSlow, place, read_session, write_session
from libs.store.people import Standing, standing_of_session, standing_of_token
from libs.store.people_notices import follow_people
from libs.store.sign_in_failures import remove_old_failures
from libs.store.user_sessions import remove_old_sessions
from services.gateway.access_tokens import ACCESS_SECONDS

_ASKED_AGAIN_SECONDS = 30.0
_ANSWER_MS = 5_000
# Who is known waits no longer for a database that hangs; who is not has nothing to gain from less.
_PATIENCE_SECONDS, _PATIENCE_OF_STRANGERS_SECONDS = 2.0, 10.0
_MOST_KNOWN = 10_000
_LISTEN_AGAIN_SECONDS = 1.0
_TIDIED_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Key:
    """What a request came with: a session's id or the hash of an API token."""

    session_id: str | None = None
    token_hash: str | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    standing: Standing | None
    since: float


@dataclass(slots=True)
class Standings:
    """`engine` asks, `notices` is a second one that only listens. `now` counts seconds that never go back."""

    engine: Engine
    notices: Engine
    now: Callable[[], float] = time.monotonic
    _known: dict[Key, _Known] = field(default_factory=dict)
    _listening: bool = False
    _heard: int = 0
    _changes: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def hears(self) -> bool:
        """Whether changes of rights are heard the moment they are made."""
        return self._listening

    async def of(self, key: Key) -> Standing | None:
        """Who stands behind the key now; None for nobody. Raises `UnreachableError`."""
        known = self._known.get(key)
        if known is not None and self._listening and self.now() - known.since < _ASKED_AGAIN_SECONDS:
            return known.standing
        before = self._changes
        lasting = known if known is not None and self.now() - known.since < ACCESS_SECONDS else None
        try:
            found = await self._answer(key, _PATIENCE_OF_STRANGERS_SECONDS if lasting is None else _PATIENCE_SECONDS)
        except UnreachableError:
            if lasting is None:
                raise
            return lasting.standing
        if before == self._changes:  # else the answer may be older than what has just been told
            self._remember(key, found)
        return found

    async def _answer(self, key: Key, seconds: float) -> Standing | None:
        """What the database says within this time. Raises `UnreachableError` where it says nothing."""
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(key)
        except (TimeoutError, QuestionTooSlow):
            raise UnreachableError("the database hangs", where=place(self.engine), todo="ask again later") from None

    async def _ask(self, key: Key) -> Standing | None:
        async with read_session(self.engine, _ANSWER_MS) as session:
            if key.session_id is not None:
                return await standing_of_session(session, key.session_id)
            return None if key.token_hash is None else await standing_of_token(session, key.token_hash)

    def _remember(self, key: Key, standing: Standing | None) -> None:
        self._known.pop(key, None)
        if standing is None:  # guesses would push out those who are known
            return
        while len(self._known) >= _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = _Known(standing, self.now())

    def forget(self, user_id: str) -> None:
        """Ask anew about this person, and wake those who wait for a change."""
        for key in [key for key, known in self._known.items() if known.standing and known.standing.user_id == user_id]:
            del self._known[key]
        self._wake()

    def _wake(self) -> None:
        self._changes += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _listens(self, listening: bool) -> None:
        self._listening = listening
        if listening:  # what was told before, nobody has heard
            self._heard += 1
            self._known.clear()
        self._wake()

    async def wait_for_change(self, at_most_seconds: float) -> None:
        """Until something has changed for anybody, or that long."""
        changed = self._changed
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_seconds):
                await changed.wait()

    async def tidy(self, at: Callable[[], dt.datetime]) -> None:
        """Once an hour, for ever: remove sessions that were over long ago, and failures that are forgotten."""
        while True:
            try:
                async with write_session(self.engine) as session:
                    await remove_old_sessions(session, at())
                    await remove_old_failures(session, at())
            except Exception as error:
                get_logger("gateway").warning("what is old of people was not removed", why=str(error))
            await asyncio.sleep(_TIDIED_SECONDS)

    async def follow(self) -> None:
        """Listen to the database's notices for ever, whatever goes wrong."""
        said = ""
        while True:
            heard = self._heard
            try:
                await follow_people(self.notices, self.forget, self._listens)
            except Exception as error:
                # An outage is said once, not every second.
                if str(error) != said or heard != self._heard:
                    get_logger("gateway").warning("changes of rights are not heard, each request asks", why=str(error))
                said = str(error)
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)
