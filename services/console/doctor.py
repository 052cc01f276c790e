"""`perpstream doctor`: whether an account is in order before real orders go out for it."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from libs.kit.settings import AccountSettings, SymbolSettings, load_settings
from services.console.output import EXIT_FAILED, AsJson, StateDir, console, print_json, running, servers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType
    from sqlalchemy.ext.asyncio import AsyncEngine

    from libs.trading.execution.checklist import AccountFacts, Check
    from libs.trading.execution.config import LiveConfig
    from services.console.doctor_facts import Patient

app = typer.Typer(
    help="Doctor: what has to be in order before an account is traded.",
    epilog="Examples: `perpstream doctor trading --mode demo`, `perpstream doctor trading --mode production --json`",
    no_args_is_help=True,
)
_MARKS = {"passed": "[green]✓[/]", "warning": "[yellow]![/]", "failed": "[red]✗[/]"}


@app.callback()
def _group() -> None:
    """A group, so that `trading` is named."""


@app.command(
    epilog="Examples: `perpstream doctor trading`, `perpstream doctor trading --account main --mode production`"
)
def trading(
    account: Annotated[
        str | None, typer.Option(help="Which account [default: PERPSTREAM_ACCOUNT, else main]", show_default=False)
    ] = None,
    mode: Annotated[
        Literal["demo", "production"] | None,
        typer.Option(help="As if it were traded so [default: PERPSTREAM_EXECUTION_MODE]", show_default=False),
    ] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Go through the list that the executor goes through before it enters anything. Nothing is changed, nothing is sent.

    It needs the account's key file and its venue; without the database it says that books and account were not compared.
    """
    from libs.trading.execution.checklist import checklist, is_in_order
    from services.console.database import with_engine
    from services.console.doctor_facts import Examination

    patient = _patient(account, mode, state_dir)

    async def work(engine: "AsyncEngine") -> "tuple[AccountFacts, LiveConfig]":
        return await Examination(patient).facts(engine)

    checks = checklist(*with_engine(state_dir, work))
    in_order = is_in_order(checks)
    if as_json:
        print_json(
            {
                "account": patient.account.account,
                "mode": patient.account.execution_mode,
                "in_order": in_order,
                "checks": checks,
            }
        )
    else:
        console().print(checks_screen(checks))
        word = "in order" if in_order else "not in order: nothing is entered"
        console().print(f"\n{patient.account.account} ({patient.account.execution_mode}): {word}")
    if not in_order:
        raise typer.Exit(EXIT_FAILED)


def _patient(account: str | None, mode: str | None, state_dir: StateDir) -> "Patient":
    from libs.kit.installation import installation_name
    from services.console.account_places import kept_places
    from services.console.doctor_facts import Patient
    from services.console.venues import venue_settings

    given = load_settings(AccountSettings)
    changes = {name: value for name, value in (("account", account), ("execution_mode", mode)) if value is not None}
    _, path = kept_places(state_dir)
    run = running(state_dir)
    symbols = tuple(run.symbols) if run is not None and run.symbols else load_settings(SymbolSettings).symbols
    return Patient(
        account=AccountSettings(**(given.model_dump() | changes)),
        venue=venue_settings(state_dir),
        installation=installation_name(path) if path.exists() else "",
        symbols=symbols,
        kafka=servers(state_dir).kafka,
    )


def checks_screen(checks: "Iterable[Check]") -> "RenderableType":
    """One line a check, and what can be done below those that are not passed."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        sentence = Text(check.sentence)
        if check.state != "passed" and check.todo:
            sentence.append(f"\n{check.todo}", style="dim")
        table.add_row(_MARKS[check.state], check.name.replace("_", " "), sentence)
    return table
