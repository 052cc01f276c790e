"""Which symbols are in force: configuration, and the newest word of control.symbol.v1 on each; read at start, then followed."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from libs.contracts.codec import decode
from libs.contracts.control import SymbolFollowed, symbols_in_force
from libs.contracts.topics import Topic
from libs.kit.errors import BadMessage, TryAgain, UserError
from libs.kit.logging import get_logger
from libs.streaming.connection import BrokerError
from libs.streaming.follower import Follower
from libs.streaming.records import LogReader, Record

RETRY_SECONDS = 30.0
PARTITION = 0


class Members(Protocol):
    """What takes symbols on and lets them go while it runs."""

    async def add(self, symbols: Sequence[str]) -> None:
        """These are followed from now on; what the venue does not have is refused once, in the log. Raises `TryAgain` when
        that is not possible yet: none of them is then, and they come again."""
        ...

    async def remove(self, symbols: Sequence[str]) -> None:
        """These are not followed any more."""
        ...


class SymbolControl:
    """The symbols in force. Without the topic (none yet, no broker) they are the configured ones."""

    def __init__(self, bootstrap: str, topic: Topic, configured: Sequence[str]) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self.configured = tuple(configured)
        self.words: dict[str, SymbolFollowed] = {}
        self._next = 0
        self._complete = False
        self._taken = self.configured
        self._not_before = 0.0
        self._log = get_logger("symbols")

    @property
    def in_force(self) -> tuple[str, ...]:
        """As far as the topic has been read."""
        return symbols_in_force(self.configured, self.words.values())

    def absorb(self, record: Record) -> None:
        """One record, newest last; one that cannot be read changes nothing."""
        self._next = record.offset + 1
        try:
            event = decode(record.value, record.headers, self._topic.events)
        except BadMessage as error:
            self._log.warning("a word on a symbol cannot be read", place=record.place, reason=error.reason)
            return
        if isinstance(event, SymbolFollowed):
            self.words.pop(event.symbol, None)
            self.words[event.symbol] = event

    async def read(self) -> tuple[str, ...]:
        """All that has been said until now; raises `UserError` or `BrokerError` when the topic cannot be read."""
        async with LogReader(self._bootstrap) as log:
            end = await log.end(self._topic.name, PARTITION)
            async for batch in log.range(self._topic.name, PARTITION, self._next, end):
                for record in batch:
                    self.absorb(record)
        self._complete = True
        return self.in_force

    async def at_start(self) -> tuple[str, ...]:
        """The symbols to begin with. A topic that cannot be read is worth a warning: `follow` goes on trying."""
        try:
            self._taken = await self.read()
        except (UserError, BrokerError) as error:
            self._log.warning("only the configured symbols are followed for now", error=str(error))
        return self._taken

    async def follow(self, members: Members) -> None:
        """Tell `members` every change since `at_start`, until cancelled."""
        while True:
            try:
                await self._follow(members)
            except (UserError, BrokerError) as error:
                self._log.warning("changes of the symbols are not seen", error=str(error), again_after=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self, members: Members) -> None:
        if not self._complete:
            await self.read()  # never act on half of what was said: a symbol that has gone again would come and go
        follower = Follower(self._bootstrap, {(self._topic.name, PARTITION): self._next})
        await follower.start()
        try:
            while True:
                await self._settle(members)
                for record in await follower.fetch():
                    self.absorb(record)
        finally:
            await follower.stop()

    async def _settle(self, members: Members) -> None:
        """Bring `members` to what is in force; what is not possible yet is tried again later."""
        wanted = self.in_force
        gone = [symbol for symbol in self._taken if symbol not in wanted]
        fresh = [symbol for symbol in wanted if symbol not in self._taken]
        if gone:
            await members.remove(gone)
            self._log.info("no longer followed", symbols=gone)
            self._taken = tuple(symbol for symbol in self._taken if symbol not in gone)
        if not fresh or time.monotonic() < self._not_before:
            return
        try:
            await members.add(fresh)
            self._log.info("followed", symbols=fresh)
            self._taken = wanted
        except TryAgain as error:
            self._not_before = time.monotonic() + error.after_seconds
            self._log.warning("symbols cannot be followed yet", symbols=fresh, error=str(error))
