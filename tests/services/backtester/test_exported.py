"""What was exported replays as the tables do: the same signals byte for byte, the same settlements, one line for a bad number."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from libs.contracts.codec import Encoded, encode_value
from libs.contracts.timeline import PlacedEvent
from libs.indicators.settings import KernelSettings
from libs.store.exported import FileName, path_of
from libs.store.slow_rows import SlowTable
from services.backtester.reading import TableMarket
from services.backtester.sources import Market, Span, Tables
from services.backtester.sources.parquet import ParquetSource
from services.backtester.sources.postgres import PostgresSource
from services.backtester.sources.unreadable import UnreadableFile
from services.console.history.parquet import Exporter, ExportSpan
from tests.services.backtester.parquet_files import change, read_whole
from tests.services.console.history_database import NoProgress
from tests.services.recorder.conftest import Installation
from tests.services.signal_engine.timelines import START_MS, activation, mixed_timeline

pytestmark = pytest.mark.integration
SYMBOLS = ["BTCUSDT", "ETHUSDT"]
DAY = dt.datetime.fromtimestamp(START_MS / 1000, dt.UTC)
SPAN = Span(START_MS, START_MS + 86_400_000)
TABLES: tuple[SlowTable, ...] = ("market_indicators", "rate_snapshots", "funding_rates")


@pytest.fixture
async def exported(installation: Installation, tmp_path: Path) -> Path:
    """Minutes of two symbols with their mark prices and open interest, recorded and exported; no reports of feeds, which an
    export does not have, and settled rates: one imported, one observed."""
    timeline = mixed_timeline(11, SYMBOLS, 1_200)
    await installation.append(
        [Encoded(record.value or b"", list(record.headers.items())) for record in timeline.records]
    )
    await installation.record_all(real_time=False)
    async with installation.engine.begin() as connection:
        for statement in (
            "DELETE FROM feed_status",
            "INSERT INTO funding_rates VALUES ('BTCUSDT', to_timestamp(1717977600), 0.00012300, 8)",
        ):
            await connection.exec_driver_sql(statement)
    exporter = Exporter(installation.engine, tmp_path / "export", NoProgress())
    asked = ExportSpan(DAY, DAY + dt.timedelta(days=1))
    for symbol in SYMBOLS:
        assert [file async for file in exporter.trades(symbol, asked)]
    for table in TABLES:
        assert [file async for file in exporter.slow(table, [], asked)]
    assert exporter.left_out == []
    return tmp_path / "export"


async def signals(tables: Tables) -> list[bytes]:
    market: Market = TableMarket(tables)
    found = []
    for reader in await market.readers(SYMBOLS, SPAN, KernelSettings(), [PlacedEvent(-1, activation(30))]):
        await reader.begin()
        for part in await reader.advance(SPAN.start_ms + 900_000):
            found += [encode_value(signal) for item in part.evaluations for signal in item.signals]
        await reader.close()
    return found


async def test_an_export_replays_as_the_tables_do(installation: Installation, exported: Path) -> None:
    """The strategy looks at the basis alone, so without mark prices there would be no signal."""
    stored, files = PostgresSource(installation.engine, "repaired"), ParquetSource(exported)
    of_tables = await signals(stored)
    assert len(of_tables) > 5
    assert await signals(files) == of_tables
    settled = await files.funding("BTCUSDT", SPAN)
    assert settled == list(await stored.funding("BTCUSDT", SPAN))
    assert [(item.time_ms, item.rate) for item in settled] == [(START_MS, Decimal("0.00012300"))]


@pytest.mark.parametrize(("name", "column"), [("mark_prices", "mark_price"), ("funding", "funding_rate")])
async def test_a_number_that_is_none_is_one_clear_line(exported: Path, name: FileName, column: str) -> None:
    path = path_of(exported, name, "BTCUSDT", DAY.date())
    change(path, **{column: pa.array(["seven"] * read_whole(path).num_rows)})
    source = ParquetSource(exported)

    async def ask() -> None:
        if name == "funding":
            await source.funding("BTCUSDT", SPAN)
        assert [event async for event in source.events("BTCUSDT", SPAN)]

    with pytest.raises(UnreadableFile, match=rf"row 0: {column} is no number: 'seven' \(.*{name}\.parquet\)"):
        await ask()
