"""Results by day and by month as calendars: colour by size, and each cell with its signed figure."""

import calendar as names
from collections.abc import Sequence
from datetime import date
from itertools import groupby

from services.backtester.metrics.tables import DayResult
from services.backtester.report.document import Report
from services.backtester.report.markup import Html, element, panel
from services.backtester.report.svg import Bar, bars
from services.backtester.report.words import money, number, percent

MOST_MONTHS = 14
_LEVELS, _FEW_MONTHS = 5, 2


def calendars(report: Report) -> Html:
    """The months of all years; and the days of each month, where there are not too many months to look at."""
    days = report.tables.days
    months = [(key, list(found)) for key, found in groupby(days, key=lambda one: one.day[:7])]
    return panel(
        "Calendar",
        _years(months),
        *([_days(months, days)] if len(months) <= MOST_MONTHS else []),
        note="Change of equity, % of the equity at the start of the day or month (UTC); shading by size.",
    )


def _days(months: Sequence[tuple[str, Sequence[DayResult]]], days: Sequence[DayResult]) -> Html:
    """The months; beside few of them there is room for the days as bars."""
    boxes = [_month(key, found, days) for key, found in months]
    if len(months) <= _FEW_MONTHS and len(days) > 1:
        given = [
            Bar(
                name=one.day[5:],
                value=one.result,
                class_="up-mark" if one.result > 0 else "down-mark",
                hint=f"{one.day}: {money(one.result, signed=True)} quote units",
            )
            for one in days
        ]
        boxes.append(element("div", bars(given, "Result by day", "quote units", wide=True), class_="daily"))
    return element("div", *boxes, class_="months")


def compounded(days: Sequence[DayResult]) -> float | None:
    """The return over several days; None where one of them has none."""
    result = 1.0
    for one in days:
        if one.share is None:
            return None
        result *= 1 + one.share
    return result - 1


def _years(months: Sequence[tuple[str, Sequence[DayResult]]]) -> Html:
    shares = {key: compounded(found) for key, found in months}
    greatest = _greatest(list(shares.values()))
    head = element(
        "tr", element("th", "year"), *(element("th", names.month_abbr[n]) for n in range(1, 13)), element("th", "all")
    )
    rows = []
    for year, found in groupby(months, key=lambda item: item[0][:4]):
        whole = compounded([one for _, days in found for one in days])
        cells = [_cell(shares.get(f"{year}-{n:02d}"), greatest) for n in range(1, 13)]
        rows.append(
            element("tr", element("th", year), *cells, element("td", percent(whole, signed=True), class_="sum"))
        )
    table = element("table", element("thead", head), element("tbody", *rows), class_="years")
    return element("div", table, class_="scroll", tabindex="0")


def _greatest(shares: Sequence[float | None]) -> float:
    return max((abs(share) for share in shares if share is not None), default=0.0)


def level(share: float | None, greatest: float) -> str:
    """The class of a cell: up or down, and its size in five levels."""
    if share is None or share == 0 or greatest == 0:
        return "heat"
    size = min(_LEVELS, 1 + int(abs(share) / greatest * _LEVELS))
    return f"heat {'gain' if share > 0 else 'loss'} l{size}"


def _cell(share: float | None, greatest: float) -> Html:
    return element("td", "" if share is None else percent(share, signed=True), class_=level(share, greatest))


def _month(key: str, found: Sequence[DayResult], all_days: Sequence[DayResult]) -> Html:
    greatest = _greatest([one.share for one in all_days])
    year, month = int(key[:4]), int(key[5:])
    by_day = {int(one.day[8:]): one for one in found}
    boxes = [element("b", name) for name in ("M", "T", "W", "T", "F", "S", "S")]
    boxes += [element("span", "", class_="none") for _ in range(date(year, month, 1).weekday())]
    for day in range(1, names.monthrange(year, month)[1] + 1):
        boxes.append(_day(day, by_day.get(day), greatest))
    title = f"{names.month_name[month]} {year}"
    total = percent(compounded(found), signed=True)
    return element(
        "figure",
        element("figcaption", title, element("span", f"{total} %", class_="sum")),
        element("div", *boxes, class_="days"),
        class_="month",
    )


def _day(day: int, one: DayResult | None, greatest: float) -> Html:
    if one is None:
        return element("span", element("small", str(day)), class_="outside")
    words = number(None if one.share is None else one.share * 100, 1, signed=True)
    hint = f"{one.day}: {money(one.result, signed=True)} quote units, {percent(one.share, signed=True, decimals=2)} %"
    return element("span", element("small", str(day)), words, class_=level(one.share, greatest), title=hint)
