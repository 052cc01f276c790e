"""A sweep as one page that needs nothing else: the best, how flat the ground around it is, and a heat map for each pair."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from services.backtester.report.calendar import level
from services.backtester.report.comparison_screens import run_words
from services.backtester.report.markup import Html, element, joined, panel, table
from services.backtester.report.page import document
from services.backtester.report.words import UNKNOWN, number, percent
from services.backtester.sweep.results import Row, replace_file
from services.backtester.sweep.search import ranked
from services.backtester.sweep.space import Space
from services.backtester.sweep.stability import Cell, by_bin, by_pair, labels
from services.backtester.sweep.summary import SweepSummary, Top
from services.backtester.sweep.trial import FIGURES
from services.backtester.sweep.words import figure_text, label, short, value_text

MOST_PAIRS = 45
STEEP = 0.5
"""Neighbours that keep less than this share of the best's figure make it a spike."""


def write_page(summary: SweepSummary, space: Space, rows: Sequence[Row], folder: Path) -> Path:
    """sweep.html in the folder."""
    path = folder / "sweep.html"
    replace_file(path, page(summary, space, rows).encode())
    return path


def page(summary: SweepSummary, space: Space, rows: Sequence[Row]) -> str:
    """The whole page."""
    known = ranked(rows, summary.figure)
    body = joined(
        _bar(summary),
        element("main", _head(summary), top_panel(summary), *_maps(summary, space, known)),
        element("footer", element("p", f"sweep {summary.digest}", class_="hash")),
    )
    return document(f"Sweep of {summary.facts.strategies[0][0]}", body, ("page.js",))


def verdict(summary: SweepSummary) -> str:
    """What to think of the best, in a sentence."""
    if not summary.top:
        return "No configuration has this figure: nothing was traded, or the range is too short."
    best = summary.top[0]
    value, median = best.row[summary.figure], best.neighbours_median
    if median is None:
        return (
            "The best has no neighbours: nothing says whether it is more than a lucky point. Try more of them near it."
        )
    words = f"The {best.neighbours} neighbours of the best have a median of {figure_text(summary.figure, median)}"
    if summary.figure == "drawdown":
        return f"{words} (the best: {figure_text(summary.figure, value)})."
    if value <= 0:
        return f"{words}; even the best is not above 0."
    if median < STEEP * value:
        return f"{words}, less than half of its {figure_text(summary.figure, value)}: a spike, most likely luck."
    return f"{words} of its {figure_text(summary.figure, value)}: a plateau."


def luck_words(summary: SweepSummary) -> str:
    """The deflated Sharpe ratio in words."""
    found = summary.luck_free
    if found.value is None:
        return f"Deflated Sharpe: {UNKNOWN} ({found.reason})"
    return (
        f"Deflated Sharpe: {percent(found.value)} % probability that the best is better than the luckiest of "
        f"{summary.tried} configurations without skill"
    )


def _bar(summary: SweepSummary) -> Html:
    ideal = summary.facts.ideal
    badge = element("span", "IDEAL · NO COSTS" if ideal else "COSTS ON", class_="badge ideal" if ideal else "badge")
    toggle = element("button", "◐ theme", type="button", id="theme", title="Switch between light and dark")
    return element("header", element("strong", "Sweep"), badge, element("span", class_="space"), toggle)


def _head(summary: SweepSummary) -> Html:
    tried = f"{number(summary.tried, 0)} configurations tried ({summary.method}, seed {summary.seed})"
    if summary.impossible:
        tried += f", {summary.impossible} left out because their values contradict each other"
    median = figure_text(summary.figure, summary.median)
    return element(
        "section",
        element("h1", f"Sweep of {', '.join(summary.parameters)}"),
        element("p", run_words(summary.facts)),
        element("p", f"{tried}; best by {label(summary.figure)}; the median of all is {median}."),
        element("p", verdict(summary), class_="caution"),
        element("p", luck_words(summary), class_="caution"),
        element(
            "p", "In-sample: these figures were chosen after the fact. Prove them with walk-forward.", class_="note"
        ),
        element("ul", *(element("li", line) for line in summary.facts.assumptions)),
    )


def top_head(summary: SweepSummary) -> tuple[str, ...]:
    """The heads of the table of the best."""
    figures = [label(name) for name in FIGURES if name != "crossings"]
    return ("#", "neighbours' median", *map(short, summary.parameters), *figures)


def top_row(summary: SweepSummary, top: Top) -> tuple[str, ...]:
    """One of the best in words."""
    row = top.row
    return (
        str(row["number"]),
        f"{figure_text(summary.figure, top.neighbours_median)} ({top.neighbours})",
        *(value_text(row[name]) for name in summary.parameters),
        *(figure_text(name, row[name]) for name in FIGURES if name != "crossings"),
    )


def top_panel(summary: SweepSummary) -> Html:
    """The best configurations."""
    rows = [top_row(summary, top) for top in summary.top]
    note = "In brackets: how many neighbours, at most one step away in every parameter."
    return panel("The best", table(top_head(summary), rows), note=note)


def _maps(summary: SweepSummary, space: Space, rows: Sequence[Row]) -> list[Html]:
    figure = summary.figure
    alone = [
        panel(name, table(("value", "configurations", "median", "best"), _bins(space, rows, name, figure)))
        for name in space.axes
    ]
    pairs = [_map(space, rows, pair, figure) for pair in list(combinations(space.axes, 2))[:MOST_PAIRS]]
    return [element("div", *alone, class_="figures"), element("div", *pairs, class_="tables")]


def _bins(space: Space, rows: Sequence[Row], name: str, figure: str) -> list[tuple[str, ...]]:
    cells = by_bin(space, rows, name, figure)
    return [(text, *_bin(cell, figure)) for text, cell in zip(labels(space.axes[name]), cells, strict=True)]


def _bin(cell: Cell | None, figure: str) -> tuple[str, str, str]:
    if cell is None:
        return "0", UNKNOWN, UNKNOWN
    return str(cell.count), figure_text(figure, cell.median), figure_text(figure, cell.best)


def _map(space: Space, rows: Sequence[Row], pair: tuple[str, str], figure: str) -> Html:
    cells = by_pair(space, rows, pair, figure)
    greatest = max((abs(cell.median) for line in cells for cell in line if cell), default=0.0)
    head = element("tr", element("th", ""), *(element("th", text, scope="col") for text in labels(space.axes[pair[1]])))
    body = [
        element("tr", element("th", text, scope="row"), *(_heat(cell, figure, greatest) for cell in line))
        for text, line in zip(labels(space.axes[pair[0]]), cells, strict=True)
    ]
    inner = element("table", element("thead", head), element("tbody", *body), class_="years heat-map")
    note = f"Median {label(figure)} of the configurations in a cell; rows: {pair[0]}, columns: {pair[1]}."
    return panel(f"{pair[0]} × {pair[1]}", element("div", inner, class_="scroll", tabindex="0"), note=note)


def _heat(cell: Cell | None, figure: str, greatest: float) -> Html:
    if cell is None:
        return element("td", "")
    shown = -cell.median if figure == "drawdown" else cell.median
    hint = f"{cell.count} configurations, the best {figure_text(figure, cell.best)}"
    return element("td", figure_text(figure, cell.median), class_=level(shown, greatest), title=hint)
