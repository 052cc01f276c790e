"""The report in the terminal: what was assumed first, then the figures with their bands, the equity, and the tables."""

from collections.abc import Iterable, Iterator

import numpy as np
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from services.backtester.metrics.catalogue import CATALOGUE, HEADINGS, Heading, Metric
from services.backtester.metrics.tables import Group
from services.backtester.report import braille
from services.backtester.report.costs import cost_lines
from services.backtester.report.coverage_lines import coverage_lines
from services.backtester.report.document import Report, none_refused
from services.backtester.report.words import (
    UNIT_SIGNS,
    UNKNOWN,
    band_words,
    cut_percent,
    figure_words,
    label_words,
    listed,
    minute,
    money,
    number,
    percent,
    plain,
    span,
)

WIDE = 100
_CHART_HEIGHT = 7


def print_report(report: Report, console: Console) -> None:
    """All of the report, for 80 columns or more; colours as the console has them."""
    for part in _parts(report, console.width):
        console.print(part, soft_wrap=False)


def _parts(report: Report, width: int) -> Iterator[RenderableType]:
    yield from _top(report)
    figures = [_figure_table(report, heading) for heading in HEADINGS]
    yield _side_by_side(figures, width)
    yield from _equity(report, min(width, 120))
    yield _costs(report)
    tables = report.tables
    for title, groups in (
        ("by symbol", tables.by_symbol),
        ("by strategy", tables.by_strategy),
        ("long and short", tables.by_direction),
        ("by exit", tables.by_exit),
        ("by score", tables.by_score),
        ("by hold", tables.by_hold),
        ("by hour (UTC)", tables.by_hour),
    ):
        yield from _group_table(title, groups)
    yield _refused(report)
    if report.tables.silent:
        yield _silent(report)
    yield Text(f"report {report.report_hash[:16]} · code {report.facts.code_version}", style="dim")


def _top(report: Report) -> Iterator[RenderableType]:
    facts = report.facts
    names = ", ".join(f"{name} v{version}" for name, version, _ in facts.strategies)
    if facts.ideal:
        yield Text(" IDEAL · no fees, no slippage, no latency, no funding ", style="bold reverse yellow")
    yield Text(f"Backtest of {names or 'no strategy'}", style="bold")
    yield Text(
        f"{minute(facts.start_ms)} to {minute(facts.end_ms)} UTC, {facts.days:.3g} days · {listed(facts.symbols)}"
    )
    yield Text(
        f"{facts.source}, {facts.view} · {number(facts.trades_read, 0)} trades, {number(facts.evaluations, 0)} evaluations",
        style="dim",
    )
    yield Text("\nAssumptions", style="bold")
    for line in facts.assumptions or ("none stated",):
        yield Padding(Text(line), (0, 0, 0, 2))
    yield Text(f"  balance {money(facts.starting_balance)}, risk {money(facts.risk_per_trade)} a trade")
    yield Text("\nCoverage", style="bold")
    yield from _coverage(report)
    for line in report.cautions[1 if facts.ideal else 0 :]:  # the first one is the brand on top
        yield Text(f"! {line}", style="yellow")


def _coverage(report: Report) -> Iterator[RenderableType]:
    whole = sum(one.share >= 1 for one in report.coverage)
    if not report.coverage:
        yield Text("  not stated", style="dim")
    elif whole:
        yield Text(f"  {whole} of {len(report.coverage)} inputs are whole")
    for line in coverage_lines(report.coverage):
        if line.share < 1:
            missing = f", {line.missing}" if line.missing else ""
            yield Text(f"  {line.title}: {cut_percent(line.share)} %{missing}", style="yellow")


def _figure_table(report: Report, heading: Heading) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left", title_style="bold", padding=(0, 1, 0, 0))
    table.add_column(heading, no_wrap=True, min_width=20, header_style="bold")
    table.add_column("", justify="right", no_wrap=True, min_width=9)
    table.add_column("90 % band", justify="right", overflow="fold", style="dim", header_style="dim")
    for metric in CATALOGUE:
        if metric.heading == heading:
            table.add_row(*_figure_row(report, metric))
    return table


