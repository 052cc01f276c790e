"""Parquet files hold exactly what the tables hold, appear whole, and read as one table."""

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pyarrow.dataset as dataset
import pyarrow.parquet as parquet
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import UserError
from libs.store.engine import write_session
from libs.store.market_facts import Placed, write_market_facts
from services.console.history import parquet as exporting
from services.console.history.parquet import Exporter, ExportSpan
from tests.services.console.archive_files import trade_lines, write_file
from tests.services.console.history_database import NoProgress, import_all, opened_engine, rows_of
from tests.services.recorder.timelines import liquidation
from tests.services.signal_engine.timelines import open_interest

SPAN = ExportSpan(dt.date(2024, 8, 7), dt.date(2024, 8, 8))
ROWS = (
    "SELECT symbol, agg_id, price, quantity, first_trade_id, last_trade_id, trade_time, buyer_is_maker, effective_time"
    " FROM agg_trades ORDER BY symbol, agg_id"
)


@pytest.fixture
async def engine(database_url: str, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Two symbols over midnight, one trade of them late, and one with 8 decimals."""
    async with opened_engine(database_url) as engine:
        paths = [
            write_file(tmp_path / f"{name}-aggTrades-2024-08.csv", trade_lines(0, 12_000))
            for name in ("BTCUSDT", "ETHUSDT")
        ]
        fine = trade_lines(0, 3)
        fine[1] = fine[1].replace(",60000.1,", ",0.00000001,")
        paths.append(write_file(tmp_path / "PEPEUSDT-aggTrades-2024-08.csv", fine))
        await import_all(engine, paths)
        async with write_session(engine) as session:
            await session.raw.execute(
                "UPDATE agg_trades SET effective_time = trade_time + interval '5 ms' WHERE symbol = 'ETHUSDT' AND agg_id = 77"
            )
        yield engine


async def test_trades_come_back_exactly(engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = Exporter(engine, tmp_path / "out", NoProgress())
    files = []
    for symbol in ("BTCUSDT", "ETHUSDT", "PEPEUSDT"):
        files += [file async for file in exporter.trades(symbol, SPAN)]
    assert [Path(file.path).relative_to(tmp_path / "out").as_posix() for file in files] == [
        "trades/symbol=BTCUSDT/day=2024-08-07/trades.parquet",
        "trades/symbol=BTCUSDT/day=2024-08-08/trades.parquet",
        "trades/symbol=ETHUSDT/day=2024-08-07/trades.parquet",
        "trades/symbol=ETHUSDT/day=2024-08-08/trades.parquet",
        "trades/symbol=PEPEUSDT/day=2024-08-07/trades.parquet",
    ]
    assert [file.rows for file in files] == [10_000, 2_000, 10_000, 2_000, 3]
    everything = dataset.dataset(tmp_path / "out" / "trades", partitioning="hive").to_table()
    assert everything.schema.field("price").type == exporting.MONEY
    names = (
        "symbol",
        "agg_id",
        "price",
        "quantity",
        "first_trade_id",
        "last_trade_id",
        "trade_time",
        "buyer_is_maker",
        "effective_time",
    )
    found = sorted(tuple(row[name] for name in names) for row in everything.to_pylist())
    assert found == await rows_of(engine, ROWS)


async def test_slow_inputs_and_liquidations_keep_every_digit(engine: AsyncEngine, tmp_path: Path) -> None:
    interest = open_interest("BTCUSDT", 1_723_075_200_000, "123.1234567890123")
    async with write_session(engine) as session:
        await write_market_facts(session, [Placed(liquidation(1), 5), Placed(liquidation(2), -1), Placed(interest, 7)])
    exporter = Exporter(engine, tmp_path / "out", NoProgress())
    files = [file async for file in exporter.slow("liquidation_events", [], SPAN)]
    assert [(file.rows, "day=2024-08-08" in file.path) for file in files] == [(2, True)]
    row = parquet.read_table(files[0].path, partitioning=None).to_pylist()[0]
    assert (row["side"], row["quantity"], row["average_price"]) == ("SELL", Decimal("0.001"), Decimal("60000.1"))
    [file] = [file async for file in exporter.slow("market_indicators", ["BTCUSDT"], SPAN)]
    row = parquet.read_table(file.path, partitioning=None).to_pylist()[0]
    assert dict(row["values"])["open_interest"] == "123.1234567890123"
    assert [file async for file in exporter.slow("market_indicators", ["ETHUSDT"], SPAN)] == []


async def test_a_file_that_cannot_be_finished_leaves_the_one_before(engine: AsyncEngine, tmp_path: Path) -> None:
    exporter = Exporter(engine, tmp_path / "out", NoProgress())
    [before] = [file async for file in exporter.trades("PEPEUSDT", SPAN)]
    async with write_session(engine) as session:
        await session.raw.execute("UPDATE agg_trades SET price = 0.0000000001 WHERE symbol = 'PEPEUSDT' AND agg_id = 2")
    with pytest.raises(UserError, match="more than 8 decimals"):
        assert [file async for file in exporter.trades("PEPEUSDT", SPAN)]
    assert _sizes(before.path) == {"trades.parquet": before.bytes}


def _sizes(path: str) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in Path(path).parent.iterdir()}
