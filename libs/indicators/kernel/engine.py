"""The kernel as its callers see it: symbols in, batches of the log in, evaluation tables out, snapshots."""

from dataclasses import asdict
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from libs.contracts.market import TradesBootstrapped
from libs.indicators import layout as at
from libs.indicators.kernel.bootstrap import warm_symbol
from libs.indicators.kernel.rows import OUTPUT_FULL, OVERFLOW, POOL_EMPTY, LogRows, Sink
from libs.indicators.kernel.scales import exact_quotients
from libs.indicators.kernel.sizes import BLOCK_ENTRIES, HEAD_BLOCK, HEAD_ROOM_USED, TAIL_BLOCK, TAIL_READ, Pool, Slot
from libs.indicators.kernel.step import Groups, State, group_rows, is_one_symbol, run_groups
from libs.indicators.log import LogBatch, SymbolTable, bootstrap_bars
from libs.indicators.settings import KernelSettings, arena_template

Int64 = NDArray[np.int64]
Evaluations = NDArray[Any]
_encoder = msgspec.msgpack.Encoder()
_NO_ORDER = np.empty(0, np.int64)


class KernelSnapshot(msgspec.Struct, frozen=True):
    """Everything that the next step depends on. `sizes` holds each symbol's 2-byte bins, oldest first."""

    settings: dict[str, Any]
    symbols: list[tuple[str, int, int]]
    arenas: list[bytes]
    sizes: list[bytes]


class Overflow(NamedTuple):
    """A symbol whose numbers did not fit 64 bits and that started cold for it, at a row (index) of the batch."""

    symbol: str
    place: int


