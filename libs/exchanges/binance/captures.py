"""Reads recordings: hftbacktest and cryptofeed captures (plain or gzip) and aggTrade tables (CSV, CSV.gz or ZIP)."""

import csv
import gzip
import io
import itertools
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from libs.exchanges.binance.aggregate import SingleTrade, aggregate, lost_between
from libs.exchanges.binance.parse import AggTradeMessage
from libs.exchanges.recorded_rows import RecordedEvent, RecordedRows, RecordedTrade
from libs.kit.errors import ConfigurationError

_ARCHIVE_NAME = re.compile(r"^([A-Z0-9_]+)-aggTrades-|(?:^|_)([a-z0-9]+(?:usdt|usdc))_", re.ASCII)
_REPLAYED = ("markPrice", "kline_", "forceOrder", "bookTicker")
# What an amount can look like so that it fits 64 bits in its own decimals; what an id and a time (ms, until 2100) can be.
_AMOUNT = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)
_AMOUNT_DIGITS = 18
_ID_LIMIT, _TIME_LIMIT_MS = 2**62, 4_102_444_800_000
# Newer archive files give microseconds.
_MICROSECONDS_FROM = 10**14
_BEGINNING_LINES = 200


class _Envelope(msgspec.Struct):
    stream: str
    data: msgspec.Raw


class _Trade(msgspec.Struct):
    E: int
    T: int
    s: str
    t: int
    p: str
    q: str
    m: bool
    X: str = "MARKET"


class _Inner(msgspec.Struct):
    s: str = ""


class _Timed(msgspec.Struct):
    E: int = 0
    T: int = 0
    s: str = ""
    o: _Inner = msgspec.field(default_factory=_Inner)


_envelope = msgspec.json.Decoder(_Envelope).decode
_trade = msgspec.json.Decoder(_Trade).decode
# What live ingestion reads aggregate trades with: the same bytes give the same trades.
_agg_trade = msgspec.json.Decoder(AggTradeMessage).decode
_timed = msgspec.json.Decoder(_Timed).decode


def read_recording(paths: Sequence[Path], most_bytes: int | None = None) -> RecordedRows:
    """Read all files as one recording, in order of their first event. `most_bytes`: what it may take in memory, by default half
    of what this machine has.

    Raises `ConfigurationError` naming the file when one is missing, unreadable, empty, too large or in no known format.
    """
    budget = _Budget(most_bytes)
    parts = [_read_one(path, budget) for path in paths]
    for path, (found_singles, rows) in zip(paths, parts, strict=True):
        if not found_singles and not rows.trades and not rows.events:
            raise _unreadable(path, "it holds no trade and no other known event")
    parts.sort(key=lambda part: _first_ms(*part))
    merged = RecordedRows()
    singles: dict[str, list[SingleTrade]] = {}
    for part_singles, rows in parts:
        for symbol, found in part_singles.items():
            singles.setdefault(symbol, []).extend(found)
        for symbol, trades in rows.trades.items():
            merged.trades.setdefault(symbol, []).extend(trades)
        merged.events.extend(rows.events)
    for symbol, found in singles.items():
        if symbol not in merged.trades:
            merged.trades[symbol] = aggregate(found)
            merged.lost[symbol] = lost_between(found)
    if not any(merged.trades.values()) and not merged.events:
        raise _unreadable(paths[0], "it holds no trade of the market itself")
    return merged


_Singles = dict[str, list[SingleTrade]]


def _first_ms(singles: _Singles, rows: RecordedRows) -> int:
    firsts = [found[0].event_ms for found in singles.values()]
    firsts += [found[0].event_ms for found in rows.trades.values()]
    return min(firsts + [event.event_ms for event in rows.events[:1]])


def check_beginnings(paths: Sequence[Path]) -> None:
    """Refuse what is no recording by its first lines: quick for files of any size. Raises as `read_recording` does."""
    for path in paths:
        _read_one(path, _Budget(None), _BEGINNING_LINES)


