"""What every command shares: where it prints, how errors look, which stack or servers it talks to, and exit codes.

Exit codes: 0 done, 1 failed or refused, 2 wrong usage, setting or input, 3 no stack is running, 4 a server does not answer,
130 interrupted.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console

from infra.local.runfile import RunFile, process_of, read_run_file, running_stack
from infra.local.settings import stack_settings
from libs.kit.errors import UnreachableError, UserError
from libs.kit.interruption import EXIT_INTERRUPTED
from libs.kit.secrets import HIDDEN, masked
from libs.kit.settings import DatabaseSettings, KafkaSettings, load_settings

EXIT_FAILED = 1
T = TypeVar("T")

StateDir = Annotated[
    Path | None,
    typer.Option("--state-dir", help="Folder of the stack's state [default: .perpstream]", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts")]


def console() -> Console:
    """Standard output; rich leaves colours out for pipes and for NO_COLOR."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.flush()


def print_error(error: UserError) -> None:
    """The one line for a person, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"perpstream: {error.advice}", style="red", markup=False
    )


def state_dir(given: Path | None) -> Path:
    """The state folder: the option, else PERPSTREAM_STATE_DIR, else .perpstream."""
    return given if given is not None else stack_settings().state_dir


@dataclass(frozen=True, slots=True)
class Servers:
    """The broker and the database a command talks to; `of_stack`: those of a stack that runs."""

    kafka: str
    market_partitions: int
    database: DatabaseSettings
    of_stack: bool


def running(folder: Path | None) -> RunFile | None:
    """The stack that runs in the folder, None without one."""
    run = read_run_file(state_dir(folder))
    return None if run is None or process_of(run.supervisor_pid, run.supervisor_started_at) is None else run


def servers(folder: Path | None) -> Servers:
    """The servers that are named in the environment (PERPSTREAM_KAFKA_BOOTSTRAP, PERPSTREAM_DATABASE_URL), each for itself; what
    is not named there is the running stack's, or has its default.

    A variable wins over the stack: whoever names a database must never work on another one. Raises `NotRunning` for a named
    folder without a stack: other servers would answer for it.
    """
    if folder is not None:
        running_stack(folder)
    kafka, database = load_settings(KafkaSettings), load_settings(DatabaseSettings)
    run = running(folder)
    if run is None:
        return Servers(kafka.kafka_bootstrap, kafka.market_partitions, database, of_stack=False)
    bootstrap = kafka.kafka_bootstrap if "kafka_bootstrap" in kafka.model_fields_set else run.kafka_bootstrap
    if bootstrap != run.kafka_bootstrap:
        _say_once(f"the broker is {bootstrap} (PERPSTREAM_KAFKA_BOOTSTRAP), not the running stack's")
    return Servers(bootstrap, kafka.market_partitions, _database(database, run), of_stack=True)


def _database(given: DatabaseSettings, run: RunFile) -> DatabaseSettings:
    """The database of the environment, else the stack's; the stack's password opens every database of its server."""
    password = Path(run.database_password_file) if run.database_password_file else None
    if "database_url" not in given.model_fields_set:
        return given.model_copy(update={"database_url": run.database_url, "database_password_file": password})
    named, of_stack = _bare(given.database_url), _bare(run.database_url)
    if named != of_stack:
        _say_once(f"the database is {named} (PERPSTREAM_DATABASE_URL), not the running stack's")
    same_server = named.rpartition("/")[0] == of_stack.rpartition("/")[0]
    if same_server and named == given.database_url and given.database_password_file is None:
        return given.model_copy(update={"database_password_file": password})
    return given


def _bare(url: str) -> str:
    """The URL of a database without its password, as run files have it."""
    return masked(url).replace(f":{HIDDEN}@", "@")


def print_warning(line: str) -> None:
    """A line that a person needs and a pipe does not, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"perpstream: {line}", style="yellow", markup=False)


@cache
def _say_once(line: str) -> None:
    """However often the command asks for its servers."""
    print_warning(line)


def ask(given: Servers, work: Coroutine[Any, Any, T]) -> T:
    """Run what asks these servers; where none answers and no stack runs, the error says how to start one."""
    try:
        return asyncio.run(work)
    except UnreachableError as error:
        if given.of_stack:
            raise
        what = error.advice
        raise UnreachableError(
            what.what, where=what.where, todo=f"start a stack with `perpstream up`, or {what.todo}"
        ) from None


def guarded(run: Callable[[], object]) -> int:
    """Run the command line; errors for people become one line and their exit code."""
    for client in ("aiokafka", "kafka", "asyncio"):  # what matters of theirs reaches people as our own lines
        logging.getLogger(client).setLevel(logging.CRITICAL)
    try:
        run()
    except UserError as error:
        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `perpstream topics tail | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