def _figure_row(report: Report, metric: Metric) -> tuple[Text, Text, Text]:
    figure = getattr(report.figures, metric.name)
    sign = UNIT_SIGNS.get(metric.unit, "")
    label = Text(label_words(metric))
    if figure.value is None:
        return label, Text(UNKNOWN, style="dim"), Text(figure.reason, style="dim")
    words = figure_words(figure, metric).removesuffix(f" {sign}") if sign else figure_words(figure, metric)
    style = _style(figure.value) if metric.unit in ("quote_signed", "share_signed", "R") else ""
    return label, Text(words, style=style), Text(band_words(figure, metric))


def _style(value: float) -> str:
    return "green" if value > 0 else "red" if value < 0 else ""


def _side_by_side(tables: list[Table], width: int) -> RenderableType:
    if width < WIDE:
        return Padding(_stack(tables), (1, 0))
    grid = Table.grid(padding=(0, 2, 0, 0))
    left, right = _stack((tables[0], tables[1])), _stack(tables[2:])
    grid.add_row(left, right)
    return Padding(grid, (1, 0, 0, 0))


def _stack(tables: Iterable[Table]) -> Table:
    grid = Table.grid()
    for table in tables:
        grid.add_row(Padding(table, (0, 0, 1, 0)))
    return grid


def _equity(report: Report, width: int) -> Iterator[RenderableType]:
    points = report.equity
    values = np.array(points.equity, dtype=np.float64)
    scale = [number(float(values.max()), 0), number(float(values.min()), 0)]
    margin = max(map(len, scale)) + 1
    lines = braille.chart(np.array(points.time_ms, dtype=np.float64), values, width - margin - 1, _CHART_HEIGHT)
    yield Text("Equity (quote units)", style="bold")
    for place, line in enumerate(lines):
        label = scale[0] if place == 0 else scale[1] if place == len(lines) - 1 else ""
        yield Text(f"{label:>{margin - 1}} {line}")
    ends = f"{minute(points.time_ms[0])}", f"{minute(report.facts.end_ms)} UTC"
    yield Text(f"{'':{margin}}{ends[0]}{ends[1]:>{max(0, width - margin - 1 - len(ends[0]))}}\n", style="dim")


def _costs(report: Report) -> RenderableType:
    table = _plain_table("Costs", ("quote", "% of gross", "bp of traded"))
    for line in cost_lines(report):
        share = percent(line.of_gross, signed=True)
        table.add_row(line.name, money(line.amount, signed=True), share, number(line.basis_points, 2, signed=True))
    return Padding(table, (0, 0, 1, 0))


def _plain_table(first: str, others: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold", header_style="bold", min_width=16)
    for title in others:
        table.add_column(title, justify="right", no_wrap=True, header_style="dim", min_width=6)
    return table


def _group_table(title: str, groups: tuple[Group, ...]) -> Iterator[RenderableType]:
    if not groups:
        return
    table = _plain_table(title, ("trades", "win %", "net", "costs", "mean R", "profit f.", "hold"))
    for row in groups:
        expectancy = row.expectancy_r.value
        table.add_row(
            Text(plain(row.key)),
            str(row.trades),
            percent(row.win_rate.value),
            Text(money(row.net, signed=True), style=_style(row.net)),
            money(row.costs),
            Text(number(expectancy, 2, signed=True), style=_style(expectancy or 0)),
            number(row.profit_factor.value, 2),
            span(row.median_hold_ms.value),
        )
    yield Padding(table, (0, 0, 1, 0))


def _silent(report: Report) -> RenderableType:
    table = _plain_table("evaluations without a signal", ("count", "% of strategy's"))
    for row in report.tables.silent:
        table.add_row(Text(f"{row.strategy}: {row.reason}"), number(row.count, 0), percent(row.share))
    return Padding(table, (0, 0, 1, 0))


def _refused(report: Report) -> RenderableType:
    rows = report.tables.refused
    if not rows:
        return Text(f"{none_refused(report)}\n", style="dim")
    table = _plain_table("refused signals", ("by", "count", "% of signals"))
    for row in rows:
        table.add_row(plain(row.reason), row.stage, str(row.count), percent(row.share))
    return Padding(table, (0, 0, 1, 0))
