"""The report as one HTML page that needs nothing else: no server, no network, no account."""

from functools import cache
from importlib.resources import files

from services.backtester.metrics.catalogue import CATALOGUE, HEADINGS, Heading, Metric
from services.backtester.metrics.tables import Group
from services.backtester.report.calendar import calendars
from services.backtester.report.chart_data import chart_data, refused_note, script_text, trades_note
from services.backtester.report.costs import cost_lines
from services.backtester.report.coverage_lines import coverage_lines
from services.backtester.report.document import Report, none_refused
from services.backtester.report.markup import Html, element, escaped, joined, panel, signed, table
from services.backtester.report.small_charts import small_charts
from services.backtester.report.words import (
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
    worded,
)
from services.backtester.result import BacktestResult

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
CHARTS = "lightweight-charts-5.2.1.js"
_TILES = ("net", "expectancy_r", "profit_factor", "win_rate", "sharpe", "drawdown", "trades", "luck")
_BY_NAME = {metric.name: metric for metric in CATALOGUE}


@cache
def asset(name: str) -> str:
    """The text of a file that is part of the page."""
    return (files("services.backtester.report") / "assets" / name).read_text(encoding="utf-8")


def page(report: Report, result: BacktestResult) -> str:
    """The whole page of a report; `result` is the one it was made of, for its candles."""
    data = element("script", Html(script_text(chart_data(report, result))), type="application/json", id="data")
    body = joined(_bar(report), element("main", *_parts(report)), _foot(report), data)
    return document(f"Backtest of {_names(report)}", body, (CHARTS, "page.js"))


def document(title: str, body: Html, scripts: tuple[str, ...]) -> str:
    """A page with our style, the scripts inline and a policy under which nothing can be fetched."""
    head = joined(
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", title),
        element("style", Html(asset("page.css"))),
    )
    code = joined(*(element("script", Html(asset(name))) for name in scripts))
    root = element("html", element("head", head), element("body", body, code), lang="en")
    return f"<!doctype html>\n{root}\n"


def _names(report: Report) -> str:
    return ", ".join(f"{name} v{version}" for name, version, _ in report.facts.strategies) or "no strategy"


def _bar(report: Report) -> Html:
    """The thin bar that stays: what this is, whether its costs are real, and the figures one comes back to."""
    figures = report.figures
    badge = (
        element("span", "IDEAL · NO COSTS", class_="badge ideal")
        if report.facts.ideal
        else element("span", "COSTS ON", class_="badge")
    )
    facts = [
        element("span", signed(f"{money(figures.net.value, signed=True)}", figures.net.value), class_="bar-fact"),
        element(
            "span",
            signed(f"{number(figures.total_r.value, 1, signed=True)} R", figures.total_r.value),
            class_="bar-fact wide",
        ),
    ]
    toggle = element("button", "◐ theme", type="button", id="theme", title="Switch between light and dark")
    return element("header", element("strong", "Backtest"), badge, element("span", class_="space"), *facts, toggle)


def _parts(report: Report) -> list[Html]:
    return [
        _introduction(report),
        panel(
            "Equity and drawdown",
            element("div", id="equity", class_="chart"),
            note="Marked to the market, quote units; below, % under the highest so far.",
        ),
        _prices(report),
        calendars(report),
        small_charts(report),
        element("div", *(_figures(report, heading) for heading in HEADINGS), class_="figures"),
        element("div", *_tables(report), class_="tables"),
    ]


def _introduction(report: Report) -> Html:
    facts = report.facts
    brand = (
        element("p", "IDEAL RUN: fees, slippage, latency and funding are off", class_="brand") if facts.ideal else ""
    )
    when = (
        f"{minute(facts.start_ms)} to {minute(facts.end_ms)} UTC · {facts.days:.3g} days · {listed(facts.symbols, 12)}"
    )
    read = f"{facts.source}, {facts.view} · {number(facts.trades_read, 0)} trades, {number(facts.evaluations, 0)} evaluations"
    return element(
        "section",
        brand,
        element("h1", f"Backtest of {_names(report)}"),
        element("p", when),
        element("p", read, class_="note"),
        *(element("p", f"! {line}", class_="caution") for line in report.cautions[1 if facts.ideal else 0 :]),
        element("div", *(_tile(report, name) for name in _TILES), class_="tiles"),
        element("div", _assumptions(report), _coverage(report), class_="top-grid"),
        class_="intro",
    )


