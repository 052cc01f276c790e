"""The small charts of the page: how results are spread, what they came with, and where they came from."""

from collections.abc import Sequence
from statistics import fmean

from libs.trading.outcome import Outcome
from services.backtester.metrics.tables import Group
from services.backtester.report.costs import cost_lines
from services.backtester.report.document import Report
from services.backtester.report.markup import Html, element, panel
from services.backtester.report.svg import Bar, Dot, bars, lying_bars, scatter, steps
from services.backtester.report.words import minute, money, number, percent, plain

MOST_DOTS = 2000
_STEP = 0.25
_FARTHEST = 5.0


def small_charts(report: Report) -> Html:
    """All of them; without trades one line says why there are none."""
    if not report.trades:
        return panel(
            "Distributions", element("p", "No position was opened, so there is nothing to spread.", class_="empty")
        )
    tables = report.tables
    shown = sample(report.trades)
    part = f"{len(shown)} of {len(report.trades)} trades, evenly taken" if len(shown) < len(report.trades) else ""
    return element(
        "div",
        panel("R distribution", _multiples(report.trades), note="Net result of each trade over its initial risk."),
        panel(
            "MAE and MFE",
            _moves(shown),
            _legend(),
            note=part or "How far price went against and along each trade before its exit.",
        ),
        panel("Score against outcome", _scores(shown), _legend("mean of a step"), note=part or _score_note(report)),
        panel("Exit reasons", _exits(tables.by_exit), note="Last fill of each trade: count, win rate and mean R."),
        panel("Hold times", _counts(tables.by_hold), note="Trades by time from entry to last exit."),
        panel("Hour of entry (UTC)", _hours(tables.by_hour), note="Net result by the hour of the entry."),
        panel("Net by symbol", _symbols(tables.by_symbol), note="Net result of all trades of a symbol."),
        panel("Cost breakdown", _costs(report), note="From gross to net, quote units."),
        class_="small-charts",
    )


def sample(trades: Sequence[Outcome]) -> Sequence[Outcome]:
    """At most so many of them, evenly taken."""
    every = -(-len(trades) // MOST_DOTS)
    return trades[::every]


def _score_note(report: Report) -> str:
    figure = report.figures.score_correlation
    return f"Rank correlation {number(figure.value, 2, signed=True)}." if figure.value is not None else figure.reason


def _legend(mean: str = "") -> Html:
    marks = [element("span", "● won", class_="up"), element("span", "× lost", class_="down")]
    return element(
        "p", *marks, *([element("span", f"─○ {mean}", class_="mean-words")] if mean else []), class_="legend"
    )


def _multiples(trades: Sequence[Outcome]) -> Html:
    """Steps of a quarter R; what lies beyond 5 R is in the outermost ones."""
    places = [int(max(-_FARTHEST, min(_FARTHEST - _STEP, one.net_r)) // _STEP) for one in trades]
    given = []
    for place in range(min(places), max(places) + 1):
        low, count = place * _STEP, places.count(place)
        hint = f"{number(low, 2, signed=True)} to {number(low + _STEP, 2, signed=True)} R: {count} trades"
        given.append(Bar(name=number(low, 2), value=count, class_="up-mark" if low >= 0 else "down-mark", hint=hint))
    return bars(given, "Trades by R", "trades")


def _moves(trades: Sequence[Outcome]) -> Html:
    dots = [Dot(x=-one.adverse_r, y=one.favourable_r, won=one.net > 0, hint=_hint(one)) for one in trades]
    return scatter(dots, "MAE, R against", "MFE, R along")


def _hint(one: Outcome) -> str:
    return f"{one.symbol} {one.direction} {minute(one.entry.time_ms)}: {number(one.net_r, 2, signed=True)} R"


def _scores(trades: Sequence[Outcome]) -> Html:
    dots = [Dot(x=one.score, y=one.net_r, won=one.net > 0, hint=_hint(one)) for one in trades]
    steps_: dict[int, list[Outcome]] = {}
    for one in trades:
        steps_.setdefault(int(one.score // 5), []).append(one)
    line = [
        (fmean(one.score for one in found), fmean(one.net_r for one in found)) for _, found in sorted(steps_.items())
    ]
    return scatter(dots, "score", "net R", line)


def _exits(groups: Sequence[Group]) -> Html:
    ordered = sorted(groups, key=lambda group: -group.trades)
    return lying_bars(
        [Bar(name=plain(one.key), value=one.trades, class_=_class(one.net), hint=_said(one)) for one in ordered],
        "Exits",
    )


def _said(group: Group) -> str:
    mean = number(group.expectancy_r.value, 2, signed=True)
    return f"{group.trades} · {percent(group.win_rate.value, decimals=0)} % won · {mean} R"


def _class(value: float) -> str:
    return "up-mark" if value > 0 else "down-mark" if value < 0 else "flat-mark"


def _counts(groups: Sequence[Group]) -> Html:
    given = [
        Bar(name=one.key.removesuffix(" min"), value=one.trades, class_="flat-mark", hint=_said(one)) for one in groups
    ]
    return bars(given, "Trades by hold", "trades")


def _hours(groups: Sequence[Group]) -> Html:
    found = {one.key: one for one in groups}
    given = []
    for hour in range(24):
        one = found.get(f"{hour:02d}:00")
        hint = f"{hour:02d}:00: " + (f"{money(one.net, signed=True)} · {_said(one)}" if one else "no trade")
        net = one.net if one else 0.0
        given.append(Bar(name=f"{hour:02d}", value=net, class_=_class(net), hint=hint))
    return bars(given, "Net result by hour", "net, quote")


def _symbols(groups: Sequence[Group]) -> Html:
    given = [
        Bar(
            name=one.key.removesuffix("USDT"),
            value=one.net,
            class_=_class(one.net),
            hint=f"{one.key}: {money(one.net, signed=True)} · {_said(one)}",
        )
        for one in groups
    ]
    return bars(given, "Net result by symbol", "net, quote")


def _costs(report: Report) -> Html:
    given = [
        Bar(name=line.name, value=line.amount, class_=_class(line.amount), hint=number(line.amount, 0, signed=True))
        for line in cost_lines(report)
    ]
    return steps(given, "From gross to net", "quote units")
