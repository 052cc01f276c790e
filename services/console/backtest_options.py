"""What the commands of `perpstream backtest` have in common: their options, the parts of a request, and who carries it out."""

import datetime as dt
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from services.console.output import servers
from services.console.time_options import utc

Start = Annotated[dt.datetime, typer.Option("--from", parser=utc, metavar="TIME", help="UTC, like 2026-11-01")]
Stop = Annotated[dt.datetime, typer.Option("--to", parser=utc, metavar="TIME", help="UTC, not included")]
Symbols = Annotated[str, typer.Option(help="Separated by commas [default: all that are stored]")]
Strategies = Annotated[
    list[Path] | None,
    typer.Option("--strategy", help="A strategy file; may be repeated [default: all of strategies/]"),
]
Recorded = Annotated[
    bool, typer.Option("--recorded-strategies", help="Use the configurations that were in force, where they changed")
]
Parquet = Annotated[Path | None, typer.Option(help="Read what `data export` has written, not the database")]
Archive = Annotated[Path | None, typer.Option(help="Read files of the exchange's public archive, or a folder of them")]
Recordings = Annotated[
    list[Path] | None,
    typer.Option("--recording", help="Read a raw recording of the exchange's streams; repeat for several files"),
]
Timeline = Annotated[bool, typer.Option("--timeline", help="Read the topic market.timeline.v1, not the database")]
Repaired = Annotated[
    bool, typer.Option("--repaired", help="With what repairs have brought since; by default as the live engine saw it")
]
WarmUp = Annotated[float, typer.Option(help="Hours read before --from, whose signals do not count")]
AllowGaps = Annotated[bool, typer.Option("--allow-gaps", help="Run over missing trades and days all the same")]
Ideal = Annotated[bool, typer.Option("--ideal", help="Without any costs; the report is branded")]
NoFunding = Annotated[
    bool, typer.Option("--no-funding", help="Without funding payments, where their rates are not known")
]
Risk = Annotated[float, typer.Option(help="Risk per trade in quote units (1 R)")]
Balance = Annotated[float, typer.Option(help="Starting balance in quote units")]
MostPositions = Annotated[int, typer.Option(help="Most positions at a time")]
Filters = Annotated[Path | None, typer.Option(help="The exchange's answer to exchangeInfo [default: from the data]")]
Output = Annotated[Path, typer.Option(help="Folder of the report")]
STANDARD_INPUT = 0


@dataclass(frozen=True, slots=True)
class MarketRange:
    """Which market, from when to when, and how strictly; no file named: the database."""

    start: dt.datetime
    stop: dt.datetime
    symbols: str = ""
    parquet: Path | None = None
    archive: Path | None = None
    recordings: list[Path] | None = None
    timeline: bool = False
    repaired: bool = False
    warm_up_hours: float = 36
    allow_gaps: bool = False

    def request(self) -> dict[str, Any]:
        """The part of a request that says so. Raises `typer.BadParameter` for two sources."""
        return {
            **self._source(),
            "view": "repaired" if self.repaired or self._files() else "as-seen",
            "symbols": [name.strip().upper() for name in self.symbols.split(",") if name.strip()],
            "start": self.start.isoformat(),
            "end": self.stop.isoformat(),
            "warm_up_hours": self.warm_up_hours,
            "allow_gaps": self.allow_gaps,
        }

    def _files(self) -> list[str]:
        given = {"--parquet": self.parquet, "--archive": self.archive, "--recording": self.recordings}
        return [name for name, value in given.items() if value]

    def _source(self) -> dict[str, Any]:
        named = [*self._files(), *(["--timeline"] if self.timeline else [])]
        if len(named) > 1:
            raise typer.BadParameter(f"{' and '.join(named)} are two sources; name one")
        if self.recordings:
            return {"source": "recording", "recordings": self.recordings}
        if self.parquet is not None:
            return {"source": "parquet", "path": self.parquet}
        if self.archive is not None:
            return {"source": "archive", "path": self.archive}
        return {"source": "timeline" if self.timeline else "postgres"}


def account_of(*, ideal: bool, funding: bool, risk: float, balance: float, max_positions: int) -> dict[str, Any]:
    """The part of a request that says how the account trades."""
    return {
        "costs": _costs(ideal=ideal, funding=funding),
        "rules": {"risk_per_trade": str(risk), "starting_balance": str(balance), "max_positions": max_positions},
    }


def _costs(*, ideal: bool, funding: bool) -> dict[str, Any]:
    if not ideal:
        return {"funding": funding}
    return {
        **dict.fromkeys(("taker_fee", "maker_fee"), "0"),
        **dict.fromkeys(("slippage", "gaps", "funding", "filters"), False),
        "latency_ms": 0,
    }


def become_backtester(request: dict[str, Any], state_dir: Path | None) -> NoReturn:
    """Turn into the backtester, with the servers that this command would ask.

    The same process goes on as another program: a signal to the command reaches the run, its exit code is the command's,
    and nothing can be left behind.
    """
    variables = dict(os.environ)
    if request.get("source") in ("postgres", "timeline"):
        given = servers(state_dir)
        database = given.database
        variables["PERPSTREAM_KAFKA_BOOTSTRAP"] = given.kafka
        variables["PERPSTREAM_DATABASE_URL"] = database.database_url
        if database.database_password_file is not None:
            variables["PERPSTREAM_DATABASE_PASSWORD_FILE"] = str(database.database_password_file)
    with tempfile.TemporaryFile() as written:
        written.write(json.dumps(request, default=str).encode())
        written.seek(0)
        os.dup2(written.fileno(), STANDARD_INPUT)
        os.set_inheritable(STANDARD_INPUT, True)  # where it was closed, the file itself stands there
        command = [sys.executable, "-m", "services.backtester", "-"]
        os.execve(command[0], command, variables)  # noqa: S606 - our own module
