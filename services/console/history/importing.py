"""Archive files into the database: block by block, each with its place in one transaction, so that a cut import goes on."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from libs.kit.durations import DAY_MS
from libs.kit.errors import ConfigurationError
from libs.store.archives import (
    Archive,
    BrokenFile,
    LineBlock,
    Stream,
    after_line,
    check_digest,
    digest_of,
    line_blocks,
    opened,
    size_of,
)
from libs.store.bar_lines import ParsedRows, RowParser, funding_parser, kline_parser
from libs.store.copy_format import SymbolTrades
from libs.store.engine import Engine, WriteSession, write_session
from libs.store.imports import (
    Bar,
    ImportedFile,
    ImportPlace,
    advance_import,
    begin_import,
    write_archive_gaps,
    write_funding_rates,
    write_klines,
)
from libs.store.market_source import claim_source
from libs.store.migrate import upgrade
from libs.store.partitions import Month, create_partitions
from libs.store.schema_version import current_revision, require_current
from libs.store.trade_lines import Continuity, ParsedBlock, TradeParser
from libs.store.trades import write_trades

# What `perpstream up --venue binance` calls its market: the archives are that market's.
BINANCE_MARKET = "venue binance"
_SHOWN_LINES = 5
T = TypeVar("T")


class Progress(Protocol):
    """Who shows how far it is; `total` and `done` are bytes."""

    def start(self, file: str, what: str, total: int) -> None: ...
    def move(self, done: int) -> None: ...


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`again`: compare files that are finished once more. `market`: whose facts these are, see `libs.store.market_source`."""

    market: str = BINANCE_MARKET
    allow_gaps: bool = False
    again: bool = False


FileState = Literal["imported", "resumed", "known", "broken", "interrupted", "not_reached"]


@dataclass(slots=True)
class FileReport:
    """What became of one file. As a state, `known`: it was finished before; `broken`: `problem` says why, and what came before
    that line is stored; `interrupted`: it goes on at its last block. `rows` were read now; `known` and `conflicts` are rows that
    the table had, with the same and with other content. `refused` lines were left out."""

    file: str
    kind: str
    symbol: str
    state: FileState = "not_reached"
    problem: str = ""
    checksum: bool = False
    rows: int = 0
    added: int = 0
    known: int = 0
    conflicts: int = 0
    gaps: int = 0
    missing: int = 0
    backwards: int = 0
    refused: int = 0
    refused_lines: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0


def planned(archives: Sequence[Archive]) -> list[FileReport]:
    """A report of each file, before it is reached."""
    return [FileReport(archive.path.name, archive.kind, archive.symbol) for archive in archives]


