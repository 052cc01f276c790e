"""Bars and funding rates: what no exchange has said is refused with its line, or left out with it when that is asked."""

from pathlib import Path
from typing import Any

import pytest

from libs.store.archives import MOST_BLANK_LINES, BrokenFile, LineBlock, line_blocks, opened
from libs.store.bar_lines import ParsedRows, RowParser, funding_parser, kline_parser, on_grid
from tests.services.console.archive_files import write_file

OPEN_MS = 1_723_075_200_000  # 2024-08-08T00:00:00Z, a Thursday
DAY_MS = 86_400_000
NAMES = (
    *("open_time", "open", "high", "low", "close", "volume", "close_time"),
    *("quote_volume", "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore"),
)
GOOD = dict(zip(NAMES, ["0", "1.0", "2.0", "0.5", "1.5", "10", "0", "15", "3", "4", "6", "0"], strict=True))


def _bar(number: int, **changed: str) -> str:
    return ",".join((GOOD | {"open_time": str(OPEN_MS + number * 60_000)} | changed).values())


def _read(parser: RowParser[Any], lines: list[str], folder: Path) -> ParsedRows[Any]:
    with opened(write_file(folder / "ADAUSDT-1m-2024-08.csv", lines)) as stream:
        blocks = list(line_blocks(stream.file))
    parser.read_header(blocks[0])
    [parsed] = parser.parse_all(blocks)
    return parsed


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"open_time": str(OPEN_MS + 90_000)}, f"no bar of 1m begins at {OPEN_MS + 90_000}"),
        ({"open_time": str(OPEN_MS)}, f"time {OPEN_MS} comes after {OPEN_MS}"),
        ({"open_time": "1_723_075_260_000"}, "open_time is no whole number"),
        ({"high": "1.4"}, "high and low do not enclose open and close"),
        ({"low": "1.1"}, "high and low do not enclose open and close"),
        ({"low": "0"}, "high and low do not enclose open and close"),
        ({"low": "1e-400"}, "low is no number"),
        ({"high": "1e400"}, "high is no number"),
        ({"high": "1e99"}, "high is no number of at most 20 digits and 40 decimals: '1e99'"),
        ({"close": "1." + "5" * 20_000}, "close is no number of at most 20 digits and 40 decimals: '1.5555"),
        ({"open": "1_0.0"}, "open is no number"),
        ({"open": "\u0661"}, "open is no number"),
        ({"open": "NaN"}, "open is no number"),
        ({"volume": "-1"}, "volume is negative: -1"),
        ({"volume": "1e300000"}, "volume is no number"),
        ({"quote_volume": "-0.1"}, "quote_volume is negative"),
        ({"taker_buy_volume": "-4"}, "taker_buy_volume is negative"),
        ({"count": "-3"}, "count is no whole number"),
        ({"count": "9" * 30}, "count is no whole number of at most 18 digits"),
    ],
    ids=str,
)
def test_a_bar_that_is_none(changed: dict[str, str], why: str, tmp_path: Path) -> None:
    lines = [_bar(0), _bar(1, **changed), _bar(1)]
    path = tmp_path / "ADAUSDT-1m-2024-08.csv"
    with pytest.raises(BrokenFile) as raised:
        _read(kline_parser(path, "1m", keep_going=False), lines, tmp_path)
    assert (why in str(raised.value), f"{path}:2" in str(raised.value)) == (True, True), raised.value
    parsed = _read(kline_parser(path, "1m", keep_going=True), lines, tmp_path)
    assert [row.open_time_ms for row in parsed.rows] == [OPEN_MS, OPEN_MS + 60_000]
    assert parsed.missing == 0
    assert [(number, why in said) for number, said in parsed.refused] == [(2, True)]


def test_numbers_as_tables_write_them_are_read(tmp_path: Path) -> None:
    line = _bar(0, low="1e-05", volume="1.2345678901234567e-05", quote_volume="", count="")
    [bar] = _read(kline_parser(tmp_path / "a.csv", "1m", keep_going=False), [line], tmp_path).rows
    assert (str(bar.low), str(bar.volume), bar.quote_volume, bar.trade_count) == (
        *("0.00001", "0.000012345678901234567"),
        *(None, None),
    )


@pytest.mark.parametrize("hours", ["0", "99999999999999", "8784000", "-8", "8.0"])
def test_a_funding_interval_that_is_none(hours: str, tmp_path: Path) -> None:
    parser = funding_parser(tmp_path / "ADAUSDT-fundingRate-2024-08.csv", keep_going=True)
    parsed = _read(parser, [f"{OPEN_MS},{hours},0.0001", f"{OPEN_MS},8,-0.0001"], tmp_path)
    assert [row.interval_hours for row in parsed.rows] == [8]
    assert ["funding_interval_hours is no" in said for _, said in parsed.refused] == [True]


@pytest.mark.parametrize(
    ("interval", "begins", "does_not"),
    [
        ("1m", OPEN_MS + 60_000, OPEN_MS + 30_000),
        ("4h", OPEN_MS + 4 * 3_600_000, OPEN_MS + 3_600_000),
        ("1d", OPEN_MS, OPEN_MS + 3_600_000),
        ("3d", OPEN_MS, OPEN_MS + 3_600_000),
        ("1w", OPEN_MS + 4 * DAY_MS, OPEN_MS),
        ("1mo", OPEN_MS - 7 * DAY_MS, OPEN_MS),
    ],
)
def test_where_bars_begin(interval: str, begins: int, does_not: int) -> None:
    assert on_grid(begins, interval)
    assert not on_grid(does_not, interval)


def test_bars_of_three_days_follow_each_other(tmp_path: Path) -> None:
    lines = [_bar(0, open_time=str(OPEN_MS + day * DAY_MS)) for day in (0, 3, 7, 9)]
    parsed = _read(kline_parser(tmp_path / "a.csv", "3d", keep_going=True), lines, tmp_path)
    assert (len(parsed.rows), parsed.missing, [number for number, _ in parsed.refused]) == (3, 1, [3])


def test_a_file_of_blank_lines_is_given_up(tmp_path: Path) -> None:
    parser = kline_parser(tmp_path / "a.csv", "1m", keep_going=True)
    few = LineBlock(1, f"{_bar(0)}\n".encode() + b"\r\n" * MOST_BLANK_LINES)
    many = LineBlock(2 + MOST_BLANK_LINES, b"\n" * 4_000_000)
    parsed = parser.parse_all([few, many])
    assert len(next(parsed).rows) == 1
    with pytest.raises(BrokenFile, match=f"more than {MOST_BLANK_LINES} lines are blank .*:{MOST_BLANK_LINES + 2}"):
        next(parsed)