def _read_one(path: Path, budget: "_Budget", most_lines: int | None = None) -> tuple[_Singles, RecordedRows]:
    lines = _Counted()
    try:
        with _open_lines(path) as text:
            lines.source = itertools.islice(text, most_lines)
            first = next(lines, "")
            if "," in first and "{" not in first:
                return {}, RecordedRows({_symbol_of(path): _read_table(first, lines, budget)})
            if not first.startswith("wss://") and "{" not in first:
                raise _unreadable(path, "the first line is neither a capture's nor a table's")
            return _read_capture(_payloads(first, lines), budget)
    except TooLarge as error:
        raise _too_large(path, f"{error}, at line {lines.number}") from None
    except RecursionError:
        raise _unreadable(path, f"line {lines.number} is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"after line {lines.number} it is no text: {error}") from None
    except _BROKEN_FILE as error:
        raise _unreadable(path, str(getattr(error, "strerror", None) or error)) from None
    except (msgspec.MsgspecError, ValueError, IndexError, csv.Error) as error:
        raise _unreadable(path, f"line {lines.number} is in no known format: {error}") from None


# zipfile says RuntimeError for an encrypted member, and a kind of it for a method that it does not know.
_BROKEN_FILE = (OSError, EOFError, zipfile.BadZipFile, RuntimeError, zlib.error, lzma.LZMAError)


class _Counted:
    """Lines with the number of the last one, for messages."""

    def __init__(self) -> None:
        self.source: Iterator[str] = iter(())
        self.number = 0
        self._blank = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self.source)
        self.number += 1
        self._blank = self._blank + 1 if line.isspace() else 0
        if self._blank > _MOST_BLANK_LINES:
            raise ValueError(f"more than {_MOST_BLANK_LINES} lines are blank")
        return line


def _too_large(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the recording is too large: {why}", where=str(path), todo="name a shorter one, or split it and play its parts"
    )


def _unreadable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the recording cannot be read: {why}",
        where=str(path),
        todo="name raw captures (.raw.gz) or Binance aggTrades tables (.csv, .csv.gz, .zip), and record a damaged one again",
    )


_LONGEST_LINE = 4_000_000
_MOST_BLANK_LINES = 1_000
_BYTES_A_ROW = 700
"""What a kept row takes beside its text: 330 to 420 bytes were measured, and twice as much while single trades are aggregated."""


class TooLarge(Exception):
    """More than may be kept in memory."""


class _Budget:
    """What all files together may keep. Packed files say nothing of what is in them: a small one can unpack to anything."""

    def __init__(self, most_bytes: int | None) -> None:
        half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        self._most = self._left = half if most_bytes is None else most_bytes

    def keep(self, text: str) -> None:
        """Another row, made of this text. Raises `TooLarge`."""
        self._left -= len(text) + _BYTES_A_ROW
        if self._left < 0:
            raise TooLarge(f"kept in memory it would take more than {self._most / 1e9:.3g} GB")


class _open_lines:
    """Text lines of a plain, gzip or zip file."""

    def __init__(self, path: Path) -> None:
        self._closing: list[io.IOBase] = []
        if path.suffix == ".zip":
            archive = zipfile.ZipFile(path)
            if not archive.namelist():
                raise zipfile.BadZipFile("the archive is empty")
            binary = archive.open(archive.namelist()[0])
            self._text: io.TextIOBase = io.TextIOWrapper(binary, encoding="utf-8")
        elif path.suffix == ".gz":
            self._text = gzip.open(path, "rt", encoding="utf-8")  # noqa: SIM115
        else:
            self._text = path.open(encoding="utf-8")

    def __enter__(self) -> Iterator[str]:
        # Not line by line of the file itself: some packed bytes can be one endless line, which would be unpacked whole.
        return iter(self._line, "")

    def _line(self) -> str:
        line = self._text.readline(_LONGEST_LINE)
        if len(line) >= _LONGEST_LINE:
            raise ValueError(f"the next one is longer than {_LONGEST_LINE} characters")
        return line

    def __exit__(self, *_: object) -> None:
        self._text.close()


def _payloads(first: str, lines: Iterable[str]) -> Iterator[str]:
    """The JSON of each line. A cryptofeed capture begins with its URL, which is no event; sent lines carry an arrow."""
    if not first.startswith("wss://"):
        yield first[first.index("{") :]
    for line in lines:
        place = line.find("{")
        if place >= 0 and " <- " not in line[:place]:
            yield line[place:]


