"""All commands of `perpstream`, each in a module of its own that is imported when it is used: `--help` stays fast."""

import sys

import typer

from services.console import (
    backtests,
    data,
    database,
    doctor,
    feeds,
    keys,
    live,
    paper,
    positions,
    profit,
    profit_recalculation,
    profit_reconciliation,
    risk,
    stack,
    strategies,
    symbols,
    topics,
)
from services.console.output import AsJson, console, guarded, print_json

app = typer.Typer(
    name="perpstream",
    help="Event-streaming signals for crypto perpetual futures: run the stack, watch it, ask it.",
    epilog="Exit codes: 0 done, 1 failed or refused, 2 wrong usage, setting or input, 3 no stack is running, "
    "4 a server does not answer, 5 not comparable (drift), 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog="Examples: `perpstream up`, `perpstream up --watch`, `perpstream up --detach --symbols BTCUSDT`")(
    stack.up
)
app.command(epilog="Example: `perpstream down`")(stack.down)
app.command(epilog="Examples: `perpstream status`, `perpstream status --json`")(stack.status)
app.command(epilog="Examples: `perpstream watch`, `perpstream watch --once`")(stack.watch)
app.command(epilog="Examples: `perpstream feeds`, `perpstream feeds --feed trades --json`")(feeds.feeds)
app.command(epilog="Example: `perpstream smoke`")(stack.smoke)
app.add_typer(topics.app, name="topics")
app.add_typer(database.app, name="db")
app.add_typer(data.app, name="data")
app.add_typer(strategies.app, name="strategy")
app.add_typer(symbols.app, name="symbols")
app.add_typer(backtests.app, name="backtest")
app.add_typer(paper.app, name="paper")
app.add_typer(profit.app, name="pnl")
profit.app.command(epilog=profit_recalculation.EXAMPLES)(profit_recalculation.recalculate)
profit.app.command(epilog=profit_reconciliation.EXAMPLES)(profit_reconciliation.reconcile)
app.add_typer(risk.app, name="risk")
app.add_typer(positions.app, name="positions")
app.add_typer(live.app, name="live")
app.add_typer(keys.app, name="keys")
app.add_typer(doctor.app, name="doctor")


@app.command(epilog="Examples: `perpstream version`, `perpstream version --json`")
def version(as_json: AsJson = False) -> None:
    """Print the version of this installation."""
    from libs.kit.service import VERSION

    facts = {"perpstream": VERSION, "python": sys.version.split()[0]}
    if as_json:
        print_json(facts)
    else:
        console().print(f"perpstream {VERSION} (Python {facts['python']})")


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(guarded(app))
