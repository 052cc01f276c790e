"""Archive files in every form become the same rows, and what is broken is named with its line."""

import re
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from libs.kit.errors import ConfigurationError
from libs.store.archives import (
    Archive,
    BrokenFile,
    after_line,
    check_digest,
    digest_of,
    find_archives,
    line_blocks,
    opened,
    period_of,
    recognise,
)
from libs.store.bar_lines import funding_parser, kline_parser
from libs.store.trade_lines import Continuity, ParsedBlock, TradeParser
from tests.services.console.archive_files import HEADER, START_MS, trade_line, trade_lines, write_file

BLOCK = 4000


def _parse(path: Path, *, keep_going: bool = False) -> list[ParsedBlock]:
    with opened(path) as stream:
        return list(TradeParser(path, "BTCUSDT", keep_going).parse_all(line_blocks(stream.file, BLOCK)))


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "zip"])
@pytest.mark.parametrize("header", [(), (HEADER,)])
def test_every_form_gives_the_same_columns(tmp_path: Path, ending: str, header: tuple[str, ...]) -> None:
    path = write_file(tmp_path / f"BTCUSDT-aggTrades-2024-08-08.{ending}", [*header, *trade_lines(7, 1000)])
    blocks = _parse(path)
    assert len(blocks) > 3
    ids = np.concatenate([block.trades.agg_id for block in blocks])
    assert ids.tolist() == list(range(7, 1007))
    lines = np.concatenate([block.lines for block in blocks])
    assert lines.tolist() == list(range(1 + len(header), 1001 + len(header)))
    first = blocks[0].trades
    assert (first.price_decimals, first.quantity_decimals) == (1, 3)
    assert (first.price[0], first.quantity[0], first.trade_time[0], first.buyer_is_maker[0]) == (600007, 8, START_MS, 1)


def test_columns_may_stand_in_another_order(tmp_path: Path) -> None:
    header = "price,agg_trade_id,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
    path = write_file(tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv", [header, "0.5,7,1.25,1,2,1723075199000,False"])
    trades = _parse(path)[0].trades
    assert (trades.agg_id[0], trades.price[0], trades.quantity[0], trades.buyer_is_maker[0]) == (7, 5, 125, 0)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("12,abc,0.1,1,2,1723075199001,true", "price is no number: 'abc'"),
        ("12,1.0,0.1,1,2,1723075199001", "6 columns instead of 7"),
        ("12,1.0,0.1,1,2,1723075199001,maybe", "buyer_is_maker is neither true nor false"),
        ("12,1.0,0.123456789,1,2,1723075199001,true", "quantity has more than 8 decimals"),
        ("12,0,0.1,1,2,1723075199001,true", "price is not above 0"),
        ("12,NaN,0.1,1,2,1723075199001,true", "price"),
        ("12,9999999,999999999,1,2,1723075199001,true", "nobody trades"),
        ("12,1.0,0.1,1,2,1723075199001000,true", "not milliseconds before 2100"),
        ("-12,1.0,0.1,1,2,1723075199001,true", "agg_id is no whole number"),
        ("12,1.0,0.1,,2,1723075199001,true", "first_trade_id is no whole number: ''"),
    ],
)
def test_a_broken_line_is_named_and_may_be_left_out(tmp_path: Path, line: str, why: str) -> None:
    name = tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv"
    path = write_file(name, [*trade_lines(0, 500), line, *trade_lines(501, 500)])
    with pytest.raises(BrokenFile, match=re.escape(f"{path}:501")) as raised:
        _parse(path)
    assert why in str(raised.value)
    blocks = _parse(path, keep_going=True)
    refused = list(chain.from_iterable(block.refused for block in blocks))
    assert [number for number, _ in refused] == [501]
    assert sum(len(block.trades) for block in blocks) == 1000


def test_a_cut_zip_a_wrong_checksum_and_a_foreign_header_are_refused(tmp_path: Path) -> None:
    path = write_file(tmp_path / "BTCUSDT-aggTrades-2024-08.zip", trade_lines(0, 3000), checksum=True)
    assert check_digest(path, digest_of(path))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BrokenFile, match="its checksum file says"):
        check_digest(path, digest_of(path))
    with pytest.raises(BrokenFile, match="cannot be read"):
        _parse(path)
    other = write_file(tmp_path / "BTCUSDT-aggTrades-2024-09.csv", ["id,price", "1,2"])
    with pytest.raises(BrokenFile, match="header is not that of aggregate trades"):
        _parse(other)


