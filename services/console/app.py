"""All commands of `perpstream`."""

import sys

from services.console import (
    admin,
    backtests,
    data,
    database,
    doctor,
    feeds,
    keys,
    live,
    notify,
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
from services.console.entry import root
from services.console.output import AsJson, console, print_json

app = root()
stack.add_to(app)
app.command(epilog="Examples: `perpstream feeds`, `perpstream feeds --feed trades --json`")(feeds.feeds)
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
app.add_typer(admin.app, name="admin")
app.add_typer(notify.app, name="notify")
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
