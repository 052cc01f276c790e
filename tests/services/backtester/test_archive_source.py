"""Archive files as a market: one scale for all pages, whatever is read when, and every day once."""

from pathlib import Path

import pytest

from libs.indicators.settings import KernelSettings
from services.backtester.reading import SymbolReader, stretches
from services.backtester.sources import Span
from services.backtester.sources.archive import ArchiveSource
from tests.services.backtester.archive_files import HOUR_MS, SYMBOL, at, write_trades

RANGE = Span(at("2024-08-03"), at("2024-08-04"))
WITH_WARM_UP = Span(at("2024-08-01"), at("2024-08-04"))


async def prices(source: ArchiveSource, span: Span) -> list[float]:
    """The prices that a reader of the span gives, hour by hour."""
    reader = SymbolReader(source, SYMBOL, span, KernelSettings.for_evaluation(15_000))
    await reader.begin()
    found: list[float] = []
    for until_ms in stretches(span, HOUR_MS):
        for part in await reader.advance(until_ms):
            if part.trades is not None:
                found += (part.trades.price / 10**part.trades.price_decimals).tolist()
    await reader.close()
    return found


@pytest.mark.parametrize("counted", [(), (RANGE,), (RANGE, Span(WITH_WARM_UP.start_ms, RANGE.start_ms))])
async def test_a_finer_warm_up_keeps_its_prices(tmp_path: Path, counted: tuple[Span, ...]) -> None:
    write_trades(tmp_path, "2024-08-01", range(1440))
    write_trades(tmp_path, "2024-08-02", range(1440, 2880), price=lambda number: "100.25" if number % 2 else "100.5")
    write_trades(tmp_path, "2024-08-03", range(2880, 4320))
    source = ArchiveSource([tmp_path])
    for span in counted:
        assert await source.stored(SYMBOL, span) is not None
    expected = [100.5] * 1440 + [100.5, 100.25] * 720 + [100.5] * 1440
    assert await prices(source, WITH_WARM_UP) == expected


async def test_a_day_beside_its_month_takes_nothing_away(tmp_path: Path) -> None:
    write_trades(tmp_path, "2024-08", range(31 * 24), HOUR_MS)
    write_trades(tmp_path, "2024-08-10", range(9 * 24, 10 * 24), HOUR_MS)
    august = Span(at("2024-08-01"), at("2024-09-01"))
    stored = await ArchiveSource([tmp_path]).stored(SYMBOL, august)
    assert stored is not None
    assert (stored.rows, stored.missing, stored.empty_days) == (31 * 24, 0, ())
    assert len(await prices(ArchiveSource([tmp_path]), august)) == 31 * 24


async def test_files_of_other_days_are_not_opened(tmp_path: Path) -> None:
    for day in range(1, 8):
        write_trades(tmp_path, f"2024-08-{day:02}", range(day * 1440, day * 1440 + 1440))
    for broken in ("2024-08-01", "2024-08-06"):
        (tmp_path / f"{SYMBOL}-aggTrades-{broken}.csv").write_text("no trades at all")
    stored = await ArchiveSource([tmp_path]).stored(SYMBOL, Span(at("2024-08-03"), at("2024-08-04")))
    assert stored is not None
    assert (stored.rows, stored.missing) == (1440, 0)
