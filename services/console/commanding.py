"""Saying a command to executor or risk guard: checked here first, signed by the person, sent, and its answer told."""

import secrets
import time
from collections.abc import Callable, Mapping

import typer

from libs.contracts.commands import CommandAnswered, CommandIssued, CommandName
from libs.contracts.topics import COMMAND, COMMAND_RESULT
from libs.kit.errors import ConfigurationError, UnreachableError, UserError
from libs.kit.keys import PersonalKey
from libs.streaming.commands import CommandDesk
from libs.trading import issuing
from libs.trading.commands import CommandInvalid
from libs.trading.issuing import Wish
from services.console.asking import Asking
from services.console.key_choice import personal_key
from services.console.output import ask, console, print_json, servers
from services.console.watch.words import said

PATIENCE_SECONDS = 15.0
# What is answered only when it has been done.
LONG_SECONDS: Mapping[CommandName, float] = {"flatten": 30.0, "sync": 45.0}


def signed_command(wish: Wish, key: PersonalKey, now_ms: int, nonce: str) -> CommandIssued:
    """The command of this person, as `libs.trading.issuing` makes it. Raises `ConfigurationError` for arguments that no service
    would take."""
    try:
        return issuing.signed_command(wish, key, now_ms, nonce)
    except CommandInvalid as error:
        raise ConfigurationError(str(error), todo=f"see the command's --help ({wish.name})") from None


def now_ms() -> int:
    """The clock of this machine, ms (UTC): what the services compare with theirs."""
    return time.time_ns() // 1_000_000


def tell(
    asking: Asking,
    name: CommandName,
    arguments: Mapping[str, str] | None = None,
    agreed: Callable[[], None] | None = None,
) -> None:
    """Say a command, wait for its answer, and print it. Raises `UserError` for one that was refused, and for none in time.
    `agreed`: called once it is known that the command may be meant like that; it raises for a person who thinks better of it."""
    wish, nonce = Wish(asking.account_name, name, arguments or {}, asking.reason), secrets.token_hex(16)
    command = signed_command(wish, personal_key(), now_ms(), nonce)
    if agreed is not None:
        agreed()
        # A person takes time to answer, and a command is not valid for long.
        command = signed_command(wish, personal_key(), now_ms(), nonce)
    given = servers(asking.state_dir)
    desk = CommandDesk(given.kafka, COMMAND, COMMAND_RESULT)
    try:
        answer = ask(given, desk.issue_and_hear(command, LONG_SECONDS.get(name, PATIENCE_SECONDS)))
    except UnreachableError as error:
        if name != "flatten":
            raise
        what = error.advice
        raise UnreachableError(
            what.what, where=what.where, todo="with --direct it needs nothing but the venue and the account's key"
        ) from None
    if asking.as_json:
        print_json(answer)
        if not answer.accepted:
            raise typer.Exit(1)
        return
    _print(answer)


def _print(answer: CommandAnswered) -> None:
    if not answer.accepted:
        direct = "nothing has changed; with --direct it needs nothing but the venue and the account's key"
        raise UserError(
            f"the {answer.target.replace('_', ' ')} refused {answer.command}: {said(answer.result)}",
            where=f"account {answer.account}",
            todo=direct if answer.command == "flatten" else "nothing has changed; `perpstream risk history` keeps it",
        )
    console().print(said(answer.result), markup=False)
    for name, value in answer.details.items():
        console().print(said(f"  {name}: {value}"), style="dim", markup=False)
