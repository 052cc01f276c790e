"""`perpstream db`: migrations, partitions, the state of the schema, and further databases."""

import datetime as dt
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.table import Table

from libs.kit.secrets import HIDDEN, masked
from services.console.output import AsJson, StateDir, ask, console, print_json, servers

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

_MOST_ROWS = 1000
T = TypeVar("T")
app = typer.Typer(
    help="PostgreSQL: migrations, partitions and questions.",
    epilog="Examples: `perpstream db status`, `perpstream db query 'SELECT * FROM agg_trades_meta'`",
    no_args_is_help=True,
)


def with_engine(state_dir: StateDir, work: "Callable[[AsyncEngine], Awaitable[T]]") -> T:
    """What `work` gives on the servers of the stack or of the environment."""
    from libs.store.engine import create_engine

    given = servers(state_dir)

    async def run() -> T:
        engine = create_engine(given.database, application="perpstream-console", connections=1)
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return ask(given, run())


@app.command(epilog="Examples: `perpstream db migrate`, `perpstream db migrate --revision base`")
def migrate(
    revision: Annotated[
        str, typer.Option(help="Where to go: head, base (removes every table), or a revision")
    ] = "head",
    state_dir: StateDir = None,
) -> None:
    """Bring the schema to this version's newest revision."""
    from libs.store.migrate import HEAD, downgrade, upgrade

    async def work(engine: "AsyncEngine") -> str | None:
        return await (upgrade(engine) if revision == HEAD else downgrade(engine, revision))

    console().print(f"schema at {with_engine(state_dir, work) or 'nothing'}")


@app.command(epilog="Example: `perpstream db create research`")
def create(
    name: Annotated[str, typer.Argument(help="Small letters, digits and _, like research")],
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Create another database on the same server, with this version's schema, and say how commands use it.

    For imported history beside a stack that runs: its tables belong to no market until something is imported.
    """
    from libs.store.databases import create_database
    from libs.store.engine import create_engine
    from libs.store.migrate import upgrade

    given = servers(state_dir).database

    async def work(engine: "AsyncEngine") -> tuple[str, str | None]:
        await create_database(engine, name)
        url = engine.url.set(database=name).render_as_string(hide_password=False)
        fresh = create_engine(given.model_copy(update={"database_url": url}), application="perpstream-console")
        try:
            shown = masked(url).replace(f":{HIDDEN}@", "@") if given.database_password_file else masked(url)
            return shown, await upgrade(fresh)
        finally:
            await fresh.dispose()

    url, revision = with_engine(state_dir, work)
    if as_json:
        print_json({"url": url, "revision": revision})
        return
    screen = console()
    screen.print(f"created {name}, schema at {revision}; commands of this terminal use it after", markup=False)
    screen.print(f"  export PERPSTREAM_DATABASE_URL={url}", markup=False, soft_wrap=True)


@app.command(epilog="Examples: `perpstream db partitions`, `perpstream db partitions --ahead 6 --json`")
def partitions(
    ahead: Annotated[int, typer.Option(min=0, max=120, help="Months after the current one to create")] = 2,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Create the monthly partitions of agg_trades that are missing, and list all of them."""
    from libs.store.engine import read_session, write_session
    from libs.store.partitions import PartitionState, create_partitions, list_partitions, months_ahead

    async def work(engine: "AsyncEngine") -> tuple[list[str], list[PartitionState]]:
        async with write_session(engine) as session:
            made = await create_partitions(session, months_ahead(time.time_ns() // 1_000_000, ahead))
        async with read_session(engine) as reading:
            return made, await list_partitions(reading)

    made, states = with_engine(state_dir, work)
    rows = [
        {"name": state.name, "month": str(state.month), "rows": state.estimated_rows, "bytes": state.total_bytes}
        for state in states
    ]
    if as_json:
        print_json({"created": made, "partitions": rows})
        return
    table = Table("partition", "month", box=None, pad_edge=False)
    table.add_column("rows ≈", justify="right")
    table.add_column("size MB", justify="right")
    for row, state in zip(rows, states, strict=True):
        new = " (new)" if state.name in made else ""
        table.add_row(f"{row['name']}{new}", str(row["month"]), f"{row['rows']}", f"{state.total_bytes / 1e6:.1f}")
    console().print(table)


@app.command(epilog="Example: `perpstream db query 'SELECT symbol, trade_count FROM agg_trades_meta'`")
def query(
    statement: Annotated[str, typer.Argument(help="One SQL statement that only reads")],
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Ask the database one question, in a transaction that cannot change anything, and print the answer."""
    from libs.store.question import answer

    async def work(engine: "AsyncEngine") -> tuple[list[str], list[tuple[object, ...]]]:
        return await answer(engine, statement, _MOST_ROWS)

    names, rows = with_engine(state_dir, work)
    if as_json:
        print_json([dict(zip(names, map(_plain, row), strict=True)) for row in rows])
        return
    table = Table(*names, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console().print(table)


@app.command(epilog="Example: `perpstream db status --json`")
def status(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show where the database is and whether its schema is this version's."""
    from libs.store.schema_version import NEWEST_REVISION, current_revision

    current = with_engine(state_dir, current_revision)
    facts = {
        "url": masked(servers(state_dir).database.database_url),
        "revision": current,
        "newest": NEWEST_REVISION,
        "current": current == NEWEST_REVISION,
    }
    if as_json:
        print_json(facts)
    else:
        advice = "up to date" if facts["current"] else "run `perpstream db migrate`"
        console().print(f"{facts['url']}: schema {current or 'empty'}, newest {facts['newest']}: {advice}")
    if not facts["current"]:
        raise typer.Exit(1)


def _plain(value: object) -> object:
    """A database value for JSON; numerics as text, so that no digit is lost."""
    known = (bool, int, float, str, Decimal, dt.date, dt.datetime, list, dict, type(None))
    return value if isinstance(value, known) else str(value)
