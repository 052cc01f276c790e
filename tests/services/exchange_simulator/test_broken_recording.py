"""Files that are no recording, or one that cannot have been: each is refused in one line that names the file and the line."""

import gzip
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from libs.exchanges.recordings import read_recording
from libs.kit.errors import ConfigurationError
from services.console.recordings import symbols_of
from services.exchange_simulator.recording.source import open_recording

GOOD = "1,60000.10,0.005,1,2,1723075199000,true"
HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
DEEP = "[" * 100_000 + "]" * 100_000


def _refused(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        open_recording([path])
    assert str(path) in caught.value.advice.where
    assert len(str(caught.value)) < 1000
    return caught.value.advice.what


def _table(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "BTCUSDT-aggTrades-x.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("2,0,0.005,3,4,1723075199001,true", "the price is 0"),
        ("2,0.00,0.005,3,4,1723075199001,true", "the price is 0"),
        ("2,-5.1,0.005,3,4,1723075199001,true", "the price is no decimal number"),
        ("2,nan,0.005,3,4,1723075199001,true", "the price is no decimal number"),
        ("2,1e5,0.005,3,4,1723075199001,true", "the price is no decimal number"),
        (f"2,1.{'1' * 300},0.005,3,4,1723075199001,true", "the price is no decimal number"),
        ("2,60000,-1,3,4,1723075199001,true", "the quantity is no decimal number"),
        ("2,60000,0.005,3,4,-1,true", "the time is not between 1970 and 2100"),
        (f"{10**30},60000,0.005,3,4,1723075199001,true", "an id is not between"),
        ("2,60000,0.005,-3,4,1723075199001,true", "an id is not between"),
        (f"{'9' * 5000},60000,0.005,3,4,1723075199001,true", "is in no known format"),
        (f"{'x' * 200_000},60000,0.005,3,4,1723075199001,true", "field larger than field limit"),
        ("2,60000", "not enough values"),
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_a_wrong_row_of_a_table_is_named(tmp_path: Path, bad: str, words: str, header: bool) -> None:
    what = _refused(_table(tmp_path, *([HEADER] if header else []), GOOD, bad))
    assert f"line {3 if header else 2} " in what
    assert words in what


def test_the_good_row_is_read(tmp_path: Path) -> None:
    assert open_recording([_table(tmp_path, HEADER, GOOD)]).symbols == ("BTCUSDT",)


def test_rows_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    other = f"2,{'9' * 18},1,3,4,1723075199001,true"
    assert "cannot be played" in _refused(_table(tmp_path, "2,0.123456789,1,3,4,1723075199001,true", other))


TRADE = '{"e":"trade","E":%s,"T":1723075199000,"s":"BTCUSDT","t":%s,"p":"%s","q":"1","X":"%s","m":true}'
GOOD_LINE = '{"stream":"btcusdt@trade","data":%s}' % (TRADE % (1723075199000, 1, "60000.1", "MARKET"))


@pytest.mark.parametrize(
    ("data", "stream", "words"),
    [
        (TRADE % (1723075199000, 2, "0", "MARKET"), "btcusdt@trade", "line 2 is in no known format: the price is 0"),
        (TRADE % (1723075199000, 2, "nan", "MARKET"), "btcusdt@trade", "the price is no decimal number"),
        (TRADE % (10**30, 2, "1", "MARKET"), "btcusdt@trade", "line 2 is in no known format"),
        (TRADE % (1723075199000, 10**30, "1", "MARKET"), "btcusdt@trade", "line 2 is in no known format"),
        (
            '{"E":1723075199000,"o":{"s":"BTCUSDT"},"x":' + DEEP + "}",
            "btcusdt@forceOrder",
            "line 2 is nested too deeply",
        ),
        ('{"E":-5,"s":"BTCUSDT"}', "btcusdt@forceOrder", "the time is not between 1970 and 2100"),
        ('{"E":1723075199000,"s":"BTCUSDT"}', "btcusdt@markPrice@1s", "the recording cannot be played"),
    ],
)
def test_a_wrong_line_of_a_capture_is_named(tmp_path: Path, data: str, stream: str, words: str) -> None:
    path = tmp_path / "capture.raw.gz"
    bad = f'{{"stream":"{stream}","data":{data}}}'
    path.write_bytes(gzip.compress(f"{GOOD_LINE}\n{bad}\n".encode()))
    assert words in _refused(path)


def test_a_capture_without_any_market_trade_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "capture.raw"
    data = TRADE % (1723075199000, 2, "0", "NA")
    path.write_text(f'{{"stream":"btcusdt@trade","data":{data}}}\n')
    assert "no trade of the market itself" in _refused(path)


def _zip(tmp_path: Path) -> tuple[Path, bytearray]:
    path = tmp_path / "BTCUSDT-aggTrades-x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", f"{HEADER}\n{GOOD}\n" * 20)
    return path, bytearray(path.read_bytes())


@pytest.mark.parametrize(
    ("local", "central", "value", "words"),
    [(6, 8, 1, "encrypted"), (8, 10, 77, "compression")],
    ids=["encrypted", "unknown method"],
)
def test_an_archive_that_zipfile_cannot_open(tmp_path: Path, local: int, central: int, value: int, words: str) -> None:
    path, content = _zip(tmp_path)
    place = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, local, value)
    struct.pack_into("<H", content, place + central, value)
    path.write_bytes(content)
    assert words in _refused(path)
    assert symbols_of([path]) == ("BTCUSDT",)