@dataclass(slots=True)
class Importer:
    """Imports files one after the other; continuity of a symbol's trades is followed from file to file.

    Nothing is believed that happened at `newest_ms` or later: a day from now.
    """

    engine: Engine
    options: ImportOptions
    progress: Progress
    newest_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000 + DAY_MS)
    _following: dict[str, Continuity] = field(default_factory=dict)
    _months: set[Month] = field(default_factory=set)

    async def prepare(self) -> None:
        """An empty database gets its schema. Raises `ConfigurationError` for another market's and for an older schema."""
        if await current_revision(self.engine) is None:
            await upgrade(self.engine)
        await require_current(self.engine)
        try:
            await claim_source(self.engine, self.options.market)
        except ConfigurationError as error:
            advice = error.advice
            raise ConfigurationError(
                advice.what,
                where=advice.where,
                todo="import into a database of its own (`perpstream db create NAME` makes one and says how to name it); if the"
                " files are of that market, name it with --market",
            ) from None

    async def run(self, archives: Sequence[Archive], reports: Sequence[FileReport]) -> None:
        """Import all of them, and say in its report (see `planned`) what became of each, also when this is interrupted.

        A broken file does not stop the others; what came before its broken line is in the tables then.
        """
        await self.prepare()
        for archive, report in zip(archives, reports, strict=True):
            began = time.monotonic()
            report.state = "interrupted"
            try:
                await self._import(archive, report)
            except BrokenFile as error:
                report.state, report.problem = "broken", str(error)
                # The next file of the symbol is judged by itself: it is not to blame for what this one misses.
                self._following.pop(archive.symbol, None)
            report.seconds = round(time.monotonic() - began, 3)

    async def _import(self, archive: Archive, report: FileReport) -> None:
        if not (size := size_of(archive.path)):
            raise _without_rows("the file is empty", archive)
        self.progress.start(archive.path.name, "checking", size)
        digest = await asyncio.to_thread(self._digest, archive.path)
        report.checksum = check_digest(archive.path, digest)
        kind = f"klines {archive.interval}" if archive.kind == "klines" else archive.kind
        file = ImportedFile(digest, archive.symbol, kind, archive.path.name)
        place = await begin_import(self.engine, file)
        if place.finished and not self.options.again:
            report.state = "known"
            if archive.kind == "trades":
                self._follower(archive.symbol).go_on(archive.path, place.last_id, place.last_time_ms)
            return
        if place.finished:
            place = ImportPlace(0, -1, -1)
        resumed = place.lines_done > 0
        with opened(archive.path) as stream:
            self.progress.start(archive.path.name, "importing", stream.total)
            work = _Work(self.engine, file, report, place)
            if archive.kind == "trades":
                await self._import_trades(archive, stream, work)
            else:
                await self._import_rows(archive, stream, work)
            if not (resumed or report.rows or report.refused):
                raise _without_rows("the file holds no row", archive)
            await work.finish()
        report.state = "resumed" if resumed else "imported"

    def _digest(self, path: Path) -> str:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self.progress.move(done)

        return digest_of(path, advance)

    def _follower(self, symbol: str) -> Continuity:
        return self._following.setdefault(symbol, Continuity(self.options.allow_gaps))

    async def _import_trades(self, archive: Archive, stream: Stream, work: "_Work") -> None:
        parser = TradeParser(archive.path, archive.symbol, self.options.allow_gaps, self.newest_ms)
        following = self._follower(archive.symbol)
        if work.place.lines_done:
            following.go_on(archive.path, work.place.last_id, work.place.last_time_ms)
        backwards = following.backwards

        async def store(block: ParsedBlock) -> None:
            holes = following.holes(archive.path, block)
            trades, report = block.trades, work.report
            if not (len(trades) or block.refused):
                return  # nothing was seen: a header alone is no place to go on from
            if len(trades):
                await self._make_months(trades)
            async with write_session(self.engine) as session:
                written = await write_trades(session, [trades])
                report.gaps += await write_archive_gaps(session, holes)
                place = ImportPlace(block.last_line, following.last_id, following.last_time)
                await work.advance(session, place, written.added)
            report.known += written.known - len(written.conflicting())
            report.conflicts += len(written.conflicting())
            report.missing += sum(hole.last_missing_id - hole.first_missing_id + 1 for hole in holes)
            work.saw(len(trades), written.added, block.refused)

        blocks = _blocks(stream, work.place.lines_done, parser.read_header)
        await self._each(parser.parse_all(blocks), store, stream)
        work.report.backwards = following.backwards - backwards

    async def _make_months(self, trades: SymbolTrades) -> None:
        """Not every month in between: one wrong stamp must not make partitions for decades."""
        months = {Month.of(int(day) * DAY_MS) for day in np.unique(trades.trade_time // DAY_MS)}
        if missing := months - self._months:
            async with write_session(self.engine) as session:
                await create_partitions(session, missing)
            self._months |= missing

    async def _import_rows(self, archive: Archive, stream: Stream, work: "_Work") -> None:
        parser: RowParser[Any]
        if archive.kind == "klines":
            parser = kline_parser(archive.path, archive.interval, keep_going=self.options.allow_gaps)
        else:
            parser = funding_parser(archive.path, keep_going=self.options.allow_gaps)
        parser.newest_ms = self.newest_ms
        parser.last_time = work.place.last_time_ms

        async def store(parsed: "ParsedRows[Any]") -> None:
            rows = parsed.rows
            if not (rows or parsed.refused):
                return
            last = parser.time_of(rows[-1]) if rows else work.place.last_time_ms
            async with write_session(self.engine) as session:
                if rows and isinstance(rows[0], Bar):
                    added, conflicts = await write_klines(session, archive.symbol, archive.interval, rows)
                else:
                    added, conflicts = await write_funding_rates(session, archive.symbol, rows)
                await work.advance(session, ImportPlace(parsed.last_line, -1, last), added)
            work.report.known += len(rows) - added - conflicts
            work.report.conflicts += conflicts
            work.report.missing += parsed.missing
            work.saw(len(rows), added, parsed.refused)

        blocks = _blocks(stream, work.place.lines_done, parser.read_header)
        rows: Generator[ParsedRows[Any], None, None] = parser.parse_all(blocks)
        await self._each(rows, store, stream)

    async def _each(
        self, items: Generator[T, None, None], store: Callable[[T], Awaitable[None]], stream: Stream
    ) -> None:
        """Store item after item, while a thread reads and parses the next one."""
        upcoming = asyncio.ensure_future(asyncio.to_thread(next, items, None))
        try:
            while (item := await upcoming) is not None:
                upcoming = asyncio.ensure_future(asyncio.to_thread(next, items, None))
                await store(item)
                self.progress.move(stream.position())
        finally:
            # The file must not be closed under a thread that reads it.
            await asyncio.gather(upcoming, return_exceptions=True)
            items.close()


@dataclass(slots=True)
class _Work:
    """One file in hand: its place in the database and its report."""

    engine: Engine
    file: ImportedFile
    report: FileReport
    place: ImportPlace

    async def advance(self, session: WriteSession, place: ImportPlace, added: int) -> None:
        await advance_import(session, self.file, place, added)
        self.place = place

    def saw(self, rows: int, added: int, refused: Sequence[tuple[int, str]]) -> None:
        self.report.rows += rows
        self.report.added += added
        self.report.refused += len(refused)
        self.report.refused_lines += refused[: _SHOWN_LINES - len(self.report.refused_lines)]

    async def finish(self) -> None:
        place = self.place
        async with write_session(self.engine) as session:
            await self.advance(session, ImportPlace(place.lines_done, place.last_id, place.last_time_ms, True), 0)


def _without_rows(what: str, archive: Archive) -> BrokenFile:
    return BrokenFile(what, where=str(archive.path), todo="fetch it again: a download may have failed")


def _blocks(stream: Stream, done: int, read_header: Callable[[LineBlock], None]) -> Iterator[LineBlock]:
    """The blocks behind the first `done` lines; the header is read in any case."""
    blocks = line_blocks(stream.file)
    first = next(blocks, None)
    if first is None:
        return
    read_header(first)
    yield from after_line(itertools.chain((first,), blocks), done)
