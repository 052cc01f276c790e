"""`perpstream positions`: what the executor holds, and closing, moving, cancelling and entering by hand."""

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.console.asking import AccountName, Asking, Reason
from services.console.consent import Yes, one_more, require_yes
from services.console.output import AsJson, StateDir

if TYPE_CHECKING:
    from collections.abc import Callable

    from libs.contracts.commands import CommandName
    from libs.contracts.trading import LiveTradeChanged

Symbol = Annotated[str, typer.Argument(help="A perpetual in the venue's spelling, like BTCUSDT")]
Price = Annotated[str, typer.Argument(help="In quote units")]
TradeStateName = Literal["entering", "open", "closing", "closed", "refused", "not_entered"]

app = typer.Typer(
    help="Positions: what the executor holds, and what a person may do with it. Commands are signed with your key.",
    epilog="Examples: `perpstream positions list`, `perpstream positions close BTCUSDT --part 50%`",
    no_args_is_help=True,
)


@app.command("list", epilog="Examples: `perpstream positions list`, `perpstream positions list --json`")
def list_(account: AccountName = None, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Show every open trade with its stop and targets, as the executor said last. Exit code 1 when it is silent."""
    from services.console.output import console, print_json
    from services.console.position_table import held_now, positions_screen

    asking = Asking(state_dir, account)
    heard = held_now(asking)
    if as_json:
        print_json(heard)
    else:
        screen = console()
        screen.print(positions_screen(asking.account_name, heard, screen.width))
    if heard is None or not heard.fresh:
        raise typer.Exit(1)


@app.command(
    epilog="Examples: `perpstream positions history`, `perpstream positions history --state refused --last 20`, "
    "`perpstream positions history --symbol BTCUSDT --json`"
)
def history(
    state: Annotated[TradeStateName | None, typer.Option(help="Only those that are so now")] = None,
    symbol: Annotated[str | None, typer.Option(help="Of this perpetual alone")] = None,
    strategy: Annotated[str | None, typer.Option(help="Of this strategy alone")] = None,
    last: Annotated[int, typer.Option(min=1, max=1000, help="So many lines")] = 50,
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Show what became of every signal and wish, the newest first: traded and how it ended, or refused and why."""
    from functools import partial

    from libs.store.live_questions import LiveRange, live_trades_of
    from services.console.database import with_engine
    from services.console.output import console, print_json
    from services.console.trade_story import history_table

    asked = LiveRange(
        account=Asking(state_dir, account).account_name,
        strategy=strategy,
        symbol=None if symbol is None else symbol.upper(),
        state=state,
        most=last,
    )
    rows = with_engine(state_dir, partial(live_trades_of, asked=asked))
    if as_json:
        print_json(rows)
    else:
        console().print(history_table(rows) if rows else f"no trade of account {asked.account} is like that")


@app.command(epilog="Examples: `perpstream positions story 5a8f01`, `perpstream positions story 5a8f01 --json`")
def story(
    trade: Annotated[str, typer.Argument(help="A trade's id, or its beginning, as `positions history` shows it")],
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Show everything that is kept of a trade: its states, orders, fills and events, in the order of time."""
    from functools import partial

    from services.console.database import with_engine
    from services.console.output import console, print_json
    from services.console.trade_story import story_of, story_screen

    name = Asking(state_dir, account).account_name
    found = with_engine(state_dir, partial(story_of, account=name, beginning=trade))
    if as_json:
        print_json(found)
    else:
        console().print(story_screen(found))


@app.command(epilog="Example: `perpstream positions sync`")
def sync(reason: Reason = "", account: AccountName = None, state_dir: StateDir = None, as_json: AsJson = False) -> None:
    """Compare the books with the venue now, and print the differences."""
    _tell(Asking(state_dir, account, reason, as_json), "sync")


@app.command(epilog="Examples: `perpstream positions close BTCUSDT`, `perpstream positions close BTCUSDT --part 50%`")
def close(
    symbol: Symbol,
    part: Annotated[str, typer.Option(help="A share like 50%, or a quantity in base units like 0.01")] = "100%",
    reason: Reason = "",
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Close a position at market, in whole or in part."""
    asking = Asking(state_dir, account, reason, as_json)
    _tell(asking, "close", part_arguments(part) | _of_trade(asking, symbol.upper()))


@app.command("move-stop", epilog="Example: `perpstream positions move-stop BTCUSDT 61250.5`")
def move_stop(
    symbol: Symbol,
    price: Price,
    reason: Reason = "",
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Replace the stop of a position; it is never without one meanwhile."""
    asking = Asking(state_dir, account, reason, as_json)
    _tell(asking, "move_stop", {"price": price} | _of_trade(asking, symbol.upper()))


@app.command(epilog="Example: `perpstream positions enter BTCUSDT long --stop 60500 --take-profit-1 62000`")
def enter(
    symbol: Symbol,
    direction: Annotated[str, typer.Argument(help="long or short")],
    stop: Annotated[str, typer.Option(help="Price of the stop: nothing is entered without one")],
    take_profit_1: Annotated[str | None, typer.Option(help="Price of the first target")] = None,
    take_profit_2: Annotated[str | None, typer.Option(help="Price of the second target")] = None,
    risk: Annotated[str | None, typer.Option(help="1 R in quote units [default: as configured]")] = None,
    reason: Reason = "",
    yes: Yes = False,
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Enter at market by hand: sized from the stop and checked like a signal."""
    given = {"stop": stop, "take_profit_1": take_profit_1, "take_profit_2": take_profit_2, "risk": risk}
    arguments = {name: value for name, value in given.items() if value is not None}
    whole = {"symbol": symbol.upper(), "direction": direction.lower(), **arguments}
    asking = Asking(state_dir, account, reason, as_json)
    question = f"enter {symbol.upper()} {direction.lower()} on account {asking.account_name} at market?"

    def agreed() -> None:
        require_yes(question, yes=yes, effect=lambda: one_more(asking, symbol.upper(), risk))

    _tell(asking, "enter", whole, agreed)


@app.command(epilog="Example: `perpstream positions cancel BTCUSDT`")
def cancel(
    symbol: Symbol,
    reason: Reason = "",
    account: AccountName = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Give up an entry that is not filled yet; what is filled stays and is protected."""
    _tell(Asking(state_dir, account, reason, as_json), "cancel", {"symbol": symbol.upper()})


def part_arguments(text: str) -> dict[str, str]:
    """`50%` as a share, anything else as a quantity."""
    written = text.strip()
    if not written.endswith("%"):
        return {"quantity": written}
    try:
        share = Decimal(written[:-1].strip()) / 100
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is neither a share like 50% nor a quantity", param_hint="--part") from None
    return {"share": f"{share:f}"}


def _of_trade(asking: Asking, symbol: str) -> dict[str, str]:
    """The symbol and the trade that stands there now, so that a late command does not meet the next one. Raises `UserError`
    where the executor lives and holds nothing there."""
    from libs.kit.errors import UserError
    from services.console.position_table import held_now

    heard = held_now(asking)
    if heard is None or not heard.fresh:
        return {"symbol": symbol}
    trades = {trade.symbol: trade for trade in heard.said.held}
    trade: LiveTradeChanged | None = trades.get(symbol)
    if trade is None:
        raise UserError(
            f"account {asking.account_name} holds nothing in {symbol}", todo="look at `perpstream positions list`"
        )
    return {"symbol": symbol, "trade_id": trade.trade_id}


def _tell(
    asking: Asking,
    name: "CommandName",
    arguments: dict[str, str] | None = None,
    agreed: "Callable[[], None] | None" = None,
) -> None:
    from services.console.commanding import tell

    tell(asking, name, arguments, agreed)
