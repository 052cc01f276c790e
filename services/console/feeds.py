"""`perpstream feeds`: how each feed of each symbol was last reported, and whether somebody still reports."""

import asyncio
import time
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from libs.exchanges.feed_status import NO_LONGER_FOLLOWED
from libs.kit.clock import BELIEVABLE_AHEAD_MS
from libs.kit.errors import ConfigurationError
from libs.kit.settings import VenueSettings, load_settings
from services.console.database import with_engine
from services.console.output import EXIT_FAILED, AsJson, StateDir, console, print_json, running
from services.console.watch.words import UNKNOWN, compact, delay, duration, number, parts_per_million, state_style

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from infra.local.runfile import RunFile
    from libs.store.feed_questions import FeedNow

# Six reports of those that come every ten seconds.
SILENT_MS = 60_000
_WIDE = 112


@dataclass(frozen=True, slots=True)
class Row:
    """A feed's last report, judged at an instant of the venue's time (ms)."""

    report: "FeedNow"
    now_ms: int

    @property
    def removed(self) -> bool:
        """Whether somebody has removed the symbol: then nothing of it is amiss."""
        return self.report.detail == NO_LONGER_FOLLOWED

    @property
    def reported(self) -> bool:
        """Whether a report is due no longer than usual. A feed without a rate tells its changes only. What says to come from
        later than now is no report."""
        age_ms = self.now_ms - self.report.reported_ms
        return age_ms >= -BELIEVABLE_AHEAD_MS and (self.report.events_per_second is None or age_ms <= SILENT_MS)

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
    """Show each feed's state, delay, gaps, lost trades and completeness as last reported; with 112 columns also rates, clocks and
    what was filled.

    Exit code 0 when all of them are live, 1 when one is not, nobody reports it any more, or none is known. Those of symbols
    that somebody has removed do not count.
    """
    from libs.store.engine import read_session
    from libs.store.feed_questions import feeds_now, known_feeds

    async def work(engine: "AsyncEngine") -> "tuple[list[FeedNow], list[str]]":
        async with read_session(engine) as session:
            found = await feeds_now(session, feed, symbol.upper() if symbol else None)
            return found, await known_feeds(session)

    reports, known = with_engine(state_dir, work)
    if feed is not None and known and feed not in known:
        raise ConfigurationError(f"no feed {feed} has reported", where="--feed", todo=f"take one of {', '.join(known)}")
    now_ms = _now_ms([report.reported_ms for report in reports], running(state_dir))
    rows = [Row(report, now_ms) for report in reports]
    if as_json:
        print_json([_facts(row) for row in rows])
    else:
        screen = console()
        screen.print(_picture(rows, screen.width) if rows else "no feed has reported yet")
    if not any(row.live for row in rows) or not all(row.live or row.removed for row in rows):
        raise typer.Exit(EXIT_FAILED)


def _now_ms(reported: list[int], run: "RunFile | None") -> int:
    """The venue's time. The clock of a simulated venue is its own, and goes on when a recording is over: there, what was reported
    last is now, unless it is later than that clock."""
    wall_ms = time.time_ns() // 1_000_000
    if run is not None and run.simulator_url is None:
        return wall_ms
    if run is not None:
        from services.console.venues import latest_simulated_ms

        latest_ms = asyncio.run(latest_simulated_ms(run))
    else:
        latest_ms = wall_ms + BELIEVABLE_AHEAD_MS if load_settings(VenueSettings).venue_speed == 1.0 else None
    believed = [each for each in reported if latest_ms is None or each <= latest_ms]
    return max(believed or reported, default=0)


def _facts(row: Row) -> dict[str, object]:
    return {
        **asdict(row.report),
        "last_event_age_ms": row.last_event_age_ms,
        "reported": row.reported,
        "removed": row.removed,
        "live": row.live,
    }


_WIDTHS = {
    "state": 9,
    "since": 7,
    "last event": 10,
    "events/s": 8,
    "delay": 8,
    "clock ms": 8,
    "gaps": 4,
    "filled": 6,
    "lost": 6,
    "1 h %": 8,
    "24 h %": 8,
}
_NARROW = ("state", "since", "last event", "delay", "gaps", "lost", "24 h %")


def _picture(rows: list[Row], width: int) -> Group:
    """The lines of each feed beneath its name, in the same columns. In a narrow terminal rates give way to what is missing."""
    titles = tuple(_WIDTHS) if width >= _WIDE else _NARROW
    named = max(6, *(len(row.report.symbol) for row in rows)) + 2
    parts: list[Table | Text] = [_table(named, titles, Text("FEED"))]
    for feed, found in groupby(rows, key=lambda row: row.report.feed):
        table = _table(named, titles, None)
        for row in found:
            cells = _cells(row)
            table.add_row(f"  {row.report.symbol}", *(cells[title] for title in titles))
        parts += [Text(feed, style="bold"), table]
    return Group(*parts)


def _table(named: int, titles: tuple[str, ...], heading: Text | None) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="dim")
    table.show_header = heading is not None
    table.add_column(heading or "", width=named, no_wrap=True)
    for title in titles:
        table.add_column(title, width=_WIDTHS[title], justify="left" if title == "state" else "right", no_wrap=True)
    return table


def _cells(row: Row) -> dict[str, Text | str]:
    report = row.report
    since_ms, state = report.since_ms, Text(report.state, style=state_style(report.state))
    if row.removed:
        state = Text("removed", style="dim")
    elif not row.reported:
        since_ms, state = report.reported_ms, Text("no report", style="red")
    return {
        "state": state,
        "since": _age(None if since_ms is None else row.now_ms - since_ms),
        "last event": _age(row.last_event_age_ms),
        "events/s": compact(report.events_per_second),
        "delay": delay(report.delay_ms),
        "clock ms": number(report.clock_offset_ms, 0, signed=True),
        "gaps": Text(str(report.gaps_open), style="yellow" if report.gaps_open else "dim"),
        "filled": str(report.gaps_filled),
        "lost": Text(compact(report.lost_24h), style="red" if report.lost_24h else "dim"),
        "1 h %": parts_per_million(report.completeness_1h_ppm),
        "24 h %": parts_per_million(report.completeness_24h_ppm),
    }


def _age(age_ms: int | None) -> str:
    return UNKNOWN if age_ms is None else duration(max(0, age_ms) / 1000)
