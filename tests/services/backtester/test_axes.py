"""Axes of small charts: numbers tell their lines apart."""

import re

import pytest

from services.backtester.report.svg import Dot, scatter


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (1.2, ["0.00", "0.25", "0.50", "0.75", "1.00", "1.25"]),
        (5.0, ["0", "1", "2", "3", "4", "5"]),
        (12_000.0, ["0", "2\u202f500", "5\u202f000", "7\u202f500", "10.0k", "12.5k"]),
    ],
)
def test_no_two_lines_have_the_same_number(highest: float, labels: list[str]) -> None:
    drawn = scatter([Dot(x=0.0, y=0.0, won=True, hint=""), Dot(x=1.0, y=highest, won=False, hint="")], "x", "y")
    assert re.findall(r'text-anchor="end"[^>]*>([^<]+)<', drawn) == labels
