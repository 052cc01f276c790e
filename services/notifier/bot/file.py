"""The bot's file: its token, the one server where it listens, and which roles may do what; only its owner may read it."""

import json
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from libs.kit.errors import ConfigurationError
from libs.kit.hosts import is_loopback
from libs.notify.folder import secret_text

Role = Literal["viewer", "trader"]
Snowflake = Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]


class BotFile(BaseModel):
    """`roles`: what the holders of a role of the server may do, by the role's id; `api`: another address of Discord's REST API,
    for tests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr
    server: Snowflake
    roles: dict[Snowflake, Role] = Field(min_length=1)
    api: str | None = None

    @field_validator("api")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        if value is not None and not is_loopback(urlsplit(value).hostname or ""):
            raise ValueError("another address of the API must be on this machine")
        return value

    def role_of(self, held: "set[str] | frozenset[str]") -> Role | None:
        """The most that somebody with these roles may do; None: nothing."""
        found = {self.roles[role] for role in held & self.roles.keys()}
        return "trader" if "trader" in found else "viewer" if found else None


def read_bot_file(path: Path) -> BotFile:
    """The file's content. Raises `ConfigurationError`, without the token, where it is missing, wrong, or others may read it."""
    try:
        return BotFile.model_validate(json.loads(secret_text(path)))
    except json.JSONDecodeError:
        what = "it is no JSON"
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        what = f"{place}: {first['msg'].removeprefix('Value error, ')}"
    raise ConfigurationError(f"the bot's file is wrong: {what}", where=str(path), todo="see docs/notifications.md")
