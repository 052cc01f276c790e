"""Whatever a file holds, the answer names the file and the line, and with --allow-gaps only that line is left out."""

import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from libs.kit.errors import ConfigurationError
from libs.store.archives import (
    CHECKSUM,
    MOST_BLANK_LINES,
    BrokenFile,
    LineBlock,
    check_digest,
    digest_of,
    find_archives,
    line_blocks,
    opened,
)
from libs.store.trade_lines import FURTHEST_AHEAD, Continuity, ParsedBlock, TradeParser
from tests.services.console.archive_files import trade_line, trade_lines, write_file

NAME = "BTCUSDT-aggTrades-2024-08-08"


def _parse(path: Path, *, keep_going: bool = False) -> ParsedBlock:
    with opened(path) as stream:
        [parsed] = TradeParser(path, "BTCUSDT", keep_going).parse_all(line_blocks(stream.file))
    return parsed


def _fault(path: Path) -> str | None:
    try:
        with opened(path) as stream:
            list(TradeParser(path, "BTCUSDT", keep_going=True).parse_all(line_blocks(stream.file)))
    except BrokenFile as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("5,6_0000.1,0.001,10,11,1723075199000,true", "price is no number: '6_0000.1'"),
        ("5,\u0661.5,0.001,10,11,1723075199000,true", "price is no number"),
        ("5,1e300000,0.001,10,11,1723075199000,true", "price is no number"),
        ("5,1." + "5" * 20_000 + ",0.001,10,11,1723075199000,true", "price is no number"),
        ('5,"1.5,0.001,10,11,1723075199000,true', "a quotation mark has no other"),
        ('5,1.5,0.001,10,11,1723075199000,true"', "a quotation mark has no other"),
        ("5,1.5,0.001,10,\r11,1723075199000,true", "a carriage return stands within the line"),
    ],
    ids=range(7),
)
@pytest.mark.parametrize("other", [(), ("garbage",)], ids=["alone", "beside another"])
def test_what_one_reader_takes_and_another_refuses(line: str, why: str, other: tuple[str, ...], tmp_path: Path) -> None:
    path = write_file(tmp_path / f"{NAME}.csv", [*trade_lines(0, 5), line, *other, *trade_lines(6, 5)])
    with pytest.raises(BrokenFile) as raised:
        _parse(path)
    assert (why in str(raised.value), f"{path}:6)" in str(raised.value)) == (True, True), str(raised.value)[:300]
    parsed = _parse(path, keep_going=True)
    assert parsed.trades.agg_id.tolist() == [*range(5), *range(6, 11)]
    assert parsed.lines.tolist() == [*range(1, 6), *range(7 + len(other), 12 + len(other))]
    assert [number for number, _ in parsed.refused] == [6, *range(7, 7 + len(other))]


def test_lines_that_only_the_fast_reader_refuses_are_found_among_many(tmp_path: Path) -> None:
    # A quoted cell behind a space: fine by itself, and no number for Arrow.
    odd = [trade_line(number).replace(",60", ', "60', 1).replace(",0.0", '",0.0', 1) for number in (77, 300)]
    lines = [*trade_lines(0, 77), odd[0], *trade_lines(78, 222), odd[1], *trade_lines(301, 99)]
    path = write_file(tmp_path / f"{NAME}.csv", lines)
    with pytest.raises(BrokenFile, match=rf"it cannot be read: .*{path}:78"):
        _parse(path)
    parsed = _parse(path, keep_going=True)
    assert [number for number, _ in parsed.refused] == [78, 301]
    assert parsed.trades.agg_id.tolist() == [number for number in range(400) if number not in (77, 300)]
    assert parsed.lines.tolist() == [number + 1 for number in range(400) if number not in (77, 300)]


def test_blank_lines_are_passed_over_until_there_are_too_many() -> None:
    content = "\n".join(trade_lines(0, 3)).encode()
    parser = TradeParser(Path("a.csv"), "BTCUSDT")
    few = parser.parse(LineBlock(1, content.replace(b"\n", b"\r\n\r\n \r\n") + b"\n" * 1000))
    assert (few.trades.agg_id.tolist(), few.lines.tolist()) == ([0, 1, 2], [1, 4, 7])
    for many in (b"\n" * 4_000_000, content + b"\n" * (MOST_BLANK_LINES + 2), b"\r\n" * MOST_BLANK_LINES + b" \n\n"):
        with pytest.raises(BrokenFile, match=f"more than {MOST_BLANK_LINES} lines are blank"):
            parser.parse(LineBlock(1, many))


