"""The rules of who is told what, when and how: a file in JSON, checked whole before any of it counts.

`rules_schema` is its published JSON Schema. Names that a rule uses are those of `libs.notify.facts.KINDS`.
"""

import json
import string
from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from libs.kit.errors import ConfigurationError
from libs.notify import Severity
from libs.notify.facts import COMMON, KINDS

DEFAULT_RULES = Path(__file__).parent / "default_rules.json"
"""The rules that are shipped."""
EVERY = "*"
"""In the place of a channel: all that there are."""
Kind = Literal["signal", "order", "trade", "paper", "position", "risk", "feed", "gap", "alert"]
ChannelName = Annotated[str, Field(pattern=r"^(\*|[a-z0-9][a-z0-9_-]{0,31})$")]
Choice = str | bool
_MOST_BYTES = 1_000_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuietHours(_Part):
    """A span of the day, in which only what is grave enough is told; the rest comes at its end, together."""

    start: time = Field(alias="from", description="Like 22:30")
    end: time = Field(alias="to", description="Like 07:00; before `from`: of the next day")
    zone: str = Field(default="UTC", description="A time zone's name, like Europe/Vienna")
    let_through: Severity = Field(default="critical", description="What is told all the same, and whatever is graver")
    channels: tuple[ChannelName, ...] = Field(default=(EVERY,), min_length=1, description="Where it is quiet")

    @field_validator("zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError):
            raise ValueError(f"{value!r} is no time zone") from None
        return value


class Grouping(_Part):
    """What comes within a while is told as one message."""

    by: tuple[str, ...] = Field(default=(), description="Values that must be equal, like symbol; none: all of the rule")
    seconds: int = Field(ge=1, le=86_400, description="How long the first one waits for others")


class ChannelLimits(_Part):
    """How much a channel takes."""

    per_minute: int = Field(default=20, ge=1, le=1000, description="So many messages in any 60 s at most")
    digest_over: int = Field(default=10, ge=2, le=1000, description="More than so many waiting become one message")


class Rule(_Part):
    """Which event goes to which channel, and how."""

    name: str = Field(min_length=1, max_length=60, pattern=r"^[\w .:/-]+$", description="Of this rule alone")
    on: Kind = Field(description="Which kind of event")
    where: Mapping[str, Choice | tuple[Choice, ...]] = Field(
        default={}, description="Values that the event must have, one or one of several"
    )
    at_least: Mapping[str, float] = Field(default={}, description="Values that must be this or above")
    at_most: Mapping[str, float] = Field(default={}, description="Values that must be this or below")
    channels: tuple[ChannelName, ...] = Field(
        default=(EVERY,), description="Where to; * is every channel, none is nobody"
    )
    severity: Severity | None = Field(default=None, description="Instead of the event's own")
    title: str | None = Field(
        default=None, max_length=400, description="Like `{symbol} is {state}`; unset: as it comes"
    )
    text: str | None = Field(default=None, max_length=4000, description="As `title`")
    group: Grouping | None = Field(default=None, description="Tell several together")
    picture: bool = Field(default=False, description="With a chart of the last hours (signals)")
    expires_minutes: int = Field(
        default=1440, ge=1, le=100_000, description="Told within this, or not any more; critical ones do not expire"
    )

    @model_validator(mode="after")
    def _uses_known_values(self) -> "Rule":
        known = (*KINDS[self.on], *COMMON)
        used = [*self.where, *self.at_least, *self.at_most, *(self.group.by if self.group else ())]
        for template in filter(None, (self.title, self.text)):
            used += placeholders(template)
        for name in used:
            if name not in known:
                raise ValueError(f"a {self.on} has no {name!r}; it has {', '.join(known)}")
        if self.picture and self.on != "signal":
            raise ValueError(f"a {self.on} has no picture")
        return self


class Rules(_Part):
    """All of the file. Rules are asked one by one; an event is told once a rule and channel."""

    schema_: str | None = Field(default=None, alias="$schema")
    quiet_hours: tuple[QuietHours, ...] = ()
    limits: Mapping[ChannelName, ChannelLimits] = Field(default={}, description="By channel; `*`: of those not named")
    rules: tuple[Rule, ...] = Field(max_length=200)

    @field_validator("rules")
    @classmethod
    def _distinct(cls, value: tuple[Rule, ...]) -> tuple[Rule, ...]:
        names = [rule.name for rule in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules have the name {name!r}")
        return value

    def limits_of(self, channel: str) -> ChannelLimits:
        """How much this channel takes."""
        return self.limits.get(channel) or self.limits.get(EVERY) or ChannelLimits()

    def named_channels(self) -> tuple[str, ...]:
        """Every channel that a rule names."""
        return tuple(sorted({name for rule in self.rules for name in rule.channels} - {EVERY}))


def placeholders(template: str) -> list[str]:
    """The names in braces. Raises `ValueError` for braces that do not match, and for anything but plain names: a template can
    reach into nothing."""
    found = []
    for _, name, form, conversion in string.Formatter().parse(template):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{{{name}}} is no plain name in a template: write {{symbol}}, or {{{{ for a brace")
        found.append(name)
    return found


def read_rules(text: str, where: str) -> Rules:
    """The rules of a file's text. Raises `ConfigurationError`, which names the first place that is wrong."""
    try:
        return Rules.model_validate(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        what = f"it is no JSON: {error}"
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        what = f"{place}: {first['msg'].removeprefix('Value error, ')}"
    raise ConfigurationError(
        f"the rules of notifications are wrong: {what}", where=where, todo="correct it; `perpstream notify rules check`"
    )


def load_rules(path: Path) -> Rules:
    """The rules of a file. Raises `ConfigurationError`."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigurationError("the file is larger than 1 MB", where=str(path), todo="name a file of rules")
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(
            f"the rules of notifications cannot be read: {reason}",
            where=str(path),
            todo="correct PERPSTREAM_NOTIFIER_RULES, or the file",
        ) from None
    return read_rules(text, str(path))


def rules_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a file of rules."""
    schema = Rules.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rules of Perpstream's notifications",
        "description": "Values by kind of event: "
        + "; ".join(f"{kind}: {', '.join(names)}" for kind, names in KINDS.items())
        + f"; all: {', '.join(COMMON)}.",
        **{name: part for name, part in schema.items() if name not in ("title", "description")},
    }
