"""Sweeps and walk-forwards in the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.backtester.report.comparison_screens import run_words
from services.backtester.sweep.page import luck_words, verdict
from services.backtester.sweep.summary import SweepSummary
from services.backtester.sweep.trial import FIGURES
from services.backtester.sweep.walk_forward import WalkForward
from services.backtester.sweep.walk_page import step_row, walk_words
from services.backtester.sweep.words import figure_text, label, short, value_text

SHOWN = 10
_FIGURES = tuple(name for name in FIGURES if name in ("trades", "net_r", "sharpe", "drawdown"))


def print_sweep(summary: SweepSummary, console: Console) -> None:
    """The best ten, each with its neighbours, and what to think of them."""
    console.print(Text(run_words(summary.facts), style="bold"))
    for line in summary.facts.assumptions:
        console.print(Text(line, style="dim"))
    shown = _table(("#", *map(label, _FIGURES), "neighbours"))
    shown.add_column("parameters", header_style="dim", overflow="fold", ratio=1)
    for top in summary.top[:SHOWN]:
        figures = (figure_text(name, top.row[name]) for name in _FIGURES)
        near = f"{figure_text(summary.figure, top.neighbours_median)} ({top.neighbours})"
        values = (f"{short(name)} {value_text(top.row[name])}" for name in summary.parameters)
        shown.add_row(str(top.row["number"]), *figures, near, ", ".join(values))
    console.print(shown)
    left_out = f", {summary.impossible} impossible" if summary.impossible else ""
    console.print(f"{summary.tried} configurations tried{left_out}; best by {label(summary.figure)}", markup=False)
    console.print(Text(verdict(summary), style="yellow"))
    console.print(Text(luck_words(summary), style="yellow"))


def print_walk(walk: WalkForward, console: Console) -> None:
    """Each window, in sample against out of sample."""
    console.print(Text(run_words(walk.facts), style="bold"))
    for line in walk.facts.assumptions:
        console.print(Text(line, style="dim"))
    shown = _table(("#", "test from", "in", "out", "net out", "trades", "place"))
    shown.add_column("chosen", header_style="dim", overflow="fold", ratio=1)
    for place, step in enumerate(walk.steps, start=1):
        row = step_row(walk, place, step)
        shown.add_row(row[0], row[2], *row[5:], row[4])
    console.print(shown)
    console.print(Text(walk_words(walk), style="yellow"))


def _table(head: tuple[str, ...]) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for place, title in enumerate(head):
        made.add_column(title, justify="right" if place else "left", header_style="dim", no_wrap=True)
    return made
