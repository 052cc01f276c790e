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

WIDE = 100
"""Columns from which on there is room for words, too."""


def held_now(asking: Asking) -> Heard[ExecutorReported] | None:
    """The executor's newest heartbeat on the account; None where it has never spoken."""
    given = servers(asking.state_dir)
    return ask(given, account_state(given.kafka, asking.account_name)).executor


def positions_screen(account: str, heard: Heard[ExecutorReported] | None, width: int) -> Group | Text:
    """What fits `width` columns; 80 are enough for whatever a person has to act on."""
    if heard is None:
        return Text(f"no executor has ever spoken of account {account}")
    said = heard.said
    age = Text(f"{duration(heard.age_ms / 1000)} ago", style="red" if heard.age_ms > FRESH_MS else "dim")
    head = Text.assemble(f"account {said.account}, {said.mode}, ", age)
    if not said.held:
        return Group(
            head, Text("on paper nothing is held here: `perpstream paper status`" if said.mode == "paper" else "flat")
        )
    return Group(head, _table(said.held, is_wide=width >= WIDE))


def _table(held: tuple[LiveTradeChanged, ...], *, is_wide: bool) -> Table:
    """No number is broken or cut: half a price is a wrong one. What says least makes room."""
    table = Table(box=None, pad_edge=False, padding=(0, 1 + is_wide, 0, 0))
    for name in ("symbol", "side", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("left", "entry", "stop", "TP1", "TP2", "net", "R"):
        table.add_column(name, justify="right", no_wrap=True)
    if is_wide:
        table.add_column("hold until", no_wrap=True)
        table.add_column("strategy")
    for trade in held:
        side = UP if trade.direction == "long" else DOWN
        cells = (
            trade.symbol,
            f"{side} {trade.direction}" if is_wide else side,
            trade.state,
            number(trade.quantity_left),
            number(trade.entry_price),
            Text("NONE", style="red") if trade.stop is None else Text(number(trade.stop)),
            number(trade.take_profit_1),
            number(trade.take_profit_2),
            coloured(trade.pnl_quote, number(trade.pnl_quote, 2, signed=True)),
            coloured(trade.pnl_r, UNKNOWN if trade.pnl_r is None else number(trade.pnl_r, 2, signed=True)),
        )
        last = (
            clock(trade.hold_until_ms)[11:] if trade.hold_until_ms is not None else UNKNOWN,
            trade.strategy or "by hand",
        )
        table.add_row(*cells, *(last if is_wide else ()))
    return table