@pytest.mark.parametrize("done", [0, 1, 5, 77, 299, 300])
def test_going_on_after_any_line_gives_the_rest(tmp_path: Path, done: int) -> None:
    path = write_file(tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv", trade_lines(0, 300))
    with opened(path) as stream:
        blocks = list(after_line(line_blocks(stream.file, 1000), done))
    text = b"".join(block.content for block in blocks).decode().splitlines()
    assert text == trade_lines(done, 300 - done)
    assert not blocks or blocks[0].first_line == done + 1


def test_continuity_names_holes_repeats_and_steps_back(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv"
    [block] = _parse(write_file(path, [*trade_lines(0, 10), *trade_lines(15, 10)]))
    with pytest.raises(BrokenFile, match=f"{path}:11") as raised:
        Continuity().holes(path, block)
    assert "the ids 10 to 14 are missing" in str(raised.value)
    [hole] = Continuity(allow_gaps=True).holes(path, block)
    assert (hole.first_missing_id, hole.last_missing_id, hole.from_ms, hole.to_ms) == (10, 14, START_MS, START_MS + 1)
    [block] = _parse(write_file(path, [*trade_lines(0, 10), *trade_lines(9, 10)]))
    with pytest.raises(BrokenFile, match="id 9 comes after id 9"):
        Continuity(allow_gaps=True).holes(path, block)
    [block] = _parse(write_file(path, [trade_line(40), trade_line(41).replace(str(START_MS + 4), str(START_MS + 1))]))
    with pytest.raises(BrokenFile, match="3 ms backwards"):
        Continuity().holes(path, block)
    following = Continuity(allow_gaps=True)
    assert following.holes(path, block) == []
    assert following.backwards == 1


def test_continuity_goes_from_file_to_file(tmp_path: Path) -> None:
    first, second = (tmp_path / f"BTCUSDT-aggTrades-2024-08-0{day}.csv" for day in (8, 9))
    following = Continuity()
    following.holes(first, _parse(write_file(first, trade_lines(0, 10)))[0])
    [block] = _parse(write_file(second, trade_lines(12, 10)))
    with pytest.raises(BrokenFile, match="the ids 10 to 11 are missing"):
        following.holes(second, block)
    assert following.holes(second, _parse(write_file(second, trade_lines(5, 10)))[0]) == []


@pytest.mark.parametrize(
    ("name", "kind", "symbol", "interval"),
    [
        ("BTCUSDT-aggTrades-2024-08-08.zip", "trades", "BTCUSDT", ""),
        ("BTCUSDT_240927-aggTrades-2024-08.csv", "trades", "BTCUSDT_240927", ""),
        ("ETHUSDT-1m-2024-08.zip", "klines", "ETHUSDT", "1m"),
        ("ETHUSDT-fundingRate-2024-08.csv.gz", "funding", "ETHUSDT", ""),
        ("um_adausdt_1m_20221213.csv.gz", "klines", "ADAUSDT", "1m"),
        ("um_btcusdt_aggtrades_derived_20240808.csv.gz", "trades", "BTCUSDT", ""),
    ],
)
def test_names_say_what_a_file_is(name: str, kind: str, symbol: str, interval: str) -> None:
    archive = recognise(Path(name))
    assert isinstance(archive, Archive)
    assert (archive.kind, archive.symbol, archive.interval) == (kind, symbol, interval)


def test_files_named_that_say_too_little_are_refused_together(tmp_path: Path) -> None:
    names = ("trades.csv", "BTCUSDT.csv", "notes.txt", "coinbase_ws_20210417T1643.raw.gz", "aggTrades-2024-08.csv")
    for name in (*names, "BTCUSDT-aggTrades-2024-08.csv"):
        (tmp_path / name).write_text("1")
    with pytest.raises(ConfigurationError) as raised:
        find_archives([*(tmp_path / name for name in names), tmp_path / "gone.zip", *tmp_path.glob("BTCUSDT-*.csv")])
    said = str(raised.value)
    assert "coinbase_ws_20210417T1643.raw.gz: its name says neither aggTrades nor fundingRate nor an interval" in said
    assert "aggTrades-2024-08.csv: its name has no symbol (--symbol names one)" in said
    assert "gone.zip: it does not exist" in said
    assert "SYMBOL-fundingRate-2024-08.zip" in said, "which kinds are read"
    assert all(name in said for name in names)
    assert "BTCUSDT-aggTrades" not in said


def test_a_folder_may_hold_other_files_too(tmp_path: Path) -> None:
    for name in (
        "coinbase_ws.raw.gz",
        "README.md",
        "below/BTCUSDT-1m-2024-08.csv",
        "below/BTCUSDT-1m-2024-08.csv.CHECKSUM",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    archives, skipped = find_archives([tmp_path])
    assert [archive.path.name for archive in archives] == ["BTCUSDT-1m-2024-08.csv"]
    assert [file.name for file in skipped] == ["README.md", "coinbase_ws.raw.gz"]
    archives[0].path.unlink()
    with pytest.raises(ConfigurationError, match="no archive file among 2 files"):
        find_archives([tmp_path])


def test_files_come_in_the_order_of_their_time_and_a_month_before_its_days(tmp_path: Path) -> None:
    periods = ["rest", "2023-12-31", "2024-08", "2024-08-01", "2024-08-10", "2024-09-01", "2024-09-02"]
    for period in sorted(periods, key=lambda text: text[::-1]):
        write_file(tmp_path / f"BTCUSDT-aggTrades-{period}.csv", ["1"])
    found = find_archives([tmp_path]).archives
    assert [archive.path.stem.removeprefix("BTCUSDT-aggTrades-") for archive in found] == periods


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("BTCUSDT-aggTrades-2024-08-08.zip", ("2024-08-08", "2024-08-09")),
        ("BTCUSDT-1m-2024-02.csv.gz", ("2024-02-01", "2024-03-01")),
        ("BTCUSDT_240628-aggTrades-2024-12.csv", ("2024-12-01", "2025-01-01")),
        ("BTCUSDT-aggTrades-2024-13.csv", None),
        ("BTCUSDT-aggTrades-9999-12.csv", None),
        ("BTCUSDT-aggTrades-20240-08.csv", None),
        ("BTCUSDT-aggTrades.csv", None),
    ],
)
def test_a_name_says_its_days(name: str, days: tuple[str, str] | None) -> None:
    period = period_of(Path(name))
    assert (None if period is None else tuple(str(day) for day in period)) == days


def test_klines_and_funding_are_read_with_and_without_header(tmp_path: Path) -> None:
    bar = "1723075200000,1.0,2.0,0.5,1.5,10,1723075259999,15,3,4,6,0"
    path = write_file(tmp_path / "ADAUSDT-1m-2024-08.csv", [bar, bar.replace("1723075200000", "1723075320000")])
    parser = kline_parser(path, "1m", keep_going=True)
    with opened(path) as stream:
        blocks = list(line_blocks(stream.file))
        parser.read_header(blocks[0])
        [parsed] = parser.parse_all(blocks)
    assert (len(parsed.rows), parsed.missing, str(parsed.rows[0].taker_buy_volume)) == (2, 1, "4")
    with pytest.raises(BrokenFile, match=f"a bar is missing before it.*{path}:2"):
        list(kline_parser(path, "1m", keep_going=False).parse_all(blocks))
    path = write_file(
        tmp_path / "ADAUSDT-fundingRate-2024-08.csv", ["calc_time,last_funding_rate", "1723075200000,-0.0001"]
    )
    rates = funding_parser(path, keep_going=False)
    with opened(path) as stream:
        blocks = list(line_blocks(stream.file))
        rates.read_header(blocks[0])
        [funding] = rates.parse_all(blocks)
    assert [(row.funding_time_ms, str(row.funding_rate), row.interval_hours) for row in funding.rows] == [
        (1723075200000, "-0.0001", None)
    ]
