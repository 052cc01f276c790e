"""`perpstream feeds`: how each feed of each symbol was last reported, and whether somebody still reports."""

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from services.console.database import with_engine
from services.console.health import duration
from services.console.output import EXIT_FAILED, AsJson, StateDir, console, print_json, running
from services.console.watch.words import UNKNOWN, number, parts_per_million, state_style

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from libs.store.feed_questions import FeedNow

# Six reports of those that come every ten seconds.
SILENT_MS = 60_000
_WIDE = 104


@dataclass(frozen=True, slots=True)
class Row:
    """A feed's last report, judged at an instant of the venue's time (ms)."""

    report: "FeedNow"
    now_ms: int

    @property
    def reported(self) -> bool:
        """Whether a report is due no longer than usual. A feed without a rate tells its changes only."""
        return self.report.events_per_second is None or self.now_ms - self.report.reported_ms <= SILENT_MS

    @property
    def live(self) -> bool:
        """It delivers, and says so still."""
        return self.report.live and self.reported

    @property
    def last_event_age_ms(self) -> int | None:
        """How old the newest event is; None before the first."""
        last = self.report.last_event_ms
        return None if last is None else max(0, self.now_ms - last)


def feeds(
    feed: Annotated[str | None, typer.Option(help="Only this one: trades, liquidations, mark_price …")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only this one, like BTCUSDT")] = None,
    state_dir: StateDir = None,
    as_json: AsJson = False,
) -> None:
    """Show each feed's state, rate, delay, gaps and completeness as last reported.

    Exit code 0 when all of them are live, 1 when one is not, nobody reports it any more, or none is known.
    """
    from libs.store.engine import read_session
    from libs.store.feed_questions import feeds_now

    async def work(engine: "AsyncEngine") -> "list[FeedNow]":
        async with read_session(engine) as session:
            return await feeds_now(session, feed, symbol.upper() if symbol else None)

    reports = with_engine(state_dir, work)
    # The clock of a simulated venue is its own: there, what was reported last is now.
    run = running(state_dir)
    wall_ms = time.time_ns() // 1_000_000 if run is not None and run.simulator_url is None else 0
    now_ms = max((report.reported_ms for report in reports), default=0)
    rows = [Row(report, max(now_ms, wall_ms)) for report in reports]
    if as_json:
        print_json([_facts(row) for row in rows])
    else:
        screen = console()
        screen.print(_table(rows, screen.width) if rows else "no feed has reported yet")
    if not rows or not all(row.live for row in rows):
        raise typer.Exit(EXIT_FAILED)


def _facts(row: Row) -> dict[str, object]:
    return {
        **asdict(row.report),
        "last_event_age_ms": row.last_event_age_ms,
        "reported": row.reported,
        "live": row.live,
    }


def _table(rows: list[Row], width: int) -> Table:
    """A line for each symbol beneath a line for its feed. In a narrow terminal rates give way to what is missing."""
    wide = width >= _WIDE
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="dim")
    table.add_column("FEED", no_wrap=True)
    table.add_column("state", no_wrap=True)
    figures = ("events/s", "delay ms", "clock ms", "gaps", "filled") if wide else ("delay ms", "gaps")
    for title in ("since", "last event", *figures, "1 h %", "24 h %"):
        table.add_column(title, justify="right", no_wrap=True)
    named = ""
    for row in rows:
        if row.report.feed != named:
            named = row.report.feed
            table.add_row(Text(named, style="bold"))
        table.add_row(*_cells(row, wide))
    return table


def _cells(row: Row, wide: bool) -> list[Text | str]:
    report = row.report
    delay, gaps = number(report.delay_ms, 1), Text(str(report.gaps_open), style="yellow" if report.gaps_open else "dim")
    figures: list[Text | str] = [delay, gaps]
    if wide:
        clock = number(report.clock_offset_ms, 0, signed=True)
        figures = [number(report.events_per_second, 1), delay, clock, gaps, str(report.gaps_filled)]
    since_ms, state = report.since_ms, Text(report.state, style=state_style(report.state))
    if not row.reported:
        since_ms, state = report.reported_ms, Text("no report", style="red")
    return [
        f"  {report.symbol}",
        state,
        _age(None if since_ms is None else row.now_ms - since_ms),
        _age(row.last_event_age_ms),
        *figures,
        parts_per_million(report.completeness_1h_ppm),
        parts_per_million(report.completeness_24h_ppm),
    ]


def _age(age_ms: int | None) -> str:
    return UNKNOWN if age_ms is None else duration(max(0, age_ms) / 1000)
