"""Klines and settled funding rates from lines of csv: a month is a few thousand rows, so exactness counts and speed does not."""

import datetime as dt
import io
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Generic, TypeVar

from libs.contracts.plausible import LATEST_MS
from libs.kit.durations import DAY_MS
from libs.store.archives import MOST_BLANK_LINES, BrokenFile, LineBlock, not_yet, too_blank
from libs.store.imports import Bar, FundingRate

_MONDAY_MS = 4 * DAY_MS  # the epoch was a Thursday
# Decimal and int would take underscores and digits of other scripts besides, and what no column holds.
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)
_MOST_DIGITS, _MOST_DECIMALS = 20, 40
_MOST_HOURS = 24 * 366
_SHOWN = 40
_LONGEST_NUMBER = 80
_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": DAY_MS, "w": 7 * DAY_MS}
_KLINE_COLUMNS = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time"),
    *("quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
_FUNDING_COLUMNS = ("calc_time", "funding_interval_hours", "last_funding_rate")
_OTHER_NAMES = {"open_time_ms": "open_time", "quote_asset_volume": "quote_volume", "number_of_trades": "count"}
R = TypeVar("R", Bar, FundingRate)


class _Faulty(Exception):
    """Why a line is not what it should be."""


@dataclass(frozen=True, slots=True)
class ParsedRows(Generic[R]):
    """The rows of a block with their lines; `missing` bars between them, `refused` lines that were left out."""

    rows: tuple[R, ...]
    last_line: int
    missing: int
    refused: tuple[tuple[int, str], ...]


def step_of(interval: str) -> int | None:
    """Milliseconds between bars of an interval; None for months, which differ."""
    return None if interval.endswith("mo") else int(interval[:-1]) * _UNIT_MS[interval[-1]]


def on_grid(time_ms: int, interval: str) -> bool:
    """Whether bars of the interval may begin at this time: weeks on Mondays, months on the first, days at midnight (on which
    day those of three begin is not known), the others at multiples since the epoch."""
    step = step_of(interval)
    if step is None:
        return time_ms % DAY_MS == 0 and dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).day == 1
    if interval.endswith("w"):
        return (time_ms - _MONDAY_MS) % step == 0
    return time_ms % min(step, DAY_MS) == 0


@dataclass(slots=True)
class RowParser(Generic[R]):
    """Rows of one file in time order. `keep_going`: leave unreadable lines out and count missing bars, instead of refusing.
    A row at `newest_ms` or later is refused in any case."""

    path: Path
    columns: tuple[str, ...]
    make: Callable[[Mapping[str, str]], R]
    time_of: Callable[[R], int]
    interval: str = ""
    keep_going: bool = False
    last_time: int = -1
    _blank: int = 0
    newest_ms: int = LATEST_MS

    def parse_all(self, blocks: Iterable[LineBlock]) -> Generator[ParsedRows[R], None, None]:
        """The blocks in order. Raises `BrokenFile`."""
        for block in blocks:
            yield self._parse(block)

    def read_header(self, block: LineBlock) -> None:
        """Learn the order of the columns from the file's first block."""
        line = block.content.partition(b"\n")[0].removeprefix(b"\xef\xbb\xbf").strip().decode(errors="replace")
        if line[:1].isdigit():
            self.columns = self.columns[: line.count(",") + 1]
            return
        given = [name.strip().strip('"').lower() for name in line.split(",")]
        names = tuple(_OTHER_NAMES.get(name, name) for name in given)
        if names[0] != self.columns[0]:
            what = f"the header is not the expected one: {', '.join(given)[:120]}"
            raise BrokenFile(what, where=f"{self.path}:1", todo=f"the columns are {', '.join(self.columns)}")
        self.columns = names

    def _parse(self, block: LineBlock) -> ParsedRows[R]:
        rows: list[R] = []
        refused: list[tuple[int, str]] = []
        missing, number = 0, block.first_line
        for number, line in enumerate(io.BytesIO(block.content), block.first_line):
            text = line.strip().removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
            if not text:
                self._saw_blank(number)
                continue
            if number == 1 and not text[:1].isdigit():
                continue
            try:
                row = self._row(text.split(","))
                missing += self._follow(self.time_of(row))
            except _Faulty as fault:
                if not self.keep_going:
                    todo = "fetch the file again, or use --allow-gaps"
                    raise BrokenFile(str(fault), where=f"{self.path}:{number}", todo=todo) from None
                refused.append((number, str(fault)))
            else:
                if self.last_time >= self.newest_ms:
                    raise not_yet(self.last_time, f"{self.path}:{number}")
                rows.append(row)
        return ParsedRows(tuple(rows), number, missing, tuple(refused))

    def _saw_blank(self, number: int) -> None:
        self._blank += 1
        if self._blank > MOST_BLANK_LINES:
            raise too_blank(f"{self.path}:{number}")

    def _row(self, cells: Sequence[str]) -> R:
        if len(cells) != len(self.columns):
            raise _Faulty(f"{len(cells)} columns instead of {len(self.columns)}")
        try:
            row = self.make(dict(zip(self.columns, (cell.strip().strip('"') for cell in cells), strict=True)))
        except (InvalidOperation, ValueError, KeyError) as error:
            raise _Faulty(f"a value cannot be taken: {error}") from None
        if not 0 <= self.time_of(row) < LATEST_MS:
            raise _Faulty(f"the time is not milliseconds before 2100: {self.time_of(row)}")
        return row

    def _follow(self, time: int) -> int:
        before, step = self.last_time, step_of(self.interval) if self.interval else None
        if self.interval and not on_grid(time, self.interval):
            raise _Faulty(f"no bar of {self.interval} begins at {time}")
        if time <= before:
            raise _Faulty(f"time {time} comes after {before}")
        passed, uneven = (1, 0) if step is None or before < 0 else divmod(time - before, step)
        if uneven:
            raise _Faulty(f"no bar of {self.interval} begins at {time}, when one begins at {before}")
        missing = passed - 1
        if missing and not self.keep_going:
            raise _Faulty(f"{'a bar is' if missing == 1 else f'{missing} bars are'} missing before it")
        self.last_time = time
        return missing


