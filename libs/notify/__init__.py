"""The port to people: what a message is, and what a channel says of one; each way to reach people is a file beside this one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
"""From the lightest to the gravest."""
SEND_SECONDS = 20.0
"""Every channel has answered by then, or the message counts as not delivered."""


def at_least(severity: Severity, limit: Severity) -> bool:
    """Whether the severity is `limit` or graver."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(limit)


@dataclass(frozen=True, slots=True)
class Message:
    """What a person reads. `facts`: short ones by name, shown beside each other; `footer`: which event, for those who look it up;
    `png`: a picture, or None; `time_ms`: of what it is about (ms, UTC)."""

    title: str
    text: str
    severity: Severity
    facts: Mapping[str, str] = field(default_factory=dict)
    footer: str = ""
    png: bytes | None = field(default=None, repr=False)
    time_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The channel has it."""


@dataclass(frozen=True, slots=True)
class TryLater:
    """The channel did not take it, and may later. `after_seconds`: as it asked; None: it said nothing. `unknown`: it may have it
    all the same, because its answer was lost."""

    why: str
    after_seconds: float | None = None
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel will never take this message; others it may."""

    why: str


Outcome = Delivered | TryLater | Refused


class Channel(Protocol):
    """One way to reach people. No text that it gives contains a secret."""

    @property
    def name(self) -> str:
        """As rules name it."""
        ...

    @property
    def kind(self) -> str:
        """What it is, in a word for people: discord, mailto, …"""
        ...

    async def send(self, message: Message) -> Outcome:
        """Hand one message over; answers within `SEND_SECONDS` and raises nothing that is the channel's fault."""
        ...

    async def close(self) -> None:
        """Drop connections."""
        ...
