"""Archive files as streams of whole lines: what a file is, whether its checksum fits, and its bytes in blocks.

Names follow the exchange's public archive, `SYMBOL-aggTrades-2024-08-08.zip`, `SYMBOL-1m-2024-08.zip` and
`SYMBOL-fundingRate-2024-08.zip`, plain, gzipped or zipped; other names say symbol and kind between `-`, `_` or `.`.
"""

import calendar
import datetime as dt
import gzip
import hashlib
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, NamedTuple, cast

from libs.contracts.plausible import wrong_symbol
from libs.kit.errors import ConfigurationError, UserError

Kind = Literal["trades", "klines", "funding"]
# A block is parsed, checked and written as one: some 80,000 trades, which is one transaction of half a second.
BLOCK_BYTES = 4 * 1024 * 1024
CHECKSUM = ".CHECKSUM"
MOST_BLANK_LINES = 5_000
KINDS = (
    "files of aggregate trades (SYMBOL-aggTrades-2024-08.zip), bars (SYMBOL-1m-2024-08.zip) or funding rates"
    " (SYMBOL-fundingRate-2024-08.zip), as csv, gz or zip"
)
_DIGEST_BYTES = 1024 * 1024
# Each packing has its own; UnicodeDecodeError is for a zip's names, struct.error for its fields.
_DAMAGES = (
    *(OSError, EOFError, RuntimeError, UnicodeDecodeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
_SUFFIXES = (".csv", ".zip", ".gz")
_INTERVAL = re.compile(r"(?:1|3|5|15|30)m|(?:1|2|4|6|8|12)h|[13]d|1w|1mo")
_OFFICIAL = re.compile(r"([A-Z0-9]+(?:_[0-9]+)?)-(?:aggTrades|fundingRate|[0-9]+[mhdw]o?)[-.]")
_PERIOD = re.compile(r"(?<![0-9])([0-9]{4})-([0-9]{2})(?:-([0-9]{2}))?(?![0-9])")
_SYMBOL = re.compile(r"[A-Za-z0-9]{2,15}(?:USDT|USDC|BUSD)", re.IGNORECASE)


class BrokenFile(UserError):
    """A file cannot be taken as it is: which line, and why."""


def not_yet(time_ms: int, where: str) -> BrokenFile:
    """For a time that no file can know of."""
    when = f"{dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC):%Y-%m-%d %H:%M:%S}Z"
    return BrokenFile(
        f"the time is more than a day from now: {when}",
        where=where,
        todo="fetch the file again, or set this machine's clock",
    )


@dataclass(frozen=True, slots=True)
class Archive:
    """One file; `interval` only for klines, as the exchange writes it ("1m")."""

    path: Path
    kind: Kind
    symbol: str
    interval: str = ""


class Period(NamedTuple):
    """UTC days [first, after)."""

    first: dt.date
    after: dt.date


class LineBlock(NamedTuple):
    """Whole lines, and the number of the first of them (from 1)."""

    first_line: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Stream:
    """Unpacked bytes. `total` and `position` are in the same unit, packed or not, and only good for a progress bar."""

    file: IO[bytes]
    total: int
    position: Callable[[], int]


class Selection(NamedTuple):
    """The archives that were found, and the files below folders that are none."""

    archives: list[Archive]
    skipped: list[Path]


def find_archives(paths: Sequence[Path], symbol: str | None = None) -> Selection:
    """The files named, and those below the folders named: by kind, symbol and interval, then by the time that their names say.

    Of a month and its days the month comes first, so that whoever takes rising ids alone leaves nothing out.
    A folder may hold other files too: they are skipped. Raises `ConfigurationError` for files that are named and cannot be
    recognised, all of them at once, and when nothing is left.
    """
    if symbol is not None and (what := wrong_symbol(symbol.upper())) is not None:
        raise ConfigurationError(what, where="--symbol", todo="name it as the exchange does, like BTCUSDT")
    found: dict[Path, Archive] = {}
    skipped: list[Path] = []
    refused: dict[Path, str] = {}
    for path in paths:
        if path.is_dir():
            for file in sorted(item for item in path.rglob("*") if item.is_file() and item.suffix != CHECKSUM):
                archive = recognise(file, symbol)
                if isinstance(archive, Archive):
                    found[file.resolve()] = archive
                else:
                    skipped.append(file)
            continue
        archive = recognise(path, symbol) if path.exists() else "it does not exist"
        if isinstance(archive, Archive):
            found[path.resolve()] = archive
        else:
            refused[path] = archive
    if refused:
        what = "; ".join(f"{path}: {why}" for path, why in refused.items())
        raise ConfigurationError(f"no archive that is read: {what}", todo=f"name {KINDS}")
    if not found:
        named = ", ".join(map(str, paths))
        raise ConfigurationError(
            f"there is no archive file among {len(skipped)} files",
            where=named,
            todo=f"name {KINDS}, or a folder of them",
        )
    return Selection(sorted(found.values(), key=_order), skipped)


def recognise(path: Path, symbol: str | None = None) -> Archive | str:
    """What a file holds, by its name, or why that cannot be told; `symbol` overrides the name's."""
    if path.suffix not in _SUFFIXES:
        return "it is no csv, zip or gz file"
    parts = [part for part in re.split(r"[-_.]", path.name) if part]
    lowered = [part.lower() for part in parts]
    interval = next((part for part in parts if _INTERVAL.fullmatch(part)), "")
    kind: Kind
    if "aggtrades" in lowered:
        kind, interval = "trades", ""
    elif "fundingrate" in lowered:
        kind, interval = "funding", ""
    elif interval:
        kind = "klines"
    else:
        return "its name says neither aggTrades nor fundingRate nor an interval like 1m"
    official = _OFFICIAL.match(path.name)
    named = official.group(1) if official else next((part for part in parts if _SYMBOL.fullmatch(part)), None)
    if (name := symbol or named) is None:
        return "its name has no symbol (--symbol names one)"
    return Archive(path, kind, name.upper(), interval)


def period_of(path: Path) -> Period | None:
    """The days [first, after) that a file's name says, `2024-08-08` or `2024-08`; None for a name without any."""
    said = _PERIOD.search(path.name)
    if said is None:
        return None
    year, month, day = (int(part) for part in said.groups(default="0"))
    try:
        first = dt.date(year, month, day or 1)
        return Period(first, first + dt.timedelta(days=1 if day else calendar.monthrange(year, month)[1]))
    except (ValueError, OverflowError):
        return None


def _order(archive: Archive) -> tuple[str, str, str, dt.date, int, str]:
    first, after = period_of(archive.path) or (dt.date.min, dt.date.min)
    return archive.kind, archive.symbol, archive.interval, first, -(after - first).days, archive.path.name


def size_of(path: Path) -> int:
    """Bytes of the file as it lies there. Raises `BrokenFile` when it cannot be read."""
    with _readable(path):
        return path.stat().st_size


def digest_of(path: Path, advance: Callable[[int], object] = lambda _: None) -> str:
    """The SHA-256 of the file as it lies there; `advance` is told each piece's size. Raises `BrokenFile`."""
    digest = hashlib.sha256()
    with _readable(path), path.open("rb") as file:
        while piece := file.read(_DIGEST_BYTES):
            digest.update(piece)
            advance(len(piece))
    return digest.hexdigest()


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        raise BrokenFile(f"the file cannot be read: {why}", where=str(path), todo="check the file's rights") from None


def check_digest(path: Path, digest: str) -> bool:
    """Compare with the checksum file beside it (`sha256sum` format); whether there is one. Raises `BrokenFile`."""
    beside = path.with_name(path.name + CHECKSUM)
    if not beside.exists():
        return False
    with _readable(beside):
        said = beside.read_text(errors="replace").split()
    if not said or not re.fullmatch(r"[0-9a-fA-F]{64}", said[0]):
        raise BrokenFile("the checksum file holds no SHA-256", where=str(beside), todo="fetch it again")
    if said[0].lower() != digest:
        raise BrokenFile(
            f"the content's SHA-256 is {digest[:12]}…, its checksum file says {said[0].lower()[:12]}…",
            where=str(path),
            todo="fetch the file again: it is damaged or not complete",
        )
    return True


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """The unpacked bytes of a file; of a zip, its only csv. Raises `BrokenFile` for damaged ones, also while reading."""
    try:
        with path.open("rb") as raw:
            if path.suffix == ".zip":
                with zipfile.ZipFile(raw) as packed, packed.open(_only_csv(packed, path)) as member:
                    yield Stream(member, packed.getinfo(member.name).file_size, member.tell)
                return
            size = path.stat().st_size
            if path.suffix == ".gz":
                with gzip.open(raw) as unpacked:
                    yield Stream(cast("IO[bytes]", unpacked), size, raw.tell)
            else:
                yield Stream(raw, size, raw.tell)
    except _DAMAGES as error:
        raise BrokenFile(f"the file cannot be read: {error}", where=str(path), todo="fetch the file again") from None


def _only_csv(packed: zipfile.ZipFile, path: Path) -> zipfile.ZipInfo:
    members = [member for member in packed.infolist() if member.filename.lower().endswith(".csv")]
    if len(members) != 1:
        raise BrokenFile(
            f"the zip holds {len(members)} csv files, not one", where=str(path), todo="unpack it and name the csv files"
        )
    return members[0]


def too_blank(where: str) -> BrokenFile:
    """For a file of hardly anything but blank lines, which packs so well that looking at each would take minutes."""
    return BrokenFile(f"more than {MOST_BLANK_LINES} lines are blank", where=where, todo="fetch the file again")


def line_blocks(file: IO[bytes], size: int = BLOCK_BYTES) -> Iterator[LineBlock]:
    """The file in blocks of whole lines of about `size` bytes; no more than two blocks are in memory."""
    rest, line = b"", 1
    while piece := file.read(size):
        cut = piece.rfind(b"\n") + 1
        if cut == 0 and len(rest) < size:
            rest += piece
            continue
        if cut == 0:
            raise BrokenFile("a line does not end", where=f"line {line}", todo="check that it is a csv file")
        block = LineBlock(line, rest + piece[:cut])
        rest = piece[cut:]
        yield block
        line += block.content.count(b"\n")
    if rest:
        yield LineBlock(line, rest)


def after_line(blocks: Iterable[LineBlock], done: int) -> Iterator[LineBlock]:
    """The blocks without the first `done` lines of the file."""
    for first_line, content in blocks:
        skipped = done - first_line + 1
        if skipped <= 0:
            yield LineBlock(first_line, content)
            continue
        parts = content.split(b"\n", skipped)
        if len(parts) > skipped and parts[skipped]:
            yield LineBlock(done + 1, parts[skipped])