def _read_capture(payloads: Iterable[str], budget: _Budget) -> tuple[_Singles, RecordedRows]:
    singles: _Singles = {}
    rows = RecordedRows()
    for payload in payloads:
        # Books are not simulated, and are most of a capture; a bare REST snapshot has no stream.
        if '"stream"' not in payload[:12] or "@depth" in payload[:60]:
            continue
        envelope = _envelope(payload)
        channel = envelope.stream.partition("@")[2]
        if channel == "trade":
            trade = _trade(envelope.data)
            found = SingleTrade(trade.t, trade.p, trade.q, trade.T, trade.E, trade.m, trade.X)
            if trade.X == "MARKET":  # the others are left out later, and have a price and quantity of 0
                _check_trade((trade.t,), (trade.T, trade.E), trade.p, trade.q)
            budget.keep(payload)
            singles.setdefault(trade.s, []).append(found)
        elif channel == "aggTrade":
            row = _agg_trade(envelope.data)
            budget.keep(payload)
            rows.trades.setdefault(row.symbol, []).append(_recorded(row))
        elif channel.startswith(_REPLAYED) or envelope.stream.startswith("!forceOrder"):
            timed = _timed(envelope.data)
            event_ms = timed.E or timed.T
            if event_ms:
                _check_time(event_ms)
                symbol = timed.s or timed.o.s
                budget.keep(payload)
                rows.events.append(RecordedEvent(event_ms, symbol, envelope.stream, bytes(envelope.data)))
    return singles, rows


def _recorded(row: AggTradeMessage) -> RecordedTrade:
    ids = row.agg_id, row.first_trade_id, row.last_trade_id
    _check_trade(ids, (row.trade_time, row.event_time), row.price, row.quantity)
    return RecordedTrade(ids[0], row.price, row.quantity, *ids[1:], row.trade_time, row.event_time, row.buyer_is_maker)


def _symbol_of(path: Path) -> str:
    match = _ARCHIVE_NAME.search(path.name)
    if match is None:
        raise _unreadable(path, "the file name does not say the symbol (expected BTCUSDT-aggTrades-2024-08-08.zip)")
    return (match.group(1) or match.group(2)).upper()


def _read_table(first: str, lines: Iterable[str], budget: _Budget) -> list[RecordedTrade]:
    """agg_trade_id, price, quantity, first_trade_id, last_trade_id, transact_time, is_buyer_maker; the header is optional."""
    body = lines if first.startswith(("agg", "a,")) else itertools.chain([first], lines)
    rows = []
    for agg_id, price, quantity, first_id, last_id, moment, maker, *_ in csv.reader(body):
        time_ms = int(moment) // 1000 if int(moment) > _MICROSECONDS_FROM else int(moment)
        is_maker = maker.strip().lower() == "true"
        budget.keep(price)
        ids = int(agg_id), int(first_id), int(last_id)
        _check_trade(ids, (time_ms,), price, quantity)
        rows.append(RecordedTrade(ids[0], price, quantity, *ids[1:], time_ms, time_ms, is_maker))
    return rows


def _check_trade(ids: tuple[int, ...], times_ms: tuple[int, ...], price: str, quantity: str) -> None:
    """Raises `ValueError` for a trade that no exchange can have had."""
    if not all(0 <= number < _ID_LIMIT for number in ids):
        raise ValueError(f"an id is not between 0 and {_ID_LIMIT}: {', '.join(map(_shown, ids))}")
    for time_ms in times_ms:
        _check_time(time_ms)
    for name, text in (("price", price), ("quantity", quantity)):
        if not _AMOUNT.fullmatch(text) or len(text) > _AMOUNT_DIGITS + ("." in text):
            raise ValueError(f"the {name} is no decimal number of at most {_AMOUNT_DIGITS} digits: {_shown(text)}")
    if not price.strip("0."):
        raise ValueError("the price is 0")


def _check_time(time_ms: int) -> None:
    if not 0 < time_ms < _TIME_LIMIT_MS:
        raise ValueError(f"the time is not between 1970 and 2100: {_shown(time_ms)}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
