"""From one version of what may trade to the next, by the names and texts of a command."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from libs.kit.wording import what_is_wrong
from libs.trading.commands import BASE_VERSION, ChangeConfig, CommandInvalid
from libs.trading.execution.config import LiveConfig, SymbolOverride

OVERRIDES = "overrides"
NONE = "none"
"""In the place of a symbol's own value: as all have it."""
_LISTS = frozenset(name for name, one in LiveConfig.model_fields.items() if one.default == ())
_FIXED = frozenset(("version", OVERRIDES))


def settings_names() -> tuple[str, ...]:
    """What `change_config` may set for the account."""
    return tuple(name for name in LiveConfig.model_fields if name not in _FIXED)


def changed_config(config: LiveConfig, change: ChangeConfig) -> LiveConfig:
    """The next version. Lists are written with commas, an empty text is an empty list; `none` takes a symbol's own value away.

    Raises `CommandInvalid` where somebody else has changed it since, for a name that is none, and a value that is refused.
    """
    if change.base_version != config.version:
        raise CommandInvalid(
            f"the configuration has version {config.version} by now, and the change is of version {change.base_version}: "
            "look at it and change it again"
        )
    document = config.model_dump()
    for name, text in change.changes.items():
        if name.startswith(f"{OVERRIDES}."):
            _override(document[OVERRIDES], name, text)
        else:
            document[_known(name)] = _list(text) if name in _LISTS else text.strip()
    document["version"] = config.version + 1
    return _checked(document)


def read_change(pairs: Mapping[str, str], config: LiveConfig) -> dict[str, str]:
    """Arguments of the command that makes these changes to that version; raises like `changed_config`, before it is sent."""
    changed_config(config, ChangeConfig(config.version, pairs))
    return {BASE_VERSION: str(config.version), **pairs}


def _known(name: str) -> str:
    if name not in settings_names():
        raise CommandInvalid(f"{name} is no setting; there are {', '.join(settings_names())}, overrides.SYMBOL.NAME")
    return name


def _override(overrides: dict[str, Any], name: str, text: str) -> None:
    _, symbol, own = (*name.split("."), "", "")[:3]
    if name != f"{OVERRIDES}.{symbol}.{own}" or own not in SymbolOverride.model_fields:
        raise CommandInvalid(f"{name}: a symbol has {', '.join(SymbolOverride.model_fields)} of its own")
    values = {key: value for key, value in (overrides.pop(symbol, None) or {}).items() if value is not None}
    values.pop(own, None)
    if text.strip() != NONE:
        values[own] = text.strip()
    if values:
        overrides[symbol] = values


def _list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _checked(document: dict[str, Any]) -> LiveConfig:
    try:
        return LiveConfig.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CommandInvalid(f"{where} {what_is_wrong(first)}") from None
