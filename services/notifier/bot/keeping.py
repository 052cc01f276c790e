"""Keeps the bot as its file says: started with the file, begun anew when it changes, and no part of the notifier's own life."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from libs.contracts.topics import COMMAND, COMMAND_RESULT
from libs.kit.clock import Clock
from libs.kit.errors import ConfigurationError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import AccountSettings, NotificationSettings, load_settings
from libs.store.engine import Engine
from libs.streaming.commands import CommandDesk
from services.notifier.bot.file import BotFile, read_bot_file

if TYPE_CHECKING:
    from services.notifier.bot.trail import ChatTrail

_LOOK_SECONDS = 2.0


@dataclass(slots=True)
class BotKeeper:
    """`context.details["bot"]` says how it fares; a bot that is offline does not make the notifier unready."""

    context: ServiceContext
    settings: NotificationSettings
    bootstrap: str
    engine: Engine
    clock: Clock
    _seen: tuple[int, int, int] | None = field(default=None, init=False)
    _trail: "ChatTrail | None" = field(default=None, init=False)
    _task: asyncio.Task[None] | None = field(default=None, init=False)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                if (stamp := self._stamp()) != self._seen:
                    self._seen = stamp
                    await self._stop()
                    self._begin()
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await self._stop()

    def _begin(self) -> None:
        if self._seen is None:
            self.context.details.pop("bot", None)
            return
        try:
            file = read_bot_file(self.settings.discord_bot_file)
        except ConfigurationError as error:
            self._say(f"not started: {error.advice}")
            get_logger("notifier").error("the Discord bot is not started", why=str(error.advice))
            return
        self._say("starting")
        self._task = asyncio.ensure_future(self._speak(file))

    async def _speak(self, file: BotFile) -> None:
        # hikari is 20 MB that nobody needs who has no bot.
        from services.notifier.bot.answers import StoredAnswers
        from services.notifier.bot.desk import ChatDesk
        from services.notifier.bot.discord import DiscordBot
        from services.notifier.bot.issuing import SigningIssuer
        from services.notifier.bot.trail import ChatTrail

        account = load_settings(AccountSettings).account
        said = CommandDesk(self.bootstrap, COMMAND, COMMAND_RESULT, "notifier")
        answers = StoredAnswers(account, self.bootstrap, self.engine, self.clock)
        issuer = SigningIssuer(account, said, self.settings.notifier_keys_dir, self.clock)
        if self._trail is None:  # what it owes outlives a bot that begins anew
            self._trail = ChatTrail(self.engine)
        desk = ChatDesk(account, self._trail, self.clock, answers, issuer)
        paying = asyncio.ensure_future(self._trail.pay())
        try:
            await DiscordBot(file, desk, self._say).run()
        finally:
            paying.cancel()

    def _say(self, state: str) -> None:
        self.context.details["bot"] = state

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            state = self.settings.discord_bot_file.stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_size, state.st_mode

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
