"""Aggregate trades from lines of csv, a block at a time, in integers; and whether they follow each other.

Measured on one core: 2.4 million rows a second by Arrow's csv reader into decimals of a known scale, a hundred times what the
standard library's reads; so only a block that Arrow refuses is looked at line by line, to name the line.
"""

import io
import re
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from libs.contracts.frames import MOST_NOTIONAL, Int64
from libs.contracts.market import Hole
from libs.contracts.plausible import LATEST_MS, MOST_MISSING
from libs.store.archives import MOST_BLANK_LINES, BrokenFile, LineBlock, not_yet, too_blank
from libs.store.copy_format import SymbolTrades

COLUMNS = ("agg_id", "price", "quantity", "first_trade_id", "last_trade_id", "trade_time", "buyer_is_maker")
MOST_ARCHIVE_DECIMALS = 8
CAUSE = "archive_has_a_gap"
_HEADER_NAMES = {
    "agg_trade_id": "agg_id",
    "transact_time": "trade_time",
    "is_buyer_maker": "buyer_is_maker",
} | {name: name for name in COLUMNS}
_PRECISION = 18  # 18 digits fit 64 bits
_TRUTH = frozenset((b"true", b"True", b"TRUE", b"1", b"false", b"False", b"FALSE", b"0"))
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_LONGEST_NUMBER = 80
_CELL = re.compile(rb'"[^"]*"|[^"]*')
_AT_ONCE, _THREADS = 3, 2
# Further ahead the live ingest believes no id either. Between files there may be years.
FURTHEST_AHEAD = 100_000_000


