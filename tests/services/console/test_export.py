"""Parquet files hold exactly what the tables hold, appear whole, and read as one table."""

import asyncio
import datetime as dt
import errno
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pyarrow.dataset as dataset
import pyarrow.parquet as parquet
import pytest
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import UserError
from libs.store.engine import write_session
from libs.store.exported import MONEY
from libs.store.imports import FundingRate, write_funding_rates
from libs.store.market_facts import Placed, write_market_facts
from services.console.data_export import require_stored
from services.console.history import parquet as exporting
from services.console.history.parquet import Exporter, ExportSpan
from tests.services.console.archive_files import trade_lines, write_file
from tests.services.console.history_database import NoProgress, import_all, opened_engine, rows_of
from tests.services.recorder.timelines import liquidation
from tests.services.signal_engine.timelines import mark_price, open_interest

SPAN = ExportSpan(dt.datetime(2024, 8, 7, tzinfo=dt.UTC), dt.datetime(2024, 8, 9, tzinfo=dt.UTC))
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
    assert everything.schema.field("price").type == MONEY
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


async def test_mark_prices_and_settled_rates_are_the_exact_text(engine: AsyncEngine, tmp_path: Path) -> None:
    at_ms = 1_723_075_202_000
    mark = replace(
        mark_price("BTCUSDT", at_ms, 10_010), funding_rate=Decimal("0.00010000"), basis_percent=Decimal("0.1")
    )
    fine = replace(mark_price("BTCUSDT", at_ms + 2_000, 0), mark_price=Decimal("0.1234567890123"))
    async with write_session(engine) as session:
        await write_market_facts(session, [Placed(mark, 5), Placed(fine, -1)])
        await write_funding_rates(session, "BTCUSDT", [FundingRate(1_723_075_200_000, Decimal("0.00012300"), 8)])
    exporter = Exporter(engine, tmp_path / "out", NoProgress())
    [file] = [file async for file in exporter.slow("rate_snapshots", [], SPAN)]
    assert file.path.endswith("mark_prices/symbol=BTCUSDT/day=2024-08-08/mark_prices.parquet")
    first, second = parquet.read_table(file.path, partitioning=None).to_pylist()
    assert (first["mark_price"], first["index_price"], first["funding_rate"]) == ("10010", "10000", "0.00010000")
    assert (first["estimated_settle_price"], first["effective_at"].timestamp()) == (None, 0.005)
    assert (second["mark_price"], second["funding_rate"], second["effective_at"]) == ("0.1234567890123", None, None)
    [file] = [file async for file in exporter.slow("funding_rates", ["BTCUSDT"], SPAN)]
    [row] = parquet.read_table(file.path, partitioning=None).to_pylist()
    assert (row["funding_rate"], row["interval_hours"]) == ("0.00012300", 8)


async def test_a_file_that_cannot_be_finished_leaves_the_one_before(engine: AsyncEngine, tmp_path: Path) -> None:
    exporter = Exporter(engine, tmp_path / "out", NoProgress())
    [before] = [file async for file in exporter.trades("PEPEUSDT", SPAN)]
    async with write_session(engine) as session:
        await session.raw.execute("UPDATE agg_trades SET price = 0.0000000001 WHERE symbol = 'PEPEUSDT' AND agg_id = 2")
    assert [file async for file in exporter.trades("PEPEUSDT", SPAN)] == []
    [said] = map(str, exporter.left_out)
    assert "the price of agg_id 2 has more than 8 decimals (trades of 'PEPEUSDT', 2024-08-07)" in said
    assert _sizes(before.path) == {"trades.parquet": before.bytes}


async def test_the_last_day_is_not_included(engine: AsyncEngine, tmp_path: Path) -> None:
    exporter = Exporter(engine, tmp_path / "out", NoProgress())
    first = ExportSpan(SPAN.start, SPAN.start + dt.timedelta(days=1))
    files = [file async for file in exporter.trades("BTCUSDT", first)]
    assert [(Path(file.path).parent.name, file.rows) for file in files] == [("day=2024-08-07", 10_000)]


