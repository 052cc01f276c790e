"""A comparison in the terminal and as a page: the figures beside each other first, then what differs, row by row."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from services.backtester.metrics.catalogue import BY_NAME
from services.backtester.report.comparison import Comparison, FigurePair
from services.backtester.report.markup import Html, element, joined, panel, table
from services.backtester.report.page import document
from services.backtester.report.words import difference_words, label_words, minute, number, plain, worded
from services.backtester.result import RunFacts, SignalRow

MOST_ROWS = 20
MOST_PAGE_ROWS = 500
Rows = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def print_comparison(comparison: Comparison, console: Console) -> None:
    """For 80 columns or more; long lists are cut and say so."""
    for part in _parts(comparison):
        console.print(part, soft_wrap=False)


def _parts(comparison: Comparison) -> Iterator[RenderableType]:
    yield Text(f"a  {run_words(comparison.a)}", style="bold")
    yield Text(f"b  {run_words(comparison.b)}", style="bold")
    yield Text(summary(comparison), style="green" if comparison.equal else "yellow")
    yield Padding(_table(("figure", "a", "b", "b − a"), figure_rows(comparison)), (1, 0))
    for title, head, rows in differences(comparison):
        yield Text(f"{title} ({len(rows)})", style="bold")
        yield _table(head, rows[:MOST_ROWS])
        if len(rows) > MOST_ROWS:
            yield Text(f"… and {len(rows) - MOST_ROWS} more; the JSON has all of them", style="dim")
        yield Text("")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, title in enumerate(head):
        made.add_column(title, justify="right" if place else "left", header_style="dim", overflow="fold")
    for row in rows:
        made.add_row(*map(Text, row))
    return made


def run_words(facts: RunFacts) -> str:
    """One run in a line."""
    names = ", ".join(f"{name} v{version}" for name, version, _ in facts.strategies)
    ideal = " · IDEAL, no costs" if facts.ideal else ""
    return f"{names} · {minute(facts.start_ms)} to {minute(facts.end_ms)} UTC · {facts.source}, {facts.view}{ideal}"


def summary(comparison: Comparison) -> str:
    """What came out, in a sentence."""
    if comparison.equal:
        return f"Equal: {comparison.same_signals} signals and {comparison.same_outcomes} trades are the same in both."
    return (
        f"{comparison.same_signals} signals and {comparison.same_outcomes} trades are the same (by {comparison.matched_by}); "
        f"{len(comparison.only_a)} signals only in a, {len(comparison.only_b)} only in b, "
        f"{len(comparison.other_signals)} with another verdict, {len(comparison.other_outcomes)} with another outcome."
    )


def figure_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Each figure of both with the difference."""
    return [_figure_row(pair) for pair in comparison.figures]


def _figure_row(pair: FigurePair) -> tuple[str, ...]:
    metric = BY_NAME[pair.name]
    return (
        label_words(metric),
        worded(pair.a, metric.unit),
        worded(pair.b, metric.unit),
        difference_words(pair.difference, metric.unit),
    )


def differences(comparison: Comparison) -> list[Rows]:
    """What differs, as titled tables; none without rows."""
    signal_head = ("time (UTC)", "symbol", "strategy", "side", "score", "verdict")
    found: list[Rows] = [
        ("Signals only in a", signal_head, [_signal_row(row) for row in comparison.only_a]),
        ("Signals only in b", signal_head, [_signal_row(row) for row in comparison.only_b]),
        (
            "Same signal, other verdict",
            ("time (UTC)", "symbol", "score a", "score b", "a", "b"),
            [
                (*_place(pair.a), number(pair.a.score, 2), number(pair.b.score, 2), _verdict(pair.a), _verdict(pair.b))
                for pair in comparison.other_signals
            ],
        ),
        (
            "Same signal, other outcome",
            ("time (UTC)", "symbol", "a", "b", "R a", "R b"),
            [
                (
                    minute(one.time_ms),
                    one.symbol,
                    plain(one.a_exit),
                    plain(one.b_exit),
                    number(one.a_r, 2, signed=True),
                    number(one.b_r, 2, signed=True),
                )
                for one in comparison.other_outcomes
            ],
        ),
    ]
    return [part for part in found if part[2]]


def _place(row: SignalRow) -> tuple[str, str]:
    return minute(row.time_ms), row.symbol


def _signal_row(row: SignalRow) -> tuple[str, ...]:
    return (*_place(row), f"{row.strategy} v{row.version}", row.direction, number(row.score, 1), _verdict(row))


def _verdict(row: SignalRow) -> str:
    return row.state if row.reason is None else f"{row.state}: {plain(row.reason)}"


def comparison_section(comparison: Comparison) -> Html:
    """The comparison as a part of a page."""
    parts = [panel("Figures", table(("figure", "a", "b", "b − a"), figure_rows(comparison)))]
    for title, head, rows in differences(comparison):
        note = f"The first {MOST_PAGE_ROWS} of {len(rows)}." if len(rows) > MOST_PAGE_ROWS else f"{len(rows)} in all."
        parts.append(panel(title, table(head, rows[:MOST_PAGE_ROWS]), note=note))
    return element("div", *parts, class_="tables")


def comparison_page(comparison: Comparison) -> str:
    """A page of its own that needs nothing else."""
    toggle = element("button", "◐ theme", type="button", id="theme")
    bar = element("header", element("strong", "Comparison"), element("span", class_="space"), toggle)
    said = element("p", summary(comparison), class_="" if comparison.equal else "caution")
    runs = [
        element("p", element("strong", f"{name} "), run_words(facts))
        for name, facts in (("a", comparison.a), ("b", comparison.b))
    ]
    top = element("section", element("h1", "Two backtests side by side"), *runs, said)
    hashes = element("footer", element("p", f"a {comparison.a_hash} · b {comparison.b_hash}", class_="hash"))
    return document(
        "Two backtests", joined(bar, element("main", top, comparison_section(comparison)), hashes), ("page.js",)
    )
