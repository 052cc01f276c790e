"""`perpstream risk`: what the guard says of an account, and telling it to pause, flatten, lock, or end a circuit break."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from services.console.asking import AccountName, Asking, Reason
from services.console.consent import Yes, entries_again, require_yes
from services.console.output import AsJson, StateDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from libs.contracts.commands import CommandName
    from services.console.account_state import AccountState

Symbol = Annotated[str, typer.Argument(help="A perpetual in the venue's spelling, like BTCUSDT")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

app = typer.Typer(
    help="Risk: the guard's state, and what a person may tell it. Commands are signed with your key (`perpstream keys`).",
    epilog="Examples: `perpstream risk status`, `perpstream risk pause --reason news`, `perpstream risk flatten all`",
    no_args_is_help=True,
)


@app.command(epilog="Examples: `perpstream risk status`, `perpstream risk status --account main --json`")
def status(account: AccountName = None, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show whether entries are allowed and why not, and whether guard and executor live. Exit code 1 when one is silent."""
    from services.console.account_state import state_screen
    from services.console.output import console, print_json

    state = _state(Asking(state_dir, account))
    if as_json:
        print_json(state)
    else:
        console().print(state_screen(state))
    if not state.heard:
        raise typer.Exit(1)


@app.command("test", epilog="Examples: `perpstream risk test`, `perpstream risk test --json`")
def rules(account: AccountName = None, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show what each rule sees now, and what would trip. Exit code 1 when a rule breaks or the guard is silent."""
    from libs.kit.errors import UserError
    from services.console.account_state import measures_table
    from services.console.output import console, print_json

    asking = Asking(state_dir, account)
    heard = _state(asking).guard
    if heard is None or not heard.fresh:
        raise UserError(
            "the risk guard is silent, so nobody measures anything",
            where=f"account {asking.account_name}",
            todo="look at `perpstream status`",
        )
    if as_json:
        print_json(heard.said.measures)
    else:
        console().print(
            measures_table(heard.said.measures) if heard.said.measures else "the guard measures nothing yet"
        )
    if any(one.level == "break" for one in heard.said.measures):
        raise typer.Exit(1)


@app.command("history", epilog="Examples: `perpstream risk history`, `perpstream risk history --last 200 --json`")
def history_(
    account: AccountName = None,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="So many lines")] = 50,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Show every command with who said it, why, and what became of it, and every alarm of guard and executor."""
    from services.console.command_history import history, history_table
    from services.console.output import ask, console, print_json, servers

    given = servers(state_dir)
    lines = ask(given, history(given.kafka, Asking(state_dir, account).account_name, last))
    if as_json:
        print_json(lines)
    else:
        console().print(history_table(lines))


@app.command(epilog="Example: `perpstream risk pause --reason 'news at 14:00'`")
def pause(
    reason: Reason = "", account: AccountName = None, state_dir: StateDir = None, as_json: AsJson = False
) -> None:
    """Allow no entries until a resume; stops, targets and exits go on."""
    _tell(Asking(state_dir, account, reason, as_json), "pause")


@app.command(epilog="Examples: `perpstream risk resume`, `perpstream risk resume --yes`")
def resume(
    reason: Reason = "",
    yes: Yes = False,
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """End a pause, and give up a flatten that is not done. A circuit break is ended by `reset`."""
    asking = Asking(state_dir, account, reason, as_json)
    question = f"allow entries of account {asking.account_name} again?"
    _tell(asking, "resume", None, lambda: _ask(asking, question, yes=yes))


@app.command(
    epilog="Examples: `perpstream risk flatten BTCUSDT`, `perpstream risk flatten all --yes`, `… flatten all --direct`"
)
def flatten(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL|all", help="A perpetual like BTCUSDT, or all")],
    reason: Reason = "",
    direct: Annotated[
        bool, typer.Option("--direct", help="Without guard, Kafka and database: from here, with the account's key")
    ] = False,
    yes: Yes = False,
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Close at market what is held, and cancel what would open there. `--direct` works when everything else is dead."""
    asking = Asking(state_dir, account, reason, as_json)
    what = "all" if symbol.lower() == "all" else symbol.upper()
    require_yes(f"close {'everything' if what == 'all' else what} of account {asking.account_name} at market?", yes=yes)
    if direct:
        from services.console.flattening import flatten_here

        flatten_here(asking, None if what == "all" else what)
    else:
        _tell(asking, "flatten", {"symbol": what})


@app.command(epilog="Example: `perpstream risk reset --reason 'loss understood'`")
def reset(
    reason: Reason = "",
    yes: Yes = False,
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """End the circuit break that stands now; a rule that still breaks breaks again at once."""
    from libs.kit.errors import UserError

    asking = Asking(state_dir, account, reason, as_json)
    heard = _state(asking).guard
    if heard is None or heard.said.level != "circuit_break":
        what = "the risk guard has never spoken" if heard is None else "the circuit is not broken"
        raise UserError(what, where=f"account {asking.account_name}", todo="look at `perpstream risk status`")
    question = f"end circuit break {heard.said.break_number} of account {asking.account_name}?"
    _tell(asking, "reset", {"break_number": str(heard.said.break_number)}, lambda: _ask(asking, question, yes=yes))


@app.command(epilog="Examples: `perpstream risk lock BTCUSDT --for 2h`, `perpstream risk lock DOGEUSDT --for 3d`")
def lock(
    symbol: Symbol,
    how_long: Annotated[str, typer.Option("--for", metavar="TIME", help="Like 30m, 2h or 7d; 31d at most")],
    reason: Reason = "",
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Allow no entries in a symbol for a while; what is held there goes on."""
    from services.console.commanding import now_ms

    until_ms = now_ms() + seconds_of(how_long) * 1000
    arguments = {"symbol": symbol.upper(), "until_ms": str(until_ms)}
    _tell(Asking(state_dir, account, reason, as_json), "lock", arguments)


@app.command(epilog="Example: `perpstream risk unlock BTCUSDT`")
def unlock(
    symbol: Symbol,
    reason: Reason = "",
    yes: Yes = False,
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Allow entries in a symbol again."""
    asking = Asking(state_dir, account, reason, as_json)
    question = f"allow entries in {symbol.upper()} on account {asking.account_name} again?"
    _tell(asking, "unlock", {"symbol": symbol.upper()}, lambda: _ask(asking, question, yes=yes))


def seconds_of(text: str) -> int:
    """A time span like 90s, 30m, 2h or 7d, in s."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no time span: write it like 30m, 2h or 7d", param_hint="--for")
    return int(found[1]) * _UNITS[found[2]]


def _ask(asking: Asking, question: str, *, yes: bool) -> None:
    require_yes(question, yes=yes, effect=lambda: entries_again(asking))


def _state(asking: Asking) -> "AccountState":
    from services.console.account_state import account_state
    from services.console.output import ask, servers

    given = servers(asking.state_dir)
    return ask(given, account_state(given.kafka, asking.account_name))


def _tell(
    asking: Asking,
    name: "CommandName",
    arguments: dict[str, str] | None = None,
    agreed: "Callable[[], None] | None" = None,
) -> None:
    from services.console.commanding import tell

    tell(asking, name, arguments, agreed)