def _assumptions(report: Report) -> Html:
    facts = report.facts
    lines = [element("li", line) for line in facts.assumptions]
    lines.append(
        element(
            "li", f"balance {money(facts.starting_balance)}, risk {money(facts.risk_per_trade)} a trade, quote units"
        )
    )
    lines.append(
        element(
            "li", f"{number(facts.configurations, 0)} configuration{'s' if facts.configurations != 1 else ''} tried"
        )
    )
    return panel("Assumptions", element("ul", *lines))


def _coverage(report: Report) -> Html:
    if not report.coverage:
        return panel("Coverage", element("p", "Not stated.", class_="empty"))
    lines = coverage_lines(report.coverage)
    found = [_covered([(one.title, one.share, one.rows, one.missing) for one in lines])]
    if len(lines) < len(report.coverage):
        worst_first = sorted(report.coverage, key=lambda one: one.share)
        each = _covered([(f"{one.symbol} {plain(one.name)}", one.share, one.rows, one.missing) for one in worst_first])
        found.append(element("details", element("summary", "each symbol"), each))
    return panel("Coverage", *found)


def _covered(lines: list[tuple[str, float, int, str]]) -> Html:
    rows = [
        (joined(title, _missing(missing)), _share(share), number(count, 0)) for title, share, count, missing in lines
    ]
    return table(("input", "% known", "rows"), [tuple(row) for row in rows], "words-first")


def _missing(words: str) -> Html:
    return element("small", words, class_="amber") if words else Html("")


def _share(share: float) -> Html:
    return element("span", cut_percent(share), class_="" if share >= 1 else "amber")


def _tile(report: Report, name: str) -> Html:
    metric, figure = _BY_NAME[name], getattr(report.figures, name)
    coloured = metric.unit in ("quote_signed", "R")
    if figure.value is None:
        value, below = element("span", UNKNOWN, class_="flat"), figure.reason
    else:
        words = worded(figure.value, metric.unit)
        value = signed(words, figure.value) if coloured else escaped(words)
        band = band_words(figure, metric)
        below = f"90 %: {band}" if band else _beside(report, name)
    return element(
        "div",
        element("span", label_words(metric), class_="label"),
        element("b", value),
        element("small", below),
        class_="tile",
        title=metric.formula,
    )


def _beside(report: Report, name: str) -> str:
    figures = report.figures
    if name == "drawdown":
        return (
            f"1 in 20: {percent(figures.drawdown_expected.value)} · {span(figures.longest_under_water.value)} longest"
        )
    if name == "luck":
        tried = report.facts.configurations
        return f"of the best of {number(tried, 0)} tried" if tried > 1 else "one configuration tried"
    if name == "trades":
        return f"{number(figures.trades.value and figures.trades.value / report.facts.days, 1)} a day"
    return "too little for a band"


def _prices(report: Report) -> Html:
    boxes = element(
        "div",
        element("div", id="symbols", class_="tabs", role="tablist"),
        element("label", Html('<input type="checkbox" id="show-refused">'), f" {refused_note(report)}"),
        element("button", "whole range", type="button", id="whole"),
        class_="controls",
    )
    legend = element(
        "p",
        element("span", "▲ long entry"),
        element("span", "▼ short entry"),
        element("span", "● profit taken"),
        element("span", "■ stopped or expired"),
        element("span", "─ won", class_="up"),
        element("span", "┄ lost", class_="down"),
        element("span", "○ refused: best score ×number", class_="flat"),
        element("span", "▨ no data", class_="flat"),
        class_="legend",
    )
    chart = element(
        "div",
        element("div", id="price", class_="chart tall"),
        element("div", id="hover", class_="hover"),
        class_="holder",
    )
    return panel(
        "Trades on the price",
        *(boxes, chart, legend, element("div", id="trade", class_="trade", aria_live="polite")),
        element("div", element("table", id="trades"), class_="scroll trades", tabindex="0"),
        note=trades_note(report),
    )


