"""`perpstream strategy`: check the files, and put them in force."""

from pathlib import Path
from typing import Annotated

import typer

from services.console.output import AsJson, StateDir, ask, console, print_json, servers

app = typer.Typer(
    help="Strategies: the files that say how signals are scored.",
    epilog="Example: `perpstream strategy publish`",
    no_args_is_help=True,
)


@app.command(
    epilog="Examples: `perpstream strategy validate`, `perpstream strategy validate strategies/v52.json --json`"
)
def validate(
    files: Annotated[list[Path] | None, typer.Argument(help="Files to check [default: all of strategies/]")] = None,
    as_json: AsJson = False,
) -> None:
    """Check strategy files without starting anything."""
    from services.console.strategy_files import read_files, strategies_dir, strategy_files

    strategies = read_files(files or strategy_files(strategies_dir()))
    rows = [
        {"file": str(path), "strategy": item.name, "version": item.version, "threshold": item.threshold}
        for path, item in strategies.items()
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        console().print(f"{row['file']}: {row['strategy']} version {row['version']}, signals from {row['threshold']:g}")


@app.command(epilog="Example: `perpstream strategy publish`")
def publish(state_dir: StateDir = None) -> None:
    """Activate the files of strategies/ in the running stack, where they differ from what counts now."""
    from services.console.activation import publish_strategies
    from services.console.strategy_files import strategies_dir

    given = servers(state_dir)
    console().print(ask(given, publish_strategies(given.kafka, strategies_dir())))
