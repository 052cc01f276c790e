"""`perpstream strategy list` as people read it: a table where it fits, else two lines each; then why something waits."""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from services.console.readable import utc
from services.console.strategy_state import StrategyRow
from services.console.watch.words import UNKNOWN

_WIDE = 100
_UNANSWERED = "unanswered: no engine has said yet that it counts; one does when it reads the log (`perpstream status`)"


def told(found: Sequence[StrategyRow], width: int) -> Iterator[RenderableType]:
    """Everything for a screen of so many columns."""
    if width >= _WIDE:
        yield _table(found)
    else:
        yield from (Text(line) for row in found for line in _lines(row))
    for row in found:
        if row.reason:
            yield Text(f"{row.strategy}: {row.state} by {row.activated_by}: {row.reason}")
        yield from (Text(line, style="yellow") for line in row.problems)
    if any(row.state == "unanswered" for row in found):
        yield Text(_UNANSWERED, style="yellow")


def _table(found: Sequence[StrategyRow]) -> Table:
    table = Table("strategy", box=None, pad_edge=False)
    for title, folds in (("version", False), ("state", False), ("since (UTC)", False), ("by", True)):
        table.add_column(title, no_wrap=not folds)
    for title in ("score ≥", "factors"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("file", no_wrap=True)
    for row in found:
        version, threshold, factors = _figures(row)
        by = row.activated_by or UNKNOWN
        table.add_row(row.strategy, version, row.state, _since(row), by, threshold, factors, row.file_state)
    return table


def _lines(row: StrategyRow) -> Iterator[str]:
    version, threshold, factors = _figures(row)
    yield f"{row.strategy} version {version}: {row.state}, file {row.file_state}"
    who = f", since {_since(row)} UTC by {row.activated_by}" if row.since_ms is not None else ""
    yield f"  signals from {threshold}, {factors} factors{who}"


def _figures(row: StrategyRow) -> tuple[str, str, str]:
    """Version, threshold and number of factors."""
    return (
        UNKNOWN if row.version is None else str(row.version),
        UNKNOWN if row.threshold is None else f"{row.threshold:g}",
        UNKNOWN if row.factors is None else str(row.factors),
    )


def _since(row: StrategyRow) -> str:
    return UNKNOWN if row.since_ms is None else utc(row.since_ms)[:19]
