"""Which key a person signs with, whom the services of a stack trust, and the first key of a local stack."""

import getpass
import re
from contextlib import suppress
from pathlib import Path

from infra.local.options import command_keys_dir, gateway_keys_dir, notifier_keys_dir
from libs.contracts.commands import CommandName
from libs.kit.errors import ConfigurationError, UserError
from libs.kit.keys import PersonalKey, TrustedFolder, key_names, new_key, read_key
from libs.kit.settings import CommandKeySettings, NotificationSettings, PersonalKeySettings, load_settings
from libs.trading.commands import COMMANDS, RISK_REDUCING
from services.console.output import state_dir

NOTIFIER_KEY = "notifier"
GATEWAY = "gateway"
"""The name of the gateway's key: nobody else's may be called so."""


def own_name() -> str:
    """The login's name, as a key may be called."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        login = "operator"
    return re.sub(r"[^a-z0-9_-]", "-", login.lower()).strip("-_")[:32] or "operator"


def personal_key() -> PersonalKey:
    """The key of PERPSTREAM_KEY, else of the login's name, else the only one. Raises `ConfigurationError` without one."""
    settings = load_settings(PersonalKeySettings)
    names = key_names(settings.keys_dir)
    if settings.key is not None:
        return read_key(settings.keys_dir, settings.key)
    if own_name() in names:
        return read_key(settings.keys_dir, own_name())
    if len(names) == 1:
        return read_key(settings.keys_dir, names[0])
    if not names:
        raise ConfigurationError(
            "you have no key to sign commands with", where=str(settings.keys_dir), todo="perpstream keys new --trust"
        )
    raise ConfigurationError(
        f"you have several keys: {', '.join(names)}", where="PERPSTREAM_KEY", todo="name the one to sign with"
    )


def trusted_folder(folder: Path | None) -> TrustedFolder:
    """Whom the services trust: the folder of PERPSTREAM_COMMAND_KEYS, else that of the stack in the state folder."""
    settings = load_settings(CommandKeySettings)
    if "command_keys" in settings.model_fields_set:
        return TrustedFolder(settings.command_keys)
    return TrustedFolder(command_keys_dir(state_dir(folder)))


def commands_named(text: str) -> tuple[CommandName, ...]:
    """Commands by their names, with commas between. Raises `ConfigurationError` for what is no command."""
    wanted = [name for part in text.split(",") if (name := part.strip().replace("-", "_"))]
    found = [name for name in COMMANDS if name in wanted]
    if unknown := [name for name in wanted if name not in COMMANDS]:
        todo = f"name some of {', '.join(COMMANDS)}"
        raise ConfigurationError(f"{unknown[0][:40]!r} is no command", where="--only", todo=todo)
    if not found:
        raise ConfigurationError("no command is named", where="--only", todo="write it like pause,flatten")
    return tuple(found)


def trusted_words(trusted: TrustedFolder, name: str) -> str:
    """How far this name is trusted, for people."""
    try:
        limits = trusted.limits(name)
    except (OSError, ValueError):
        return "no: its line cannot be read"
    return "yes" if limits is None else f"for {', '.join(limits)}"


def trust_notifier(folder: Path) -> None:
    """Make the key of the notifier of this state folder's stack, and trust it for what reduces risk; only together: one that was
    taken out stays out. Whoever has named a folder of trusted keys decides there. What does not work is left: then what the
    chat bot says is refused."""
    if "command_keys" in load_settings(CommandKeySettings).model_fields_set:
        return
    settings = load_settings(NotificationSettings)
    chosen = "notifier_keys_dir" in settings.model_fields_set
    keys_dir = settings.notifier_keys_dir if chosen else notifier_keys_dir(state_dir(folder))
    if NOTIFIER_KEY in key_names(keys_dir):
        return
    with suppress(UserError, OSError):
        trusted_folder(folder).trust(new_key(keys_dir, NOTIFIER_KEY).public, RISK_REDUCING)


def trust_gateway(folder: Path | None, *, even_where_named: bool = False) -> None:
    """Make the gateway's own key before its first start, and trust it: what it says, it says for people who have signed in.

    Only with the key itself, so that a gateway whose key was revoked stays out. A folder of PERPSTREAM_COMMAND_KEYS is somebody's
    own, and written only where they say so. What does not work is left, as for an operator.
    """
    if not even_where_named and "command_keys" in load_settings(CommandKeySettings).model_fields_set:
        return
    with suppress(UserError, OSError):
        trusted_folder(folder).trust(new_key(gateway_keys_dir(state_dir(folder)), GATEWAY).public)


def trust_operator(folder: Path) -> None:
    """Make a key for whoever starts a stack in this state folder for the first time, and trust it: their commands work at once.

    Only where nobody has said yet who is trusted, so that a person who was taken out stays out. What does not work is left: then
    commands are refused, and say what to do.
    """
    if "command_keys" in load_settings(CommandKeySettings).model_fields_set:
        return
    trusted = trusted_folder(folder)
    if trusted.folder.exists():
        return
    keys_dir = load_settings(PersonalKeySettings).keys_dir
    with suppress(UserError, OSError):
        if not key_names(keys_dir):
            new_key(keys_dir, own_name())
        trusted.trust(personal_key().public)