@dataclass(frozen=True, slots=True)
class ParsedBlock:
    """The rows of a block, and the file's line of each. `refused` lists lines that were left out, each with its reason."""

    trades: SymbolTrades
    lines: Int64
    last_line: int
    refused: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class TradeParser:
    """Turns blocks of one file into columns. `keep_going`: leave unreadable lines out and list them, instead of refusing.

    A trade at `newest_ms` or later is refused in any case: nobody knows what else is wrong then.
    The scale is the fewest decimals that hold every value so far, so prices look as the exchange writes them.
    """

    path: Path
    symbol: str
    keep_going: bool = False
    newest_ms: int = LATEST_MS
    _names: tuple[str, ...] = COLUMNS
    _decimals: tuple[int, int] = (0, 0)

    def parse_all(self, blocks: Iterable[LineBlock]) -> Generator[ParsedBlock, None, None]:
        """The blocks in order, some of them parsed at the same time. Raises `BrokenFile`."""
        with ThreadPoolExecutor(_THREADS) as pool:
            waiting: deque[Future[ParsedBlock]] = deque()
            for block in blocks:
                waiting.append(pool.submit(self.parse, self._without_header(block)))
                if len(waiting) == _AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def parse(self, block: LineBlock) -> ParsedBlock:
        """One block without a header. Raises `BrokenFile` with the first line that is no trade."""
        last_line = block.first_line + block.content.count(b"\n") - block.content.endswith(b"\n")
        if not block.content.strip():
            if block.content.count(b"\n") > MOST_BLANK_LINES:
                raise too_blank(f"{self.path}:{block.first_line + MOST_BLANK_LINES}")
            return ParsedBlock(self._columns(_EMPTY), np.empty(0, np.int64), last_line)
        try:
            table = self._read(block.content)
            trades = self._columns(table)
            rows = len(trades)
            if rows == last_line - block.first_line + 1 and not _implausible(trades).any():
                lines = np.arange(block.first_line, last_line + 1, dtype=np.int64)
                self._refuse_later(trades, lines)
                return ParsedBlock(trades, lines, last_line)
        except pa.ArrowInvalid:
            pass  # looked at line by line, it tells which
        return self._line_by_line(block, last_line)

    def read_header(self, block: LineBlock) -> None:
        """Learn the order of the columns from the file's first block; of a file that is gone on with, before the rest."""
        self._without_header(block)

    def _without_header(self, block: LineBlock) -> LineBlock:
        if block.first_line != 1:
            return block
        content = block.content.removeprefix(b"\xef\xbb\xbf")
        if content[:1].isdigit():
            return LineBlock(1, content)
        line, _, rest = content.partition(b"\n")
        given = [name.strip().strip('"').lower() for name in line.decode(errors="replace").split(",")]
        names = tuple(_HEADER_NAMES.get(name, name) for name in given)
        if sorted(names) != sorted(COLUMNS):
            raise BrokenFile(
                f"the header is not that of aggregate trades: {', '.join(given)[:120]}",
                where=f"{self.path}:1",
                todo=f"the columns must be {', '.join(COLUMNS)}",
            )
        self._names = names
        return LineBlock(2, rest)

    def _read(self, content: bytes) -> pa.Table:
        try:
            return self._read_as(content, self._decimals)
        except pa.ArrowInvalid as error:
            if "Rescaling" not in str(error) and "precision" not in str(error):
                raise
        table = self._read_as(content, (MOST_ARCHIVE_DECIMALS, MOST_ARCHIVE_DECIMALS))
        needed = [_decimals_needed(_integers(table, name)) for name in ("price", "quantity")]
        wider = (max(self._decimals[0], needed[0]), max(self._decimals[1], needed[1]))
        self._decimals = wider
        return self._read_as(content, wider)

    def _read_as(self, content: bytes, decimals: tuple[int, int]) -> pa.Table:
        types: dict[str, Any] = dict.fromkeys(COLUMNS, pa.int64())
        types["price"] = pa.decimal128(_PRECISION, decimals[0])
        types["quantity"] = pa.decimal128(_PRECISION, decimals[1])
        types["buyer_is_maker"] = pa.bool_()
        return arrow_csv.read_csv(
            pa.py_buffer(content),
            # One piece on one thread: our own threads take a block each, which Arrow's within a block do not reach.
            read_options=arrow_csv.ReadOptions(
                column_names=list(self._names), use_threads=False, block_size=max(len(content), 1)
            ),
            convert_options=arrow_csv.ConvertOptions(column_types=types, null_values=[]),
        )

    def _columns(self, table: pa.Table) -> SymbolTrades:
        price_type, quantity_type = table.schema.field("price").type, table.schema.field("quantity").type
        wide = {name: _integers(table, name) for name in COLUMNS if name != "buyer_is_maker"}
        maker = table.column("buyer_is_maker").to_numpy().astype(np.uint8)
        return SymbolTrades(
            symbol=self.symbol,
            price_decimals=price_type.scale,
            quantity_decimals=quantity_type.scale,
            time=wide["trade_time"],
            buyer_is_maker=maker,
            **wide,
        )

    def _line_by_line(self, block: LineBlock, last_line: int) -> ParsedBlock:
        good: list[tuple[int, bytes]] = []
        refused: list[tuple[int, str]] = []
        blank = 0
        for number, line in enumerate(io.BytesIO(block.content), block.first_line):
            if not line.strip():
                blank += 1
                if blank > MOST_BLANK_LINES:
                    raise too_blank(f"{self.path}:{number}")
                continue
            if why := self._fault_of(line.removesuffix(b"\n").removesuffix(b"\r")):
                refused.append(self._left_out(number, why))
            else:
                good.append((number, line.removesuffix(b"\n")))
        if unread := dict(self._unread(good)):
            refused = sorted([*refused, *(self._left_out(number, why) for number, why in unread.items())])
            good = [(number, line) for number, line in good if number not in unread]
        trades = self._columns(self._read(_joined(good)) if good else _EMPTY)
        lines = np.array([number for number, _ in good], np.int64)
        self._refuse_later(trades, lines)
        return ParsedBlock(trades, lines, last_line, tuple(refused))

    def _left_out(self, number: int, why: str) -> tuple[int, str]:
        if not self.keep_going:
            raise BrokenFile(why, where=f"{self.path}:{number}", todo="fetch the file again, or use --allow-gaps")
        return number, why

    def _unread(self, numbered: list[tuple[int, bytes]]) -> list[tuple[int, str]]:
        """Lines that Arrow refuses although nothing was found wrong with them, by halves."""
        try:
            if numbered:
                self._read(_joined(numbered))
            return []
        except pa.ArrowInvalid as error:
            if len(numbered) == 1:
                return [(numbered[0][0], f"it cannot be read: {error}")]
        half = len(numbered) // 2
        return self._unread(numbered[:half]) + self._unread(numbered[half:])

    def _refuse_later(self, trades: SymbolTrades, lines: Int64) -> None:
        later = trades.trade_time >= self.newest_ms
        if later.any():
            row = int(np.argmax(later))
            raise not_yet(int(trades.trade_time[row]), f"{self.path}:{int(lines[row])}")

    def _fault_of(self, line: bytes) -> str:
        """Why a line is no trade; empty when it is one."""
        if b"\r" in line:
            return "a carriage return stands within the line"
        cells = [cell.strip() for cell in line.split(b",")]
        if len(cells) != len(self._names):
            return f"{len(cells)} columns instead of {len(self._names)}"
        if wrong := [cell for cell in cells if not _CELL.fullmatch(cell)]:
            return f"a quotation mark has no other: {_shown(wrong[0])}"
        cells = [cell.strip(b'"') for cell in cells]
        row = dict(zip(self._names, cells, strict=True))
        for name in ("price", "quantity"):
            # Decimal would take underscores and digits of other scripts, which Arrow does not.
            if len(row[name]) > _LONGEST_NUMBER or not _NUMBER.fullmatch(row[name]):
                return f"{name} is no number: {_shown(row[name])}"
            value = Decimal(row[name].decode())
            if not 0 < value < 10 ** (_PRECISION - MOST_ARCHIVE_DECIMALS):
                return f"{name} is not above 0 and below 10^{_PRECISION - MOST_ARCHIVE_DECIMALS}: {_shown(row[name])}"
            if value != round(value, MOST_ARCHIVE_DECIMALS):
                return f"{name} has more than {MOST_ARCHIVE_DECIMALS} decimals: {_shown(row[name])}"
        for name in ("agg_id", "first_trade_id", "last_trade_id", "trade_time"):
            if not (row[name].isdigit() and len(row[name]) <= _PRECISION):
                return f"{name} is no whole number: {_shown(row[name])}"
        if int(row["trade_time"]) >= LATEST_MS:
            return f"trade_time is not milliseconds before 2100: {_shown(row['trade_time'])}"
        notional = Decimal(row["price"].decode()) * Decimal(row["quantity"].decode())
        if notional.scaleb(sum(self._decimals)) >= MOST_NOTIONAL:
            return f"nobody trades {_shown(row['quantity'])} at {_shown(row['price'])}"
        if row["buyer_is_maker"] not in _TRUTH:
            return f"buyer_is_maker is neither true nor false: {_shown(row['buyer_is_maker'])}"
        return ""