@pytest.mark.parametrize("at", [40, 45, 60])
def test_damaged_compression_is_refused(tmp_path: Path, at: int) -> None:
    path, content = _zip(tmp_path)
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(content)
    assert "cannot be read" in _refused(path)
    packed = bytearray(gzip.compress(f"{GOOD_LINE}\n".encode() * 50))
    packed[20:30] = b"\xff" * 10
    capture = tmp_path / "btcusdt.raw.gz"
    capture.write_bytes(packed)
    assert "cannot be read" in _refused(capture)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        symbols_of([capture])


def test_an_archive_without_files_and_a_text_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-aggTrades-x.zip"
    zipfile.ZipFile(path, "w").close()
    assert "the archive is empty" in _refused(path)
    table = tmp_path / "BTCUSDT-aggTrades-x.csv"
    table.write_bytes(f"{HEADER}\n".encode() + zlib.compress(b"x" * 100))
    assert "it is no text" in _refused(table)


@pytest.mark.parametrize("name", ["BTCUSDT-aggTrades-x.zip", "btcusdt.raw.gz"])
def test_one_endless_line_is_refused_without_unpacking_it(tmp_path: Path, name: str) -> None:
    path, content = tmp_path / name, b"{" + b" " * 60_000_000
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.csv", content)
    else:
        path.write_bytes(gzip.compress(content))
    tracemalloc.start()
    try:
        assert "longer than" in _refused(path)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["BTCUSDT-aggTrades-x.zip", "BTCUSDT-aggTrades-x.csv.gz", "btcusdt.raw.gz"])
def test_a_small_file_that_unpacks_to_more_than_may_be_kept_is_refused_in_time(tmp_path: Path, name: str) -> None:
    path, lines = tmp_path / name, (GOOD if "aggTrades" in name else GOOD_LINE) + "\n"
    content = lines.encode() * 200_000
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.csv", content)
    else:
        path.write_bytes(gzip.compress(content))
    assert path.stat().st_size < len(content) / 100, "it is to be a bomb"
    tracemalloc.start()
    try:
        with pytest.raises(ConfigurationError) as caught:
            read_recording([path], most_bytes=5_000_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    told = str(caught.value.advice)
    assert "\n" not in told
    assert "the recording is too large: kept in memory it would take more than 0.005 GB, at line" in told
    assert str(path) in told
    assert "name a shorter one" in told


def test_what_all_files_keep_together_counts(tmp_path: Path) -> None:
    paths = []
    for name in ("BTCUSDT-aggTrades-1.csv", "BTCUSDT-aggTrades-2.csv"):
        path = tmp_path / name
        path.write_text(f"{GOOD}\n" * 1_000)
        paths.append(path)
        assert len(read_recording([path], most_bytes=1_000_000).trades["BTCUSDT"]) == 1_000
    with pytest.raises(ConfigurationError, match="too large"):
        read_recording(paths, most_bytes=1_000_000)


def test_a_file_of_blank_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "btcusdt.raw.gz"
    path.write_bytes(gzip.compress(f"{GOOD_LINE}\n".encode() + b"\n" * 5_000_000))
    assert "more than 1000 lines are blank" in _refused(path)


def test_a_symbol_is_looked_for_without_unpacking_an_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "btcusdt_x.raw.gz"
    path.write_bytes(gzip.compress(b'{"s":"ETHUSDT"' + b" " * 300_000_000))
    tracemalloc.start()
    try:
        assert symbols_of([path]) == ("ETHUSDT",)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
