"""Saying a command to executor or risk guard: checked here first, signed by the person, sent, and its answer told."""

import secrets
import time
from collections.abc import Mapping

import typer

from libs.contracts.commands import CommandAnswered, CommandName
from libs.contracts.topics import COMMAND, COMMAND_RESULT
from libs.kit.errors import ConfigurationError, UnreachableError, UserError
from libs.streaming.commands import CommandDesk
from libs.trading.command_signing import Wish, signed_command
from libs.trading.commands import CommandInvalid
from services.console.asking import Asking
from services.console.key_choice import personal_key
from services.console.output import ask, console, print_json, servers
from services.console.watch.words import said

PATIENCE_SECONDS = 15.0
# What is answered only when it has been done.
LONG_SECONDS: Mapping[CommandName, float] = {"flatten": 30.0, "sync": 45.0}


def now_ms() -> int:
    """The clock of this machine, ms (UTC): what the services compare with theirs."""
    return time.time_ns() // 1_000_000


def tell(asking: Asking, name: CommandName, arguments: Mapping[str, str] | None = None) -> None:
    """Say a command, wait for its answer, and print it. Raises `UserError` for one that was refused, and for none in time."""
    wish = Wish(asking.account_name, name, arguments or {}, asking.reason)
    try:
        command = signed_command(wish, personal_key(), now_ms(), secrets.token_hex(16))
    except CommandInvalid as error:
        raise ConfigurationError(str(error), todo=f"see the command's --help ({name})") from None
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
