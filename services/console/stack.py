"""`perpstream up | down | status | watch | smoke`: the stack as a whole."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

import typer

from infra.local.options import PortName, StackOptions
from infra.local.settings import stack_settings
from libs.kit.settings import AccountSettings, SymbolSettings, load_settings
from services.console.output import AsJson, StateDir, console, print_json, state_dir

Files = Annotated[list[Path] | None, typer.Option("--recording", help="Play a recording; repeat for several files")]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Use this PostgreSQL, start none; its password is best in the file of PERPSTREAM_DATABASE_PASSWORD_FILE",
    ),
]
Ports = Annotated[
    list[str] | None,
    typer.Option(
        "--port", help=f"NAME=NUMBER, 0 for a free one; names: {', '.join(get_args(PortName))}", metavar="NAME=NUMBER"
    ),
]


Speed = Annotated[str, typer.Option(help="Pace of the simulated venue's time: a number, or max for a recording")]
Rebase = Annotated[bool, typer.Option("--rebase/--keep-times", help="Move a recording to now, or keep its times")]
Shards = Annotated[int, typer.Option(min=1, max=64, help="Processes of trade_ingest, which share the partitions")]


def up(
    venue: Annotated[
        Literal["simulator", "binance"], typer.Option(help="Where the market data comes from")
    ] = "simulator",
    symbols: Annotated[
        str | None, typer.Option(help="Perpetuals, comma separated [default: four, or the recording's]")
    ] = None,
    kafka: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Use this broker, start none")] = None,
    database: Database = None,
    recording: Files = None,
    speed: Speed = "1",
    rebase: Rebase = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the simulated market")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes of the signal engine")] = 1,
    ingest_shards: Shards = 1,
    port: Ports = None,
    state_folder: StateDir = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when everything is ready")] = False,
    watch_it: Annotated[
        bool, typer.Option("--watch", "-w", help="Show the live screen; leaving it stops the stack")
    ] = False,
) -> None:
    """Start Kafka, PostgreSQL and every service; Ctrl-C stops all of it."""
    from services.console.launching import run_detached, run_watched

    options = StackOptions(
        venue=venue,
        kafka=kafka,
        database=database,
        recordings=tuple(recording or ()),
        speed=_speed(speed),
        rebase=rebase,
        seed=seed,
        workers=workers,
        ingest_shards=ingest_shards,
        ports=_ports(port or []),
        state_dir=state_dir(state_folder),
    )
    options.validate()
    _in_a_child(_before_start)
    _in_a_child(_build_page)
    if detach or watch_it:
        (run_watched if watch_it else run_detached)(options.state_dir, sys.argv[1:])
        return
    _run_here(_with_market(options, _symbols(symbols)))


def _in_a_child(work: Callable[[], None]) -> None:
    """What it imports is not kept for as long as the stack runs. Raises what it raises."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        pool.submit(work).result()


def _before_start() -> None:
    """Nothing is started with a strategy file that engines would refuse, or for an account whose key executor and guard would."""
    from libs.streaming.strategies.files import read_files, strategies_dir, strategy_files

    read_files(strategy_files(strategies_dir()))
    _check_account()


def _trust_ours(folder: Path) -> None:
    from services.console.key_choice import trust_gateway, trust_notifier, trust_operator

    trust_operator(folder)
    trust_notifier(folder)
    trust_gateway(folder)


def _check_account() -> None:
    account = load_settings(AccountSettings)
    if account.execution_mode != "paper":
        from libs.exchanges.account import account_credentials

        account_credentials(account)


def _build_page() -> None:
    from services.console.web_page import ensure_page, find_npm

    ensure_page(find_npm(), lambda line: console().print(line, markup=False))


def _run_here(options: StackOptions) -> None:
    """Until it is stopped; whoever starts a stack for the first time may also tell it what to do."""
    from infra.local.stack import Preparation, run_stack

    _in_a_child(partial(_trust_ours, options.state_dir))
    preparation = Preparation("prepare", (sys.executable, "-m", "services.console.preparation"))
    asyncio.run(run_stack(options, stack_settings(), (preparation,)))


def _with_market(options: StackOptions, typed: tuple[str, ...] | None) -> StackOptions:
    """The options with their symbols, after the simulator has said that it can play them; nothing is started before."""
    from services.console.checking import check_market
    from services.console.recordings import symbols_of

    named = typed or (() if options.recordings else load_settings(SymbolSettings).symbols)
    asked = replace(options, symbols=named)
    asked.validate()
    check_market(asked, typed=typed is not None)
    return asked if named else replace(asked, symbols=symbols_of(asked.recordings))


def down(state_folder: StateDir = None) -> None:
    """Stop the running stack in order."""
    from services.console.launching import stop_stack

    seconds = stop_stack(state_dir(state_folder))
    console().print(f"stopped in {seconds:.1f} s")


def status(state_folder: StateDir = None, as_json: AsJson = False) -> None:
    """Show every process of the stack: health, readiness, uptime, memory, restarts."""
    from services.console.health import ask_everything, status_table

    report = asyncio.run(ask_everything(state_dir(state_folder)))
    if as_json:
        print_json(report)
    else:
        console().print(status_table(report))
    if not report.ready:
        raise typer.Exit(1)


def watch(
    once: Annotated[
        bool, typer.Option("--once", help="Print one frame after data has arrived, then leave; so does a pipe or file")
    ] = False,
    state_folder: StateDir = None,
) -> None:
    """Show the live screen: prices, CVD, scores, signals, rates, lag and health."""
    from services.console.watch.screen import run_watch

    asyncio.run(run_watch(state_dir(state_folder), once=once or not sys.stdout.isatty()))


def smoke(
    symbols: Annotated[str, typer.Option(help="Perpetuals, comma separated")] = "BTCUSDT,ETHUSDT",
    timeout: Annotated[float, typer.Option(min=10, help="Seconds until the last hop must have been seen")] = 180.0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the state folder for a look at its logs")] = False,
) -> None:
    """Start a fresh stack on free ports, wait for every hop from exchange to API, print what was seen, stop it."""
    from services.console.smoke import run_smoke

    if not run_smoke(_symbols(symbols) or (), timeout, keep):
        raise typer.Exit(1)


def add_to(app: typer.Typer) -> None:
    """Give `app` these commands."""
    started = "Examples: `perpstream up`, `perpstream up --watch`, `perpstream up --detach --symbols BTCUSDT`"
    app.command(epilog=started)(up)
    app.command(epilog="Example: `perpstream down`")(down)
    app.command(epilog="Examples: `perpstream status`, `perpstream status --json`")(status)
    app.command(epilog="Examples: `perpstream watch`, `perpstream watch --once`")(watch)
    app.command(epilog="Example: `perpstream smoke`")(smoke)


def _symbols(text: str | None) -> tuple[str, ...] | None:
    return tuple(part.strip().upper() for part in text.split(",") if part.strip()) if text else None


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 100_000:
        raise typer.BadParameter(f"{text!r} is neither a positive number nor max", param_hint="--speed")
    return number


def _ports(items: list[str]) -> dict[PortName, int]:
    ports: dict[PortName, int] = {}
    for item in items:
        name, _, number = item.partition("=")
        if not number.isdecimal() or int(number) > 65535:
            raise typer.BadParameter(f"{item!r} is not NAME=NUMBER", param_hint="--port")
        if name not in get_args(PortName):
            names = ", ".join(get_args(PortName))
            raise typer.BadParameter(f"{name!r} is no server of the stack: {names}", param_hint="--port")
        ports[cast(PortName, name)] = int(number)
    return ports
