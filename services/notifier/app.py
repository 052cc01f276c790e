"""The beginning: while there is nobody to tell, the notifier waits in little memory, and loads the rest once there is."""

import asyncio

from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import NotificationSettings, load_settings
from libs.notify.folder import seen

NAME = "notifier"
CHANNELS = "channels"
_LOOK_SECONDS = 2.0


def has_somebody(settings: NotificationSettings) -> bool:
    """Whether there is a channel, or a bot."""
    return bool(seen(settings.channels_dir)) or settings.discord_bot_file.exists()


async def main(context: ServiceContext) -> None:
    """Notify until told to stop. Raises `UnreachableError` or `ConfigurationError` when it cannot begin."""
    settings = load_settings(NotificationSettings)
    context.expect(CHANNELS)
    if not has_somebody(settings):
        context.details["channels"] = f"no channel: write an address into {settings.channels_dir}/NAME.url (mode 600)"
        get_logger(NAME).info("no channel is configured: nobody is told anything", folder=str(settings.channels_dir))
        context.fulfil(CHANNELS)
    while not has_somebody(settings):
        try:
            await asyncio.wait_for(context.stopping.wait(), _LOOK_SECONDS)
        except TimeoutError:
            continue
        return
    # The broker's and the database's clients are half of the memory.
    from services.notifier.wiring import run

    await run(context, settings)
