"""The bot on Discord, through hikari: one server, slash commands, buttons; answers that only the asker sees."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import hikari
from hikari.impl import CacheSettings, HTTPSettings, MessageActionRowBuilder

from libs.kit.logging import get_logger
from services.notifier.bot.desk import ChatDesk, Person, Reply
from services.notifier.bot.file import BotFile

COMMANDS: dict[str, tuple[str, tuple[tuple[str, str, bool], ...]]] = {
    "status": ("Risk, guard and executor", ()),
    "positions": ("What is held, live and on paper", ()),
    "signals": ("The newest signals", ()),
    "profit": ("Closed trades of 30 days", (("by", "day, week, month, strategy, symbol or reason", False),)),
    "daily": ("Closed trades of 7 days, by day", ()),
    "balance": ("Of every account", ()),
    "pause": ("No entries until somebody resumes", ()),
    "close": (
        "Close a position at market",
        (("symbol", "Like BTCUSDT", True), ("percent", "How much of it; all", False)),
    ),
    "flatten": ("Close at market, and cancel what would open", (("symbol", "Like BTCUSDT; all", False),)),
    "lock": ("No entries in a symbol", (("symbol", "Like BTCUSDT", True), ("hours", "How long; 24", False))),
}
"""Every slash command with its options: name, meaning, and whether it must be given."""
CONFIRM, CANCEL = "confirm", "cancel"
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 300.0


@dataclass(slots=True)
class DiscordBot:
    """Speaks for a desk. `state`: told how the bot fares, in words."""

    file: BotFile
    desk: ChatDesk
    state: Callable[[str], None]

    async def run(self) -> None:
        """Until cancelled; a Discord that is away, or a token that is not taken, is tried again with growing pauses."""
        asyncio.get_running_loop().set_exception_handler(_without_payload)
        pause = _FIRST_PAUSE
        while True:
            bot = self._bot()
            try:
                await bot.start(check_for_updates=False)
                self.state("online")
                pause = _FIRST_PAUSE
                await bot.join()
                why = "the connection has ended"
            except Exception as error:  # whatever Discord says to a library, people are told what happens
                why = type(error).__name__  # its text may hold what was sent
            finally:
                if bot.is_alive:
                    await bot.close()
            self.state(f"offline: {why}")
            get_logger("notifier").warning("the Discord bot is offline", why=why, after_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _bot(self) -> hikari.GatewayBot:
        bot = hikari.GatewayBot(
            self.file.token.get_secret_value(),
            banner=None,
            logs=None,
            intents=hikari.Intents.NONE,
            cache_settings=CacheSettings(components=hikari.api.CacheComponents.NONE),
            http_settings=HTTPSettings(max_redirects=None),
            auto_chunk_members=False,
            suppress_optimization_warning=True,
            rest_url=self.file.api,
        )
        bot.subscribe(hikari.ShardReadyEvent, self._register)
        bot.subscribe(hikari.InteractionCreateEvent, self._interaction)
        return bot

    async def _register(self, event: hikari.ShardReadyEvent) -> None:
        """Tell the server which slash commands there are; those of before are replaced."""
        rest = event.app.rest
        builders = []
        for name, (meaning, options) in COMMANDS.items():
            builder = rest.slash_command_builder(name, meaning)
            for option, words, required in options:
                builder.add_option(
                    hikari.CommandOption(
                        type=hikari.OptionType.STRING, name=option, description=words, is_required=required
                    )
                )
            builders.append(builder)
        await rest.set_application_commands(event.application_id, builders, int(self.file.server))

    async def _interaction(self, event: hikari.InteractionCreateEvent) -> None:
        interaction = event.interaction
        if isinstance(interaction, hikari.CommandInteraction):
            typed = {option.name: str(option.value) for option in interaction.options or ()}
            await interaction.create_initial_response(
                hikari.ResponseType.DEFERRED_MESSAGE_CREATE, flags=hikari.MessageFlag.EPHEMERAL
            )
            await self._reply(interaction, self.desk.ask(self._person(interaction), interaction.command_name, typed))
        elif isinstance(interaction, hikari.ComponentInteraction):
            what, _, name = interaction.custom_id.partition(":")
            await interaction.create_initial_response(hikari.ResponseType.DEFERRED_MESSAGE_UPDATE)
            pressed = self.desk.press(self._person(interaction), name, confirmed=what == CONFIRM)
            await self._reply(interaction, pressed)

    def _person(self, interaction: hikari.CommandInteraction | hikari.ComponentInteraction) -> Person:
        """Roles count on the one server only: whoever asks elsewhere, or in private, has none."""
        member = interaction.member
        here = interaction.guild_id is not None and str(interaction.guild_id) == self.file.server
        held = frozenset(str(role) for role in member.role_ids) if here and member is not None else frozenset()
        return Person(
            str(interaction.user.id),
            interaction.user.username,
            f"channel {interaction.channel_id}",
            self.file.role_of(held),
        )

    async def _reply(
        self, interaction: hikari.CommandInteraction | hikari.ComponentInteraction, asked: Awaitable[Reply]
    ) -> None:
        try:
            reply = await asked
        except Exception:
            # The chat is told, and the log has the rest; the notifier goes on telling people what happens.
            get_logger("notifier").exception("a question in the chat has failed")
            reply = Reply("Something is wrong on my side. The log of the notifier says what.")
        await interaction.edit_initial_response(
            reply.text,
            components=_buttons(reply.confirm),
            mentions_everyone=False,
            user_mentions=False,
            role_mentions=False,
        )


def _without_payload(_: asyncio.AbstractEventLoop, trouble: dict[str, object]) -> None:
    """What nobody else has handled, without the event that it came from: that holds tokens by which one can answer for us."""
    error = trouble.get("exception")
    what = str(trouble.get("message", "")).splitlines()[:1]
    get_logger("notifier").error("an event was not handled", what=what, why=type(error).__name__)


def _buttons(name: str | None) -> Sequence[MessageActionRowBuilder]:
    if name is None:
        return []
    row = MessageActionRowBuilder()
    row.add_interactive_button(hikari.ButtonStyle.DANGER, f"{CONFIRM}:{name}", label="Do it")
    row.add_interactive_button(hikari.ButtonStyle.SECONDARY, f"{CANCEL}:{name}", label="Leave it")
    return [row]
