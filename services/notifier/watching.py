"""Rules and channels as their files say now: looked at again and again, and what is broken leaves the old ones in force."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from libs.kit.errors import ConfigurationError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.kit.settings import NotificationSettings
from libs.notify import Channel
from libs.notify.folder import SUFFIX, Seen, read_channels, seen
from libs.notify.rules import DEFAULT_RULES, Rules, load_rules
from services.notifier.app import CHANNELS

RULES = "rules"
LOOK_SECONDS = 1.0


@dataclass(slots=True)
class Files:
    """What is in force. `changed`: called when channels came, went or got another address, with the names of the last; at the
    beginning with none. `names`: of the channels, and of those whose file is broken, for which messages wait in the outbox.
    `known`: of all that were ever in force, unless a person forgot them."""

    context: ServiceContext
    settings: NotificationSettings
    changed: Callable[["Files", set[str]], None]
    rules: Rules = field(init=False)
    channels: dict[str, Channel] = field(default_factory=dict, init=False)
    names: frozenset[str] = field(default=frozenset(), init=False)
    known: frozenset[str] = field(default=frozenset(), init=False)
    trouble: str | None = field(default=None, init=False)
    _rules_seen: tuple[int, int] | None = field(default=None, init=False)
    _folder_seen: Seen | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.context.expect(RULES)
        self.rules = load_rules(DEFAULT_RULES)
        self.look()

    def look(self) -> None:
        """Take over what has changed."""
        if (stamp := _stamp(self._rules_file)) != self._rules_seen or stamp is None:
            self._rules_seen = stamp
            self._take_rules()
        if (folder := seen(self.settings.channels_dir)) != self._folder_seen:
            before, self._folder_seen = self._folder_seen, folder
            other = folder.keys() if before is not None else ()
            self._take_channels(
                {name.removesuffix(SUFFIX) for name in other if (before or {}).get(name) != folder[name]}
            )

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    @property
    def gone(self) -> frozenset[str]:
        """Channels that were in force once and have no file now: what is critical waits for them."""
        return self.known - self.names

    @property
    def _rules_file(self) -> Path:
        return self.settings.notifier_rules or DEFAULT_RULES

    def _take_rules(self) -> None:
        try:
            rules = load_rules(self._rules_file)
        except ConfigurationError as error:
            if self.trouble != str(error.advice):
                self.trouble = str(error.advice)
                get_logger("notifier").error("the rules are broken: the old ones stay", why=self.trouble)
            self.context.miss(RULES, f"{self.trouble}; the rules of before stay in force")
            return
        self.rules, self.trouble = rules, None
        self.context.details["rules"] = f"{len(rules.rules)} of {self._rules_file}"
        self.context.fulfil(RULES)
        get_logger("notifier").info("rules", file=str(self._rules_file), rules=len(rules.rules))

    def _take_channels(self, touched: set[str]) -> None:
        found = read_channels(self.settings.channels_dir)
        self.names = found.names
        old = self.channels
        self.channels = {
            name: channel if name in touched or name not in old else old[name]
            for name, channel in found.channels.items()
        }
        for name, why in found.broken.items():
            get_logger("notifier").error("the file is no channel", channel=name, why=why)
        self.known |= self.channels.keys()
        self.context.details["channels"] = {name: one.kind for name, one in self.channels.items()}
        if found.broken:
            names = "; ".join(f"{name}: {why}" for name, why in sorted(found.broken.items()))
            self.context.miss(CHANNELS, names)
        else:
            self.context.fulfil(CHANNELS)
        self.changed(self, touched)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size
