"""What is refused before a run: less than the range has, also at its ends; and what a report says where it was allowed."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from services.backtester.coverage import CoverageCounter, Incomplete, check_trades, lacking_warm_up
from services.backtester.reading import TableMarket
from services.backtester.sources import Span
from services.backtester.sources.archive import ArchiveSource
from tests.services.backtester.archive_files import SYMBOL, at, write_trades


@dataclass(frozen=True)
class Files:
    """A market of trades each minute of a day and a half."""

    market: TableMarket

    async def share(self, begin: str, end: str) -> tuple[float, str]:
        """Of a range that may have gaps: the share of the trades, and what is missing."""
        stored = await check_trades(self.market, [SYMBOL], Span(at(begin), at(end)), allow_gaps=True)
        [row] = CoverageCounter([]).rows(stored)
        return row.share, row.missing

    async def check(self, begin: str, end: str) -> None:
        await check_trades(self.market, [SYMBOL], Span(at(begin), at(end)), allow_gaps=False)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    write_trades(tmp_path, "2024-08-02", range(1440))
    write_trades(tmp_path, "2024-08-03", range(1440, 2160))  # until noon
    return Files(TableMarket(ArchiveSource([tmp_path])))


@pytest.mark.parametrize(
    ("begin", "end"), [("2024-08-02", "2024-08-03T12:00"), ("2024-08-02T23:50", "2024-08-03T12:09")]
)
async def test_a_range_that_is_there_is_taken(files: Files, begin: str, end: str) -> None:
    await files.check(begin, end)
    assert await files.share(begin, end) == (1.0, "")


@pytest.mark.parametrize(
    ("begin", "end", "says"),
    [
        ("2024-08-01T04:00", "2024-08-03T12:00", "the first is at 2024-08-02 00:00Z, 20.0 hours after the beginning"),
        ("2024-08-02", "2024-08-04", "the last is at 2024-08-03 11:59Z, 12.0 hours before the end"),
        ("2024-08-03", "2024-08-03T12:30", "the last is at 2024-08-03 11:59Z, 30 minutes before the end"),
    ],
)
async def test_a_range_that_begins_before_or_ends_after_the_trades_is_refused(
    files: Files, begin: str, end: str, says: str
) -> None:
    with pytest.raises(Incomplete) as refused:
        await files.check(begin, end)
    assert says in str(refused.value)
    share, missing = await files.share(begin, end)
    assert says in missing
    known = at("2024-08-03T12:00") - max(at(begin), at("2024-08-02"))
    assert share == pytest.approx(known / (at(end) - at(begin)), abs=2e-3)


@pytest.mark.parametrize(
    ("begin", "end", "says", "share"),
    [
        ("2024-08-02", "2024-08-03", None, 1.0),
        (
            "2024-08-01T12:00",
            "2024-08-03",
            "1 of the days have none (2024-08-01); the first is at 2024-08-02 00:00Z",
            2 / 3,
        ),
        ("2024-07-31", "2024-08-02", "there are none", 0.0),
        ("2024-08-02", "2024-08-02", None, 1.0),
    ],
)
async def test_a_warm_up_that_is_not_all_there_is_told(
    files: Files, begin: str, end: str, says: str | None, share: float
) -> None:
    found = await lacking_warm_up(files.market, [SYMBOL], Span(at(begin), at(end)))
    if says is None:
        assert found == ()
        return
    [row] = found
    assert says in row.missing
    assert row.share == pytest.approx(share, abs=2e-3)
