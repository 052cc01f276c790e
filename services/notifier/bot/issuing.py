"""The bot's word to executor and risk guard: a command signed with the notifier's own key, which is trusted for few of them."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from libs.contracts.commands import CommandAnswered
from libs.kit.clock import Clock
from libs.kit.errors import ConfigurationError
from libs.kit.keys import PersonalKey, key_names, new_key, read_key
from libs.streaming.commands import CommandDesk
from libs.trading.commands import RISK_REDUCING, CommandInvalid
from libs.trading.issuing import Wish, signed_command
from services.notifier.bot.wishes import Meant

KEY = "notifier"
PATIENCE_SECONDS = 30.0
"""What is answered only when it has been done takes the longest; Discord itself waits a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class SigningIssuer:
    """Signs for one account."""

    account: str
    desk: CommandDesk
    keys_dir: Path
    clock: Clock

    async def issue(self, what: Meant, reason: str) -> CommandAnswered:
        """Say it and wait for the answer of its target. Raises `UserError`: `ConfigurationError` and `UnreachableError` before it
        was said, `CommandNotAcknowledged` and `CommandNotAnswered` when nobody knows."""
        if what.name not in RISK_REDUCING:
            raise ConfigurationError(f"the chat says no {what.name}", todo="use the command line")
        wish = Wish(self.account, what.name, what.arguments, reason)
        try:
            command = signed_command(wish, self.key(), self.clock.now_ms(), secrets.token_hex(16))
        except CommandInvalid as error:
            raise ConfigurationError(str(error), todo="say it otherwise") from None
        return await self.desk.issue_and_hear(command, PATIENCE_SECONDS)

    def key(self) -> PersonalKey:
        """The notifier's key, made where there is none yet; it counts once somebody trusts it."""
        if KEY not in key_names(self.keys_dir):
            return new_key(self.keys_dir, KEY)
        return read_key(self.keys_dir, KEY)
