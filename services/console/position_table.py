"""What the executor said last of what it holds, and the picture of it."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from libs.contracts.trading import ExecutorReported, LiveTradeChanged
from services.console.account_state import FRESH_MS, Heard, account_state
from services.console.asking import Asking
from services.console.output import ask, servers
from services.console.watch.words import DOWN, UNKNOWN, UP, clock, duration, number
from services.console.watch.words import direction as coloured


def held_now(asking: Asking) -> Heard[ExecutorReported] | None:
    """The executor's newest heartbeat on the account; None where it has never spoken."""
    given = servers(asking.state_dir)
    return ask(given, account_state(given.kafka, asking.account_name)).executor


def positions_screen(account: str, heard: Heard[ExecutorReported] | None) -> Group | Text:
    """What fits 100 columns."""
    if heard is None:
        return Text(f"no executor has ever spoken of account {account}")
    said = heard.said
    age = Text(f"{duration(heard.age_ms / 1000)} ago", style="red" if heard.age_ms > FRESH_MS else "dim")
    head = Text.assemble(f"account {said.account}, {said.mode}, ", age)
    if not said.held:
        return Group(
            head, Text("on paper nothing is held here: `perpstream paper status`" if said.mode == "paper" else "flat")
        )
    return Group(head, _table(said.held))


def _table(held: tuple[LiveTradeChanged, ...]) -> Table:
    table = Table("symbol", "side", "state", box=None, pad_edge=False)
    for name in ("left", "entry", "stop", "TP1", "TP2", "net", "R"):
        table.add_column(name, justify="right")
    table.add_column("hold until")
    table.add_column("strategy")
    for trade in held:
        table.add_row(
            trade.symbol,
            f"{UP if trade.direction == 'long' else DOWN} {trade.direction}",
            trade.state,
            number(trade.quantity_left),
            number(trade.entry_price),
            Text("NONE", style="red") if trade.stop is None else Text(number(trade.stop)),
            number(trade.take_profit_1),
            number(trade.take_profit_2),
            coloured(trade.pnl_quote, number(trade.pnl_quote, 2, signed=True)),
            coloured(trade.pnl_r, UNKNOWN if trade.pnl_r is None else number(trade.pnl_r, 2, signed=True)),
            clock(trade.hold_until_ms)[11:] if trade.hold_until_ms is not None else UNKNOWN,
            trade.strategy or "by hand",
        )
    return table