def _figures(report: Report, heading: Heading) -> Html:
    rows = [_figure(report, metric) for metric in CATALOGUE if metric.heading == heading]
    head = ("figure", "value", "90 % band")
    # Where no figure has a band or a reason, a column of nothing would only take room.
    columns = 3 if any(row[2] for row in rows) else 2
    return panel(heading, table(head[:columns], [row[:columns] for row in rows]))


def _figure(report: Report, metric: Metric) -> tuple[str, ...]:
    figure = getattr(report.figures, metric.name)
    name = element("span", metric.label, title=f"{metric.formula}. Source: {metric.source}.", class_="explained")
    if figure.value is None:
        return name, UNKNOWN, element("span", figure.reason, class_="reason")
    words = figure_words(figure, metric)
    value = signed(words, figure.value) if metric.unit in ("quote_signed", "share_signed", "R") else escaped(words)
    return name, value, band_words(figure, metric)


def _tables(report: Report) -> list[Html]:
    tables = report.tables
    titles = (
        ("By symbol", tables.by_symbol),
        ("By strategy", tables.by_strategy),
        ("Long and short", tables.by_direction),
        ("By exit", tables.by_exit),
        ("By score", tables.by_score),
        ("By hold", tables.by_hold),
        ("By hour of entry (UTC)", tables.by_hour),
    )
    found = [panel(title, _groups(groups)) for title, groups in titles if groups]
    return [*found, _refused(report), *_silent(report), _costs(report)]


def _groups(groups: tuple[Group, ...]) -> Html:
    rows = [
        (
            plain(row.key),
            str(row.trades),
            percent(row.win_rate.value),
            signed(money(row.net, signed=True), row.net),
            signed(number(row.expectancy_r.value, 2, signed=True), row.expectancy_r.value),
            number(row.profit_factor.value, 2),
            money(row.costs),
            span(row.median_hold_ms.value),
        )
        for row in groups
    ]
    return table(
        ("", "trades", "win, %", "net", "mean R", "profit factor", "costs", "median hold"), [tuple(row) for row in rows]
    )


def _refused(report: Report) -> Html:
    rows = [(plain(row.reason), row.stage, number(row.count, 0), percent(row.share)) for row in report.tables.refused]
    if not rows:
        return panel("Refused signals", element("p", none_refused(report), class_="empty"))
    return panel("Refused signals", table(("reason", "by", "count", "% of signals"), [tuple(row) for row in rows]))


def _silent(report: Report) -> list[Html]:
    rows = [(row.strategy, row.reason, number(row.count, 0), percent(row.share)) for row in report.tables.silent]
    head = ("strategy", "why", "count", "% of its evaluations")
    return [panel("Evaluations without a signal", table(head, [tuple(row) for row in rows]))] if rows else []


def _costs(report: Report) -> Html:
    rows = [
        (
            line.name,
            signed(money(line.amount, signed=True), line.amount),
            percent(line.of_gross, signed=True),
            number(line.basis_points, 2, signed=True),
        )
        for line in cost_lines(report)
    ]
    return panel("Costs", table(("", "quote", "% of gross", "bp of traded"), [tuple(row) for row in rows]))


def _foot(report: Report) -> Html:
    charts = element(
        "p",
        "Charts: TradingView Lightweight Charts™ 5.2.1, Copyright (c) TradingView, Inc., ",
        element("a", "tradingview.com", href="https://www.tradingview.com/", rel="noreferrer"),
        ", Apache License 2.0",
    )
    licence = element(
        "details", element("summary", "Licence of the charts"), element("pre", asset("lightweight-charts-LICENSE.txt"))
    )
    stamp = element("p", f"Report {report.report_hash} · code {report.facts.code_version}", class_="hash")
    return element("footer", stamp, charts, licence)
