"""The folder of channels: a file NAME.url of mode 600 a channel, which holds its address; a file that others may read is none."""

import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from libs.kit.errors import ConfigurationError
from libs.notify import Channel
from libs.notify.discord import DiscordWebhook, is_webhook
from libs.notify.other_ways import AppriseChannel

SUFFIX = ".url"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_BYTES = 4096
Seen = dict[str, tuple[int, int, int]]
"""Time of change, size and mode by file: what a change of the folder shows itself in."""


@dataclass(frozen=True, slots=True)
class FoundChannels:
    """`broken`: why a file is no channel, by its name."""

    channels: dict[str, Channel] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The channels, and those that will be channels once their file is mended."""
        return frozenset({*self.channels, *filter(_NAME.fullmatch, self.broken)})


def seen(folder: Path) -> Seen:
    """What the folder looks like; a folder that is not there, or cannot be read, has nothing."""
    found: Seen = {}
    try:
        paths = [path for path in folder.iterdir() if path.suffix == SUFFIX]
    except OSError:
        return found
    for path in paths:
        # One that is gone by now, as while an editor replaces it, hides none of the others.
        with suppress(OSError):
            state = path.stat()
            found[path.name] = (state.st_mtime_ns, state.st_size, state.st_mode)
    return found


def read_channels(folder: Path) -> FoundChannels:
    """Every channel of the folder, without asking any of them; raises nothing."""
    found = FoundChannels()
    for file in sorted(seen(folder)):
        name = file.removesuffix(SUFFIX)
        try:
            found.channels[name] = channel_of(name, secret_text(folder / file))
        except ConfigurationError as error:
            found.broken[name] = error.advice.what
    return found


def channel_of(name: str, url: str) -> Channel:
    """The channel behind an address. Raises `ConfigurationError`, without the address, for one that cannot be meant."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            "the file's name is no name of a channel", where=name[:40], todo="write 1 to 32 of a-z, 0-9, _ and -"
        )
    try:
        discord = is_webhook(url)
    except ValueError:  # its text quotes the address
        raise _no_url(name) from None
    if discord:
        return DiscordWebhook(name, url)
    if "://" not in url or re.search(r"\s", url):
        raise _no_url(name)
    return AppriseChannel(name, url)


def _no_url(name: str) -> ConfigurationError:
    what = "the file holds no URL (inside a password [ is written %5B, and any other special character likewise)"
    return ConfigurationError(what, where=f"channel {name}", todo="write one URL into it")


def secret_text(path: Path) -> str:
    """What stands in a file that only its owner may read. Raises `ConfigurationError`."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()[:_MOST_BYTES].strip() if not mode & _OTHERS else ""
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(f"the file cannot be read: {reason}", where=str(path), todo="mend it") from None
    if mode & _OTHERS:
        raise ConfigurationError(
            f"others may read the file: it has mode {stat.S_IMODE(mode):o}", where=str(path), todo="chmod 600"
        )
    if not text:
        raise ConfigurationError("the file is empty", where=str(path), todo="write the address into it")
    return text