@dataclass(slots=True)
class Continuity:
    """Whether trades follow each other over blocks and files of one symbol: ids without a hole, time not backwards.

    `allow_gaps`: count and tell instead of refusing. Ids that repeat or run backwards within a file are refused in any case.
    """

    allow_gaps: bool = False
    last_id: int = -1
    last_time: int = -1
    backwards: int = 0
    _file: Path | None = field(default=None)

    def go_on(self, path: Path, last_id: int, last_time: int) -> None:
        """Stand behind the rows of a file that were read earlier."""
        self._file, self.last_id, self.last_time = path, last_id, last_time

    def holes(self, path: Path, block: ParsedBlock) -> list[Hole]:
        """The ids that are missing before rows of the block. Raises `BrokenFile`."""
        trades = block.trades
        if not len(trades):
            return []
        first = int(trades.agg_id[0])
        if path != self._file and first <= self.last_id:
            # Another file that begins where one was read already: a day and its month, perhaps.
            self.last_id = self.last_time = -1
        before = self.last_id if self.last_id >= 0 else first - 1
        time_before = self.last_time if self.last_id >= 0 else int(trades.trade_time[0])
        steps = np.diff(trades.agg_id, prepend=before)
        pauses = np.diff(trades.trade_time, prepend=time_before)
        self._refuse(path, block, steps, pauses)
        self._file = path
        self.backwards += int(np.count_nonzero(pauses < 0))
        self.last_id, self.last_time = int(trades.agg_id[-1]), int(trades.trade_time[-1])
        jumps = np.flatnonzero(steps > 1).tolist()
        return [
            Hole(
                trades.symbol,
                int(trades.agg_id[row] - steps[row] + 1),
                int(trades.agg_id[row] - 1),
                int(trades.trade_time[row] - pauses[row]),
                int(trades.trade_time[row]),
                CAUSE,
            )
            for row in jumps
        ]

    def _refuse(self, path: Path, block: ParsedBlock, steps: Int64, pauses: Int64) -> None:
        far = steps > FURTHEST_AHEAD
        if path != self._file:
            far[0] = steps[0] > MOST_MISSING
        wrong = (steps < 1) | far if self.allow_gaps else (steps != 1) | (pauses < 0)
        if not wrong.any():
            return
        row = int(np.argmax(wrong))
        now, step, pause = int(block.trades.agg_id[row]), int(steps[row]), int(pauses[row])
        todo = "use --allow-gaps to record it and go on, or fetch the file again"
        if far[row]:
            why, todo = f"id {now} is {step:,} ahead of the one before, which no trade is", "fetch the file again"
        elif step > 1:
            first, last = now - step + 1, now - 1
            why = f"{f'id {last} is' if first == last else f'the ids {first} to {last} are'} missing before it"
        elif step < 1:
            why, todo = f"id {now} comes after id {now - step}", "fetch the file again, or sort it by id"
        else:
            why = f"time goes {-pause} ms backwards at id {now}"
        raise BrokenFile(why, where=f"{path}:{int(block.lines[row])}", todo=todo)


