"""Does a backtest from PostgreSQL need more memory for a longer range? Peaks of the backtester's process, by days.

python -m tests.bench.bench_memory [--trades 300000] [--days 1 4 16]
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
from rich.console import Console
from rich.table import Table

from libs.kit.settings import DatabaseSettings
from libs.store.archives import find_archives
from libs.store.engine import create_engine
from services.console.history.importing import Importer, ImportOptions, planned
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days
from tests.services.console.history_database import NoProgress
from tests.support.servers import Database

SYMBOL = "BTCUSDT"


def archives(folder: Path, trades: int, days: int) -> list[Path]:
    """The days as files of the exchange's archive."""
    write_days(folder / "export", [Market(SYMBOL, 90_000.0, trades, 1, 3)], days)
    found = []
    for path in sorted((folder / "export").rglob("trades.parquet")):
        table = parquet.ParquetFile(path).read()
        rows = pa.table(
            {
                "agg_trade_id": table["agg_id"],
                "price": table["price"],
                "quantity": table["quantity"],
                "first_trade_id": table["first_trade_id"],
                "last_trade_id": table["last_trade_id"],
                "transact_time": table["trade_time"].cast(pa.int64()),
                "is_buyer_maker": table["buyer_is_maker"],
            }
        )
        target = folder / f"{SYMBOL}-aggTrades-{path.parent.name.removeprefix('day=')}.csv"
        csv.write_csv(rows, target, csv.WriteOptions(quoting_style="none"))
        found.append(target)
    return found


async def fill(url: str, paths: list[Path]) -> None:
    """Import the files."""
    engine = create_engine(DatabaseSettings(database_url=url), connections=1)
    try:
        wanted = find_archives(paths).archives
        await Importer(engine, ImportOptions(), NoProgress()).run(wanted, planned(wanted))
    finally:
        await engine.dispose()


def peak(url: str, end: datetime, output: Path) -> tuple[int, float, int]:
    """The greatest memory (bytes) of a backtest from the first day to `end`, its seconds, and the trades it read."""
    request = {
        "source": "postgres",
        "view": "repaired",
        "start": FIRST_DAY.isoformat(),
        "end": end.isoformat(),
        "warm_up_hours": 0,
        "strategies": ["strategies/v51.json", "strategies/v52.json"],
        "costs": {"funding": False},
        "output": str(output),
        "json": True,
    }
    began = time.perf_counter()
    variables = os.environ | {"PERPSTREAM_DATABASE_URL": url}
    command = [sys.executable, "-m", "services.backtester", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request).encode())
    process.stdin.close()
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the backtest ended with {process.returncode}")
    return used.ru_maxrss * 1024, time.perf_counter() - began, int(json.loads(said)["facts"]["trades_read"])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=int, default=300_000, help="a day")
    parser.add_argument("--days", type=int, nargs="+", default=[1, 4, 16])
    given = parser.parse_args()
    table = Table(
        "days", "trades", "seconds", "peak, MB", title="a backtest streamed from PostgreSQL, in a process of its own"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "postgres").mkdir()
        database = Database(folder / "postgres")
        database.start()
        try:
            url = database.create_database()
            asyncio.run(fill(url, archives(folder, given.trades, max(given.days))))
            for days in given.days:
                used, seconds, read = peak(url, FIRST_DAY + timedelta(days=days), folder / f"out{days}")
                table.add_row(str(days), f"{read:,}", f"{seconds:.1f}", f"{used / 1e6:.0f}")
        finally:
            database.stop()
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