class Kernel:
    """The state of many symbols. Not thread-safe. The same log gives the same bytes, however it is cut into batches.

    `table_rows` and `pool_blocks` are starting sizes: results do not depend on them.
    """

    def __init__(self, settings: KernelSettings, *, table_rows: int = 4096, pool_blocks: int = 64) -> None:
        self.settings = settings
        self.symbols = SymbolTable()
        width, cells = arena_template(settings)
        self._empty_arena = np.zeros(width, np.int64)
        for cell, value in cells.items():
            self._empty_arena[cell] = value
        self._arenas = np.empty((0, width), np.int64)
        self._chains = np.empty((0, 4), np.int64)
        self._pool = _empty_pool(pool_blocks)
        self._table = np.empty((table_rows, len(at.EVALUATION_COLUMNS)), np.int64)
        self._scratch = _empty_rows(0)
        self._order = _NO_ORDER
        self._groups = _empty_groups(0)
        self.bootstraps_ignored = 0
        self.overflows: list[Overflow] = []

    def batch(self) -> LogBatch:
        """An empty batch that speaks of this kernel's symbols."""
        return LogBatch(self.symbols)

    def process(self, rows: LogBatch | LogRows) -> Evaluations:
        """Take a batch in log order; return its evaluations (dtype `layout.EVALUATION`) in the order of their `place`.

        `place` is the index of the log row that released the evaluation. `overflows` says afterwards which rows did not fit.
        """
        self.overflows = []
        columns = LogRows(*rows.columns()) if isinstance(rows, LogBatch) else rows
        if not len(columns.symbol):
            return np.empty(0, at.EVALUATION)
        self._admit_symbols()
        if is_one_symbol(columns.symbol):
            one = int(columns.symbol[0])
            groups = Groups(*(np.array([value], np.int64) for value in (one, 0, len(columns.symbol))))
            return self._run(columns, groups, _NO_ORDER)
        self._fit_scratch(len(columns.symbol))
        used = group_rows(columns, self._scratch, self._order, self._groups)
        groups = Groups(*(column[:used] for column in self._groups))
        return self._run(self._scratch, groups, self._order)

    def bootstrap(self, bars: TradesBootstrapped) -> bool:
        """Warm a symbol from kline bars; false (counted) when its first trade has already been seen.

        If a watermark has moved the clock past the bars, it is moved there again; its evaluations were given the first time.
        Raises `BadMessage` when the bars are not what they should be.
        """
        index, minutes, candles = bootstrap_bars(bars, self.symbols, self.settings.candle_ms)
        self._admit_symbols()
        proven_ms = int(self._arenas[index, at.CLOCK]) - 1
        slot = Slot(self._arenas[index], self._chains[index], self._pool)
        if not len(minutes) or not warm_symbol(slot, minutes, candles):
            self.bootstraps_ignored += 1
            return False
        catch_up = self.batch()
        catch_up.add_watermarks(np.array([index], np.int32), np.array([proven_ms], np.int64))
        self.process(catch_up)
        return True

    def snapshot(self) -> bytes:
        """The whole state; equal states give equal bytes."""
        self._admit_symbols()
        known = range(len(self.symbols.names))
        return _encoder.encode(
            KernelSnapshot(
                settings=asdict(self.settings),
                symbols=self.symbols.rows(),
                arenas=[self._arenas[index].tobytes() for index in known],
                sizes=[self._sizes_of(index).tobytes() for index in known],
            )
        )

    @classmethod
    def restore(cls, data: bytes, *, table_rows: int = 4096) -> "Kernel":
        """The kernel as it was. Raises `ValueError` when the bytes are no snapshot of this version."""
        try:
            kept = msgspec.msgpack.decode(data, type=KernelSnapshot)
            kept.settings["windows_ms"] = tuple(kept.settings["windows_ms"])
            kernel = cls(KernelSettings(**kept.settings), table_rows=table_rows)
            for name, price_decimals, quantity_decimals in kept.symbols:
                kernel.symbols.add(name, price_decimals, quantity_decimals)
            kernel._admit_symbols()
            for index, (arena, sizes) in enumerate(zip(kept.arenas, kept.sizes, strict=True)):
                kernel._arenas[index] = np.frombuffer(arena, np.int64)
                kernel._put_sizes(index, np.frombuffer(sizes, np.uint16))
        except (msgspec.DecodeError, TypeError, KeyError) as error:
            raise ValueError(f"not a kernel snapshot of this version: {error}") from None
        return kernel

    def symbol_bytes(self, name: str) -> bytes:
        """One symbol's state, for comparing kernels."""
        self._admit_symbols()
        index = self.symbols.index[name]
        return bytes(self._arenas[index].tobytes() + self._sizes_of(index).tobytes())

    def _run(self, rows: LogRows, groups: Groups, order: Int64) -> Evaluations:
        filled = np.zeros(1, np.int64)
        parts: list[Int64] = []
        while True:
            state = State(self._arenas, self._chains, self._pool)
            code, group = run_groups(state, Sink(self._table, filled, order), rows, groups)
            if code == OUTPUT_FULL:
                parts.append(self._table.copy())
                filled[0] = 0
            elif code == POOL_EMPTY:
                self._pool = _grown_pool(self._pool)
            elif code == OVERFLOW:
                row = int(groups.next_row[group]) - 1
                place = int(order[row]) if len(order) else row
                self.overflows.append(Overflow(self.symbols.names[groups.symbol[group]], place))
            else:
                break
        self.overflows.sort(key=lambda overflow: overflow.place)
        parts.append(self._table[: filled[0]].copy())
        table = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if len(order) and len(table) > 1:
            table = table[np.argsort(table[:, at.E_PLACE], kind="stable")]
        return table.view(at.EVALUATION)[:, 0]

    def _admit_symbols(self) -> None:
        """Give every symbol of the table its arena row (with some to spare)."""
        known, wanted = len(self._arenas), len(self.symbols.names)
        if wanted > known:
            capacity = max(wanted, known + known // 4)
            arenas = np.empty((capacity, self._arenas.shape[1]), np.int64)
            arenas[:known] = self._arenas
            arenas[known:] = self._empty_arena
            chains = np.full((capacity, 4), -1, np.int64)
            chains[:known] = self._chains
            chains[known:, HEAD_ROOM_USED] = 0
            chains[known:, TAIL_READ] = 0
            self._arenas, self._chains, self._groups = arenas, chains, _empty_groups(capacity)

    def _fit_scratch(self, rows: int) -> None:
        if len(self._order) < rows:
            self._scratch = _empty_rows(2 * rows)
            self._order = np.empty(2 * rows, np.int64)

    def _sizes_of(self, index: int) -> NDArray[np.uint16]:
        """The live bins of a symbol, oldest first."""
        chain, pool, parts = self._chains[index], self._pool, []
        block, start = int(chain[TAIL_BLOCK]), int(chain[TAIL_READ])
        while block >= 0:
            last = block == chain[HEAD_BLOCK]
            parts.append(pool.entries[block, start : int(chain[HEAD_ROOM_USED]) if last else BLOCK_ENTRIES])
            block, start = (-1 if last else int(pool.next_block[block])), 0
        return np.concatenate(parts) if parts else np.empty(0, np.uint16)

    def _put_sizes(self, index: int, sizes: NDArray[np.uint16]) -> None:
        chain = self._chains[index]
        for start in range(0, len(sizes), BLOCK_ENTRIES):
            if self._pool.free_count[0] == 0:
                self._pool = _grown_pool(self._pool)
            self._pool.free_count[0] -= 1
            block = int(self._pool.free[self._pool.free_count[0]])
            part = sizes[start : start + BLOCK_ENTRIES]
            self._pool.entries[block, : len(part)] = part
            if start == 0:
                chain[TAIL_BLOCK] = block
            else:
                self._pool.next_block[chain[HEAD_BLOCK]] = block
            chain[HEAD_BLOCK], chain[HEAD_ROOM_USED] = block, len(part)


def _empty_groups(symbols: int) -> Groups:
    return Groups(*(np.zeros(symbols, np.int64) for _ in range(3)))


def _empty_rows(count: int) -> LogRows:
    ids, times, prices, quantities = (np.empty(count, np.int64) for _ in range(4))
    return LogRows(np.empty(0, np.int32), ids, times, prices, quantities, np.empty(count, np.uint8))


def _empty_pool(blocks: int) -> Pool:
    return Pool(
        np.empty((blocks, BLOCK_ENTRIES), np.uint16),
        np.full(blocks, -1, np.int32),
        np.arange(blocks - 1, -1, -1, dtype=np.int32),
        np.array([blocks], np.int64),
        np.empty(BLOCK_ENTRIES, np.int64),
    )


def _grown_pool(pool: Pool) -> Pool:
    """Twice as many blocks; the new ones are free."""
    old = len(pool.next_block)
    new = _empty_pool(2 * old)
    new.entries[:old] = pool.entries
    new.next_block[:old] = pool.next_block
    held = int(pool.free_count[0])
    new.free[:held] = pool.free[:held]
    new.free[held : held + old] = np.arange(2 * old - 1, old - 1, -1, dtype=np.int32)
    new.free_count[0] = held + old
    return new


def warm_up(settings: KernelSettings | None = None) -> None:
    """Compile (or load) every kernel function, so that the first real batch is not slow."""
    kernel = Kernel(settings or KernelSettings(), table_rows=1, pool_blocks=1)
    minute = np.array([[0, 8, 4, 8]], np.int64)
    candle = np.array([[0, 1, 1, 1, 1]], np.int64)
    index = kernel.symbols.add("WARMUP", 0, 0)
    kernel._admit_symbols()
    warm_symbol(Slot(kernel._arenas[index], kernel._chains[index], kernel._pool), minute, candle)
    kernel.symbols.add("SECOND", 0, 0)
    for symbols in ([0, 0], [0, 1]):
        column = np.array([1, 2], np.int64)
        kernel.process(LogRows(np.array(symbols, np.int32), column, column, column, column, np.array([0, 2], np.uint8)))
    exact_quotients(np.array([10, 0], np.int64), 1, np.empty(1, np.int64))
