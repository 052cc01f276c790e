"""The part of the screen that says how the trade feeds are: state, completeness, gaps and holes, in the order of the symbols."""

from rich.table import Table
from rich.text import Text

from services.console.watch.model import SymbolState, WatchModel
from services.console.watch.words import UNKNOWN, compact, delay, parts_per_million, state_style

# Six reports, of those that come every ten seconds of venue time.
REPORTED_SECONDS = 60.0
_PERCENT_DECIMALS = 3
_COLUMNS = (
    (112, ("delay", "1 h %", "24 h %", "gaps", "holes")),
    (96, ("1 h %", "24 h %", "gaps", "holes")),
    (80, ("24 h %", "gaps", "holes")),
    (0, ("24 h %", "gaps")),
)
_WIDTHS = {"delay": 8, "1 h %": 8, "24 h %": 8, "gaps": 5, "holes": 8}
_STATE_WIDTH = 10


def _columns(width: int) -> tuple[str, ...]:
    return next(titles for least, titles in _COLUMNS if width >= least)


def feed_width(width: int) -> int:
    """What the table takes of a terminal's columns, with the space before it."""
    return 3 + _STATE_WIDTH + sum(_WIDTHS[title] for title in _columns(width))


def feed_table(model: WatchModel, width: int, now: float) -> Table:
    """A line for each symbol, in the order of the other tables. `holes` counts trades since we look."""
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("FEED", no_wrap=True, min_width=_STATE_WIDTH - 1)
    for title in _columns(width):
        table.add_column(title, justify="right", no_wrap=True, min_width=_WIDTHS[title] - 1)
    for name in sorted(model.symbols):
        state = model.symbols[name]
        cells = _cells(state)
        table.add_row(_state(model, state, now), *(cells[title] for title in _columns(width)))
    return table


def _state(model: WatchModel, state: SymbolState, now: float) -> Text:
    """What was told last; once nobody tells it any more, that."""
    report = state.report
    if report is None:
        return Text(UNKNOWN, style="dim")
    clock = model.venue_clock
    # A recording that has ended is told of no more, and its clock goes on.
    if clock is not None and not model.recording_ended and report.events_per_second is not None:
        age = clock.age_seconds(report.event_time_ms, now)
        if age > REPORTED_SECONDS and model.is_old(age, REPORTED_SECONDS / 6):
            return Text("no report", style="red")
    return Text(report.state, style=state_style(report.state))


def _cells(state: SymbolState) -> dict[str, Text]:
    report = state.report
    unknown = Text(UNKNOWN, style="dim")
    holes = Text(compact(state.missing), style="yellow" if state.missing else "dim")
    if report is None:
        return dict.fromkeys(_WIDTHS, unknown) | {"holes": holes}
    return {
        "delay": Text(delay(report.delay_ms)),
        "1 h %": parts_per_million(report.completeness_1h_ppm, _PERCENT_DECIMALS),
        "24 h %": parts_per_million(report.completeness_24h_ppm, _PERCENT_DECIMALS),
        "gaps": Text(str(report.gaps_open), style="yellow" if report.gaps_open else "dim"),
        "holes": holes,
    }