def test_an_id_that_jumps_further_than_any_market_is_no_gap(tmp_path: Path) -> None:
    path, later = tmp_path / f"{NAME}.csv", tmp_path / "BTCUSDT-aggTrades-2026-08-08.csv"

    def parsed(number: int) -> ParsedBlock:
        return _parse(write_file(path, [trade_line(0), trade_line(0).replace("0,", f"{number},", 1)]), keep_going=True)

    [hole] = Continuity(allow_gaps=True).holes(path, parsed(FURTHEST_AHEAD))
    assert (hole.first_missing_id, hole.last_missing_id) == (1, FURTHEST_AHEAD - 1)
    for number in (FURTHEST_AHEAD + 1, 9 * 10**17 // 2):
        block = parsed(number)
        for allow_gaps in (True, False):
            with pytest.raises(BrokenFile, match=rf"id {number} is {number:,} ahead of the one before.*{path}:2"):
                Continuity(allow_gaps=allow_gaps).holes(path, block)
    # Between two files there may be years, but no more ids than a market ever had.
    following = Continuity(allow_gaps=True)
    following.go_on(path, 0, 0)
    with pytest.raises(BrokenFile, match="ahead of the one before"):
        following.holes(later, _parse(write_file(later, trade_lines(10**12 + 2, 2)), keep_going=True))
    [hole] = following.holes(later, _parse(write_file(later, trade_lines(10**12, 2)), keep_going=True))
    assert hole.last_missing_id == 10**12 - 1


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_zip_is_named_whatever_its_packing(method: int, tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.zip"
    with zipfile.ZipFile(path, "w", method) as packed:
        packed.writestr(f"{NAME}-\u5e01.csv", "\n".join(trade_lines(0, 300)))
    whole, choose, refused = path.read_bytes(), random.Random(7), 0
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(choose.randint(1, 4)):
            damaged[choose.randrange(len(whole))] = choose.randrange(256)
        path.write_bytes(damaged)
        said = _fault(path)
        assert said is None or str(path) in said
        refused += said is not None
    assert refused > 200


def test_a_zip_whose_name_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("\u5e01.csv", trade_line(0))
    path.write_bytes(path.read_bytes().replace("\u5e01".encode(), b"\xff\xfe\xfd"))
    with pytest.raises(BrokenFile, match=rf"cannot be read: .*{path}"):
        _parse(path)


def test_folders_and_links_where_files_should_be(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    path = write_file(tmp_path / "below" / f"{NAME}.csv", trade_lines(0, 3))
    (tmp_path / "below" / "ETHUSDT-aggTrades-2024-08-08.csv").mkdir()
    (tmp_path / "below" / "SOLUSDT-aggTrades-2024-08-08.csv").symlink_to(tmp_path / "gone")
    assert [archive.path for archive in find_archives([tmp_path]).archives] == [path]
    path.with_name(path.name + CHECKSUM).mkdir()
    with pytest.raises(BrokenFile, match=rf"cannot be read: Is a directory .*{CHECKSUM}"):
        check_digest(path, digest_of(path))
    with pytest.raises(BrokenFile, match="cannot be read: Is a directory"):
        digest_of(tmp_path)
    with pytest.raises(ConfigurationError, match="it does not exist"):
        find_archives([tmp_path / "below" / "SOLUSDT-aggTrades-2024-08-08.csv"])


@pytest.mark.parametrize("symbol", ["../../../x", "", "BTC/USDT", "BTC USDT"])
def test_a_symbol_that_is_none_is_not_taken_for_a_folder_of_files(symbol: str, tmp_path: Path) -> None:
    write_file(tmp_path / f"{NAME}.csv", trade_lines(0, 3))
    with pytest.raises(ConfigurationError, match=r"is no symbol \(--symbol\)"):
        find_archives([tmp_path], symbol)
    assert [archive.symbol for archive in find_archives([tmp_path], "ethusdt").archives] == ["ETHUSDT"]


def test_lines_and_rows_stay_side_by_side(tmp_path: Path) -> None:
    lines = [line for number in range(200) for line in (trade_line(number), *([""] if number % 7 == 0 else []))]
    parsed = _parse(write_file(tmp_path / f"{NAME}.csv", lines))
    assert len(parsed.trades) == len(parsed.lines) == 200
    assert np.array_equal(parsed.trades.agg_id, [int(lines[number - 1].split(",")[0]) for number in parsed.lines])