def _integers(table: pa.Table, name: str) -> Int64:
    column = table.column(name).combine_chunks()
    if pa.types.is_decimal(column.type):
        # 18 digits stand in the lower half of the 128 bits, little-endian in memory.
        halves = np.frombuffer(column.buffers()[1], "<i8") if len(column) else np.empty(0, np.int64)
        return np.ascontiguousarray(halves[column.offset * 2 : (column.offset + len(column)) * 2 : 2])
    return np.asarray(column.to_numpy(), np.int64)


def _decimals_needed(values: Int64) -> int:
    """Of integers with 8 decimals: how many of them are not zero somewhere."""
    for decimals in range(MOST_ARCHIVE_DECIMALS):
        if not np.any(values % 10 ** (MOST_ARCHIVE_DECIMALS - decimals)):
            return decimals
    return MOST_ARCHIVE_DECIMALS


def _implausible(trades: SymbolTrades) -> NDArray[np.bool_]:
    """Rows that no frame could hold, so that all that is imported can be published again."""
    notional = trades.price.astype(float) * trades.quantity.astype(float)
    wrong = (trades.price <= 0) | (trades.quantity <= 0) | (notional >= MOST_NOTIONAL)
    for ids in (trades.agg_id, trades.first_trade_id, trades.last_trade_id, trades.trade_time):
        wrong |= ids < 0
    wrong |= trades.trade_time >= LATEST_MS
    return np.asarray(wrong, np.bool_)


def _joined(numbered: list[tuple[int, bytes]]) -> bytes:
    return b"".join(line + b"\n" for _, line in numbered)


def _shown(cell: bytes) -> str:
    return repr(cell[:40].decode(errors="replace"))


_EMPTY = pa.table(
    {
        name: pa.array([], pa.decimal128(_PRECISION, 0) if name in ("price", "quantity") else pa.int64())
        for name in COLUMNS[:-1]
    }
    | {"buyer_is_maker": pa.array([], pa.bool_())}
)
