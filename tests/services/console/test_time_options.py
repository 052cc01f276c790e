"""`--from` and `--to` mean the same in every command: UTC, and the end is not included."""

import datetime as dt

import pytest
import typer
from typer.main import get_command

from services.console.app import app
from services.console.time_options import refuse_empty, utc

NOON = dt.datetime(2024, 8, 8, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-08-08T12:00",
        "2024-08-08 12:00:00",
        "2024-08-08T12:00:00Z",
        "2024-08-08T14:00:00+02:00",
        "2024-08-08T07:00-05:00",
    ],
)
def test_an_instant_is_utc_however_it_is_written(text: str) -> None:
    written = utc(text)
    assert (written, written.utcoffset()) == (NOON, dt.timedelta(0))


def test_a_date_alone_is_its_midnight() -> None:
    assert utc("2024-08-08") == utc("2024-08-08Z") == NOON.replace(hour=0)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2024-13-01", "1723075200000", "0001-01-01T00:00+02:00", "08.08.2024"]
)
def test_what_is_no_time_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="write a UTC time like 2024-08-08,"):
        utc(text)


def test_a_span_of_nothing_is_refused() -> None:
    refuse_empty(NOON, NOON + dt.timedelta(milliseconds=1))
    with pytest.raises(typer.BadParameter, match="not included"):
        refuse_empty(NOON, NOON)


@pytest.mark.parametrize("name", ["verify", "export", "replay"])
def test_every_command_says_the_same_of_its_end(name: str) -> None:
    command = get_command(app).commands["data"].commands[name]  # type: ignore[attr-defined]
    [stop] = [option for option in command.params if "--to" in option.opts]
    assert "UTC, not included; a date alone is its 00:00" in stop.help
