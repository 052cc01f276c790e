"""`perpstream paper status`: every account and what it holds now, as a live table, once, or as JSON."""

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from libs.store.paper_questions import AccountNow, HeldTrade, held_paper_trades, paper_accounts_now
from services.console.database import with_engine
from services.console.output import AsJson, StateDir, console, print_json
from services.console.watch.words import DOWN, UNKNOWN, UP, clock, direction, number

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

app = typer.Typer(no_args_is_help=True, help="Paper trading: what every strategy holds and makes.")
_LOOK_SECONDS = 1.0
_LEVELS = {"normal": "", "warning": "yellow", "circuit_break": "red"}
NOTHING = "no account yet: paper_trader makes one for each strategy, as soon as the timeline has trades"


@app.command(epilog="Examples: `perpstream paper status`, `perpstream paper status --once`, `… status --json`")
def status(
    once: Annotated[bool, typer.Option("--once", help="Print once, as pipes do anyway")] = False,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Open positions with their distance to stop and targets (%), unrealised R, and today (UTC), per strategy."""
    screen = console()
    if as_json or once or not screen.is_terminal:
        accounts, held = with_engine(state_dir, _asked)
        if as_json:
            print_json(as_data(accounts, held))
        else:
            screen.print(status_screen(accounts, held))
        return

    async def follow(engine: "AsyncEngine") -> None:
        with Live(console=screen, auto_refresh=False, screen=True) as live:
            while True:
                live.update(status_screen(*await _asked(engine)), refresh=True)
                await asyncio.sleep(_LOOK_SECONDS)

    with_engine(state_dir, follow)


async def _asked(engine: "AsyncEngine") -> tuple[list[AccountNow], list[HeldTrade]]:
    return await paper_accounts_now(engine), await held_paper_trades(engine)


def as_data(accounts: list[AccountNow], held: list[HeldTrade]) -> dict[str, Any]:
    """For scripts: amounts as text, so that none is rounded."""
    return {
        "accounts": [asdict(account) for account in accounts],
        "held": [
            asdict(trade) | {"unrealised_r": trade.unrealised_r, "distance_percent": _distances(trade)}
            for trade in held
        ],
    }


def status_screen(accounts: list[AccountNow], held: list[HeldTrade]) -> Group | Text:
    """What fits 100 columns: accounts, then what they hold."""
    if not accounts:
        return Text(NOTHING)
    newest = max(account.market_time for account in accounts)
    as_of = Text(f"as of {clock(int(newest.timestamp() * 1000))} of the market", style="dim")
    positions = _held_table(held) if held else Text("nothing is ordered or open", style="dim")
    return Group(as_of, _account_table(accounts), Text(""), positions)


def _account_table(accounts: list[AccountNow]) -> Table:
    table = Table("strategy", box=None, pad_edge=False)
    for name in ("balance", "unrealised", "open", "today", "today R", "closed", "won"):
        table.add_column(name, justify="right")
    table.add_column("guard")
    for account in accounts:
        guard = account.level.replace("_", " ") + (", day over" if account.day_over else "")
        table.add_row(
            account.strategy,
            number(account.balance, 2),
            _signed(float(account.unrealised)),
            str(account.open_positions),
            _signed(float(account.net_today)),
            _signed(account.net_r_today),
            str(account.closed_today),
            str(account.won_today),
            Text(guard, style=_LEVELS[account.level]),
        )
    return table


def _held_table(held: list[HeldTrade]) -> Table:
    table = Table("strategy", "symbol", "side", box=None, pad_edge=False)
    for name in ("entry", "price", "R now", "stop %", "TP1 %", "TP2 %", "hold until"):
        table.add_column(name, justify="right")
    for trade in held:
        distances = _distances(trade)
        until = f"{trade.hold_until:%H:%M:%S}Z" if trade.entry_price is not None else "ordered"
        reduced = trade.quantity_left < trade.quantity and trade.entry_price is not None
        table.add_row(
            trade.strategy,
            trade.symbol,
            f"{UP if trade.direction == 'long' else DOWN} {trade.direction}",
            number(trade.entry_price),
            number(trade.price),
            _signed(trade.unrealised_r),
            _percent(distances["stop"]),
            "done" if reduced else _percent(distances["take_profit_1"]),
            _percent(distances["take_profit_2"]),
            until,
        )
    return table


def _distances(trade: HeldTrade) -> dict[str, float | None]:
    levels = {
        "stop": trade.stop_now,
        "take_profit_1": trade.take_profit_1,
        "take_profit_2": trade.take_profit_2,
    }
    return {name: trade.distance_percent(level) for name, level in levels.items()}


def _signed(value: float | None) -> Text:
    return direction(value, UNKNOWN if value is None else number(value, 2, signed=True))


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else number(value, 2, signed=True)
