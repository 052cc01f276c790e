"""The terminal's screen: assumptions before figures, nothing cut at 80 columns, no colours where they are not wanted."""

import io
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from rich.console import Console

from libs.kit.settings import DatabaseSettings
from libs.store.engine import create_engine
from services.backtester.report import compare, make_report, print_comparison, print_report
from services.backtester.report.braille import chart
from services.backtester.sources.postgres import PostgresSource
from tests.services.backtester.results import Shape, curve, make_result, plain_result


def _printed(result: object, width: int, **options: object) -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, highlight=False, **options)  # type: ignore[arg-type]
    print_report(result, console)  # type: ignore[arg-type]
    return text.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
def test_it_fits_and_says_everything(width: int) -> None:
    text = _printed(make_result(Shape(days=20)), width)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "…\n" not in text  # what rich cuts ends in an ellipsis
    places = [
        text.index(words) for words in ("Assumptions", "Coverage", "Net PnL", "Equity", "Costs", "by symbol", "refused")
    ]
    assert places == sorted(places)
    for words in ("taker 0.050 %", "missing 12 June", "Deflated Sharpe", "90 % band", "symbol locked", "BTCUSDT"):
        assert words in text


def test_the_view_is_said_once() -> None:
    result = make_result(Shape(days=3))
    source = PostgresSource(create_engine(DatabaseSettings()), "as-seen")
    stored = replace(result, facts=msgspec.structs.replace(result.facts, source=source.description, view=source.view))
    assert "PostgreSQL, as-seen · " in _printed(stored, 100)


def test_colours_only_where_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    result = make_result(Shape(days=3))
    assert "\x1b[32m" in _printed(result, 100, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in _printed(result, 100, force_terminal=True)
    assert "\x1b" not in _printed(result, 100)


def test_an_ideal_run_is_branded() -> None:
    assert "IDEAL · no fees" in _printed(make_result(Shape(days=3, ideal=True)), 80).splitlines()[0]
    assert "IDEAL" not in _printed(make_result(Shape(days=3)), 80)


def test_an_empty_run_says_why_there_is_nothing() -> None:
    text = _printed(plain_result((), curve()), 80)
    assert "no position was opened" in text
    assert "no trades" in text
    assert "nan" not in text.lower()


def test_a_rising_curve_rises() -> None:
    lines = chart(np.arange(100.0), np.arange(100.0), 10, 4)
    assert [len(line) for line in lines] == [10] * 4
    assert lines[0][0] == "\u2800"
    assert lines[0][-1] != "\u2800"
    assert lines[-1][0] != "\u2800"


def test_a_flat_curve_is_one_line() -> None:
    drawn = [line for line in chart(np.arange(5.0), np.full(5, 3.0), 8, 3) if line.strip("\u2800")]
    assert len(drawn) == 1


def test_a_comparison_fits_too() -> None:
    a, b = (make_report(make_result(Shape(days=5, seed=seed))) for seed in (1, 2))
    text = io.StringIO()
    print_comparison(compare(a, b), Console(file=text, width=80))
    assert max(len(line.rstrip()) for line in text.getvalue().splitlines()) <= 80
    assert "Signals only in a" in text.getvalue()