async def test_a_symbol_that_is_not_stored_is_refused_with_those_that_are(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await write_market_facts(session, [Placed(open_interest("DOGEUSDT", 1_723_075_200_000, "1"), 7)])
    await require_stored(engine, [])
    await require_stored(engine, ["ETHUSDT", "DOGEUSDT"])
    with pytest.raises(UserError, match=r"nothing is stored of NOPE .*: BTCUSDT, DOGEUSDT, ETHUSDT, PEPEUSDT"):
        await require_stored(engine, ["BTCUSDT", "NOPE"])


async def test_a_folder_that_is_none_is_not_answered_with_free_space(engine: AsyncEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UserError, match="a part of the path is a file: name a folder") as raised:
            assert [file async for file in Exporter(engine, folder, NoProgress()).trades("PEPEUSDT", SPAN)]
        assert "free space" not in str(raised.value)


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.EACCES, "you may write to"), (errno.ENOSPC, "free space"), (errno.EIO, "another folder")],
)
def test_advice_fits_what_the_system_says(number: int, advice: str) -> None:
    assert advice in str(exporting.unwritable(OSError(number, "no"), Path("parquet")))


async def test_one_row_that_does_not_fit_costs_its_own_file_only(engine: AsyncEngine, tmp_path: Path) -> None:
    huge, fits = liquidation(1), replace(liquidation(2), symbol="ETHUSDT")
    huge = replace(huge, event_id="l:huge", quantity=Decimal("1E+40"))
    async with write_session(engine) as session:
        await write_market_facts(session, [Placed(fact, -1) for fact in (liquidation(3), huge, fits)])
    exporter = Exporter(engine, tmp_path / "out", NoProgress())
    files = [file async for file in exporter.slow("liquidation_events", [], SPAN)]
    assert [(Path(file.path).relative_to(tmp_path / "out").parts[1], file.rows) for file in files] == [
        ("symbol=ETHUSDT", 1)
    ]
    [said] = map(str, exporter.left_out)
    assert "the quantity of 'l:huge', 1" in said
    assert "does not fit decimal128(18, 8) (liquidations of 'BTCUSDT', 2024-08-08)" in said


async def test_no_symbol_leads_out_of_the_folder(engine: AsyncEngine, tmp_path: Path) -> None:
    away = replace(liquidation(1), symbol="../../../../ESCAPE")
    async with write_session(engine) as session:
        await write_market_facts(session, [Placed(away, -1), Placed(liquidation(2), -1)])
    exporter = Exporter(engine, tmp_path / "a" / "b" / "out", NoProgress())
    assert [file.rows async for file in exporter.slow("liquidation_events", [], SPAN)] == [1]
    assert [file async for file in exporter.trades("../../../../ESCAPE", SPAN)] == []
    assert ["'../../../../ESCAPE' is no symbol" in str(error) for error in exporter.left_out] == [True]
    assert not _below(tmp_path, "ESCAPE")


async def test_a_span_of_all_days_asks_for_those_that_are_stored(engine: AsyncEngine, tmp_path: Path) -> None:
    async with write_session(engine) as session:
        await write_market_facts(session, [Placed(liquidation(1), -1)])
    always = ExportSpan(dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC))
    exporter = Exporter(engine, tmp_path / "out", NoProgress())
    async with asyncio.timeout(60):
        assert [file.rows async for file in exporter.trades("PEPEUSDT", always)] == [3]
        assert [file.rows async for file in exporter.slow("liquidation_events", [], always)] == [1]


def _below(folder: Path, name: str) -> list[Path]:
    return [path for path in folder.rglob("*") if name in path.name]


def _sizes(path: str) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in Path(path).parent.iterdir()}
