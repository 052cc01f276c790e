"""What people and programs read of a backtest: the terminal's screen, a JSON document, a page, a Parquet file of trades."""

from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from services.backtester.metrics.figures import Figures, figures
from services.backtester.report import comparison as comparisons
from services.backtester.report import document, terminal
from services.backtester.report.comparison import Comparison, compare
from services.backtester.report.comparison_screens import comparison_page, print_comparison
from services.backtester.report.document import Report, make_report, read_report
from services.backtester.report.outcomes_file import write_outcomes
from services.backtester.report.page import page
from services.backtester.result import BacktestResult

__all__ = [
    "Comparison",
    "ComparisonPaths",
    "Figures",
    "Paths",
    "Report",
    "compare",
    "figures",
    "make_report",
    "print_comparison",
    "print_report",
    "read_report",
    "report_json",
    "write_comparison",
    "write_report",
]


class Paths(NamedTuple):
    """The files of a report."""

    json: Path
    html: Path
    outcomes: Path


class ComparisonPaths(NamedTuple):
    """The files of a comparison."""

    json: Path
    html: Path


def write_report(result: BacktestResult, folder: Path) -> Paths:
    """Write report.json, report.html and outcomes.parquet into the folder, which is made where it is missing.

    Files of an earlier report are replaced, each at once: a reader never sees half of one. Raises `ValueError` for a result
    of which nothing can be said (`make_report`), `OSError` where the folder cannot be written.
    """
    report = make_report(result)
    paths = Paths(folder / "report.json", folder / "report.html", folder / "outcomes.parquet")
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = paths.outcomes.with_suffix(".parquet.part")
    write_outcomes(report.trades, unfinished)
    unfinished.replace(paths.outcomes)
    _replace(paths.html, page(report, result).encode())
    _replace(paths.json, document.encoded(report))
    return paths


def write_comparison(comparison: Comparison, folder: Path) -> ComparisonPaths:
    """Write comparison.json and comparison.html into the folder, which is made where it is missing."""
    paths = ComparisonPaths(folder / "comparison.json", folder / "comparison.html")
    folder.mkdir(parents=True, exist_ok=True)
    _replace(paths.html, comparison_page(comparison).encode())
    _replace(paths.json, comparisons.encoded(comparison))
    return paths


def print_report(result: BacktestResult | Report, console: Console) -> None:
    """Print the report for 80 columns or more; colours as the console has them."""
    terminal.print_report(result if isinstance(result, Report) else make_report(result), console)


def report_json(result: BacktestResult) -> bytes:
    """The JSON document of the result: the same result gives the same bytes."""
    return document.encoded(make_report(result))


def _replace(path: Path, content: bytes) -> None:
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
