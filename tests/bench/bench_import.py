"""How many trades a second an import reads, and writes into PostgreSQL; and whether its memory depends on the file (a table)."""

import asyncio
import gzip
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import psutil
from rich.console import Console
from rich.table import Table

from libs.kit.settings import DatabaseSettings
from libs.store.archives import find_archives, line_blocks, opened
from libs.store.engine import create_engine
from libs.store.trade_lines import Continuity, TradeParser
from services.console.history.importing import Importer, ImportOptions, planned
from tests.services.console.archive_files import HEADER, trade_lines
from tests.services.console.history_database import NoProgress
from tests.support.servers import Database

_STEP = 50_000


def _fill(file: IO[bytes], trades: int) -> None:
    file.write(f"{HEADER}\n".encode())
    for first in range(0, trades, _STEP):
        file.write("".join(f"{line}\n" for line in trade_lines(first, min(_STEP, trades - first))).encode())


def make_files(folder: Path, trades: int) -> dict[str, Path]:
    """The same trades as csv, zip and gz."""
    plain = folder / "BTCUSDT-aggTrades-2024-08.csv"
    with plain.open("wb") as file:
        _fill(file, trades)
    packed = folder / "zip" / "BTCUSDT-aggTrades-2024-08.zip"
    packed.parent.mkdir()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, plain.name)
    zipped = folder / "BTCUSDT-aggTrades-2024-08.csv.gz"
    with plain.open("rb") as source, gzip.open(zipped, "wb", 6) as target:
        while piece := source.read(1 << 20):
            target.write(piece)
    return {"csv": plain, "zip": packed, "gz": zipped}


def _parse(path: Path) -> tuple[int, int]:
    """Rows, and the process' memory (MiB) when a tenth was read."""
    following, rows, early = Continuity(), 0, 0
    with opened(path) as stream:
        for block in TradeParser(path, "BTCUSDT").parse_all(line_blocks(stream.file)):
            following.holes(path, block)
            rows += len(block.trades)
            early = early or _memory()
    return rows, early


def _memory() -> int:
    return psutil.Process().memory_info().rss // (1 << 20)


async def _import(url: str, path: Path) -> int:
    engine = create_engine(DatabaseSettings(database_url=url), connections=1)
    try:
        archives = find_archives([path]).archives
        [report] = reports = planned(archives)
        await Importer(engine, ImportOptions(), NoProgress()).run(archives, reports)
        return report.added
    finally:
        await engine.dispose()


def _timed(work: Callable[[], int]) -> list[str]:
    """Rows, seconds, rows a second, and seconds of processor time of this process: on a busy machine that says more."""
    began, busy = time.monotonic(), time.process_time()
    rows = work()
    seconds, used = time.monotonic() - began, time.process_time() - busy
    return [f"{rows:,}", f"{seconds:.2f}", f"{rows / seconds:,.0f}", f"{used:.2f}"]


def main() -> None:
    """Print the table; the first argument is the number of trades."""
    trades = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000_000
    table = Table("what", "file", box=None)
    for name in ("rows", "seconds", "rows/s", "own CPU s", "MiB early", "MiB at the end"):
        table.add_column(name, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(Path(folder), trades)
        for name, path in files.items():
            early = 0

            def parse(path: Path = path) -> int:
                nonlocal early
                rows, early = _parse(path)
                return rows

            cells = _timed(parse)
            table.add_row("parse", name, *cells, str(early), str(_memory()))
        (Path(folder) / "postgres").mkdir()
        database = Database(Path(folder) / "postgres")
        database.start()
        try:
            url = database.create_database()
            cells = _timed(lambda: asyncio.run(_import(url, files["zip"])))
            table.add_row("import", "zip", *cells, "", str(_memory()))
        finally:
            database.stop()
    Console().print(table)


if __name__ == "__main__":
    main()
