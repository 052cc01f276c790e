"""`perpstream symbols`: which perpetuals are followed, and adding or removing some while everything runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from services.console.output import AsJson, StateDir, ask, console, print_json, running, servers

if TYPE_CHECKING:
    from libs.contracts.control import SymbolFollowed
    from libs.streaming.symbols import SymbolControl

Symbols = Annotated[list[str], typer.Argument(help="Perpetuals in the venue's spelling, like XRPUSDT")]
Reason = Annotated[str, typer.Option(help="Why, for those who look at it later")]

app = typer.Typer(
    help="Symbols: which perpetuals are followed; they come and go while the stack runs.",
    epilog="Examples: `perpstream symbols list`, `perpstream symbols add XRPUSDT`",
    no_args_is_help=True,
)


@app.command("list", epilog="Examples: `perpstream symbols list`, `perpstream symbols list --json`")
def list_(state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show each symbol: since when it is followed or not, who said so, and how its trades are."""
    from services.console.following import known

    given = servers(state_dir)
    control = ask(given, known(given.kafka, configured_symbols(state_dir)))
    names = dict.fromkeys((*control.in_force, *control.words))
    rows = [_row(control, name) | {"trades": state} for name, state in _trades(state_dir, list(names)).items()]
    if as_json:
        print_json(rows)
    else:
        console().print(_picture(rows))


@app.command(
    epilog="Examples: `perpstream symbols add XRPUSDT`, `perpstream symbols add XRPUSDT ADAUSDT --reason rally`"
)
def add(symbols: Symbols, reason: Reason = "", state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Follow these too, from now on and after each start. The venue is asked first whether it has them."""
    from services.console.following import Change, change
    from services.console.venues import venue_settings

    given, wanted = servers(state_dir), Change(_upper(symbols), followed=True, reason=reason)
    words = ask(given, change(given.kafka, configured_symbols(state_dir), wanted, venue_settings(state_dir)))
    _say(
        words, wanted.symbols, as_json, "added: each is warmed up now; `perpstream feeds --symbol NAME` shows how it is"
    )


@app.command(epilog="Example: `perpstream symbols remove XRPUSDT --reason 'too quiet'`")
def remove(symbols: Symbols, reason: Reason = "", state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Do not follow these any more, from now on and after each start. What is stored of them stays."""
    from services.console.following import Change, change

    given, wanted = servers(state_dir), Change(_upper(symbols), followed=False, reason=reason)
    words = ask(given, change(given.kafka, configured_symbols(state_dir), wanted))
    _say(words, wanted.symbols, as_json, "removed: what is stored of each stays")


def _upper(symbols: list[str]) -> tuple[str, ...]:
    return tuple(symbol.upper() for symbol in symbols)


def configured_symbols(state_dir: StateDir) -> tuple[str, ...]:
    """The symbols that the running stack was started with; without one, those of the environment."""
    from libs.kit.settings import SymbolSettings, load_settings

    run = running(state_dir)
    return load_settings(SymbolSettings).symbols if run is None else tuple(run.symbols)


def _trades(state_dir: StateDir, symbols: list[str]) -> dict[str, str | None]:
    """How the trades of each were last reported; None for what the database does not say, or nobody answers for."""
    from libs.kit.errors import UserError
    from libs.store.engine import read_session
    from libs.store.feed_questions import feeds_now
    from services.console.database import with_engine

    if TYPE_CHECKING:
        from sqlalchemy.ext.asyncio import AsyncEngine

        from libs.store.feed_questions import FeedNow

    async def work(engine: "AsyncEngine") -> "list[FeedNow]":
        async with read_session(engine) as session:
            return await feeds_now(session, "trades")

    try:
        states = {report.symbol: report.state for report in with_engine(state_dir, work)}
    except UserError:
        states = {}
    return {symbol: states.get(symbol) for symbol in symbols}


def _row(control: "SymbolControl", symbol: str) -> dict[str, object]:
    word = control.words.get(symbol)
    return {
        "symbol": symbol,
        "followed": symbol in control.in_force,
        "source": "configuration" if word is None else "added" if word.followed else "removed",
        "changed_by": None if word is None else word.changed_by,
        "changed_ms": None if word is None else word.event_time_ms,
        "reason": None if word is None or not word.reason else word.reason,
    }


def _picture(rows: list[dict[str, object]]) -> object:
    import datetime as dt

    from rich.table import Table
    from rich.text import Text

    from services.console.watch.words import UNKNOWN, state_style

    table = Table("symbol", "followed", "by", "when (UTC)", "trades", "why", box=None, pad_edge=False)
    for row in rows:
        changed_ms, state = row["changed_ms"], str(row["trades"] or UNKNOWN)
        when = dt.datetime.fromtimestamp(changed_ms / 1000, dt.UTC) if isinstance(changed_ms, int) else None
        table.add_row(
            str(row["symbol"]),
            Text("yes") if row["followed"] else Text("no", style="dim"),
            Text(str(row["changed_by"] or row["source"])),
            "" if when is None else f"{when:%Y-%m-%d %H:%M:%S}",
            Text(state, style=state_style(state)),
            Text(str(row["reason"] or "")),
        )
    return table


def _say(words: "list[SymbolFollowed]", asked: tuple[str, ...], as_json: bool, done: str) -> None:
    changed = {word.symbol for word in words}
    if as_json:
        print_json([{"symbol": symbol, "changed": symbol in changed} for symbol in dict.fromkeys(asked)])
        return
    if changed:
        console().print(f"{', '.join(sorted(changed))} {done}")
    for symbol in (symbol for symbol in dict.fromkeys(asked) if symbol not in changed):
        console().print(f"{symbol} is followed already", markup=False)