def kline_parser(path: Path, interval: str, *, keep_going: bool) -> RowParser[Bar]:
    """For a file of bars of one interval."""
    return RowParser(path, _KLINE_COLUMNS, _bar, lambda bar: bar.open_time_ms, interval, keep_going)


def funding_parser(path: Path, *, keep_going: bool) -> RowParser[FundingRate]:
    """For a file of settled rates; their distance may change, so none can be called missing."""
    return RowParser(path, _FUNDING_COLUMNS, _rate, lambda rate: rate.funding_time_ms, "", keep_going)


def _number(row: Mapping[str, str], name: str) -> Decimal:
    if _DECIMAL.fullmatch(row[name][:_LONGEST_NUMBER]):
        value = Decimal(row[name][:_LONGEST_NUMBER])
        exponent = value.as_tuple().exponent
        if len(row[name]) <= _LONGEST_NUMBER and value.adjusted() < _MOST_DIGITS and int(exponent) >= -_MOST_DECIMALS:
            return value
    what = f"{name} is no number of at most {_MOST_DIGITS} digits and {_MOST_DECIMALS} decimals"
    raise ValueError(f"{what}: {row[name][:_SHOWN]!r}")


def _whole(row: Mapping[str, str], name: str) -> int:
    if not _WHOLE.fullmatch(row[name]):
        raise ValueError(f"{name} is no whole number of at most 18 digits: {row[name][:_SHOWN]!r}")
    return int(row[name])


def _volume(row: Mapping[str, str], name: str) -> Decimal:
    if (value := _number(row, name)) < 0:
        raise ValueError(f"{name} is negative: {value}")
    return value


def _optional_volume(row: Mapping[str, str], name: str) -> Decimal | None:
    return _volume(row, name) if row.get(name) else None


def _bar(row: Mapping[str, str]) -> Bar:
    first, high, low, last = (_number(row, name) for name in ("open", "high", "low", "close"))
    if not 0 < low <= min(first, last) <= max(first, last) <= high:
        raise ValueError("high and low do not enclose open and close")
    return Bar(
        _whole(row, "open_time"),
        first,
        high,
        low,
        last,
        _volume(row, "volume"),
        _optional_volume(row, "quote_volume"),
        _whole(row, "count") if row.get("count") else None,
        _optional_volume(row, "taker_buy_volume"),
        _optional_volume(row, "taker_buy_quote_volume"),
    )


def _rate(row: Mapping[str, str]) -> FundingRate:
    hours = _whole(row, "funding_interval_hours") if row.get("funding_interval_hours") else None
    if hours is not None and not 0 < hours <= _MOST_HOURS:
        raise ValueError(f"funding_interval_hours is not between 1 and {_MOST_HOURS}: {hours}")
    return FundingRate(_whole(row, "calc_time"), _number(row, "last_funding_rate"), hours)
