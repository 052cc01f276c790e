"""`--from` and `--to` of every command: UTC, the end not included, a date alone is its 00:00."""

import datetime as dt
from typing import Annotated

import typer

# Where the times of all events lie: the day before and after each is a date too, in whatever zone.
_YEARS = range(1970, 2101)
_FORM = "write a UTC time like 2024-08-08, 2024-08-08T12:00 or 2024-08-08T12:00:00Z"


def utc(text: str) -> dt.datetime:
    """The instant that a person wrote: UTC, unless an offset stands behind it."""
    try:
        # Python reads a Z behind a time, but not behind a date.
        written = dt.datetime.fromisoformat(text.strip().removesuffix("Z"))
        return written.replace(tzinfo=dt.UTC) if written.tzinfo is None else written.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time: {_FORM}") from None


def refuse_impossible(start: dt.datetime | None, stop: dt.datetime | None) -> None:
    """Raise for a time that no event can have."""
    for option, asked in (("--from", start), ("--to", stop)):
        if asked is not None and asked.year not in _YEARS:
            raise typer.BadParameter("it is no time between 1970 and 2100", param_hint=option)


def refuse_empty(start: dt.datetime, stop: dt.datetime) -> None:
    """Raise for a span that holds nothing."""
    refuse_impossible(start, stop)
    if start >= stop:
        raise typer.BadParameter("it is not before --to, which is not included", param_hint="--from")


Start = Annotated[
    dt.datetime, typer.Option("--from", parser=utc, metavar="TIME", help="UTC; a date alone is its 00:00")
]
Stop = Annotated[
    dt.datetime,
    typer.Option("--to", parser=utc, metavar="TIME", help="UTC, not included; a date alone is its 00:00"),
]
