"""The tables as seen: what a repair brought after the engine had gone on is missing, and the report says for whom."""

from dataclasses import replace

import numpy as np
import pytest

from libs.contracts.market import Hole
from libs.contracts.timeline import PlacedHole
from libs.store.copy_format import SymbolTrades
from libs.store.engine import write_session
from libs.store.gaps import write_gaps
from libs.store.partitions import create_partitions, months_between
from libs.store.trades import write_trades
from services.backtester.report.document import cautions
from services.backtester.result import TRADES, InputCoverage
from services.backtester.sources import Span
from services.backtester.sources.postgres import PostgresSource
from tests.libs.store.test_trades import trades
from tests.services.backtester.results import curve, facts, plain_result
from tests.services.recorder.conftest import Installation

DAY_MS = 86_400_000
START_MS = 1_723_075_200_000  # 2024-08-08
SPAN = Span(START_MS, START_MS + 3 * DAY_MS)


def three_days() -> SymbolTrades:
    """300 trades, a hundred a day."""
    made = trades(1_000, 300)
    times = START_MS + np.arange(300) * (DAY_MS // 100)
    return replace(made, trade_time=times, time=times)


async def kept(installation: Installation, *holes: tuple[int, int]) -> None:
    """All trades, and holes of these ids that were in band."""
    rows = three_days()
    async with write_session(installation.engine) as session:
        await create_partitions(session, months_between(SPAN.start_ms, SPAN.end_ms))
    async with write_session(installation.engine) as session:
        await write_trades(session, [rows])
        found = []
        for first, last in holes:
            before, after = (int(rows.trade_time[at]) for at in (first - 1_001, last - 999))
            found.append(PlacedHole(before - 1, Hole("BTCUSDT", first, last, before, after, "rest_no_longer_has_it")))
        await write_gaps(session, found)


@pytest.mark.integration
async def test_what_a_repair_brought_is_missing_as_seen(installation: Installation) -> None:
    # Ten trades of the first day, and the whole second day.
    await kept(installation, (1_050, 1_059), (1_100, 1_199))
    source = PostgresSource(installation.engine, "as-seen")
    stored = await source.stored("BTCUSDT", SPAN)
    assert stored is not None
    assert (stored.rows, stored.missing, stored.empty_days) == (190, 110, ("2024-08-09",))
    assert sum([len(page) async for page in source.trades("BTCUSDT", SPAN)]) == stored.rows
    repaired = await PostgresSource(installation.engine, "repaired").stored("BTCUSDT", SPAN)
    assert repaired is not None
    assert (repaired.rows, repaired.missing, repaired.empty_days) == (300, 0, ())


@pytest.mark.parametrize(("view", "share", "said"), [("as-seen", 0.99, 1), ("as-seen", 1.0, 0), ("repaired", 0.99, 0)])
def test_the_report_says_that_fills_have_the_holes_too(view: str, share: float, said: int) -> None:
    trades_known = InputCoverage(symbol="BTCUSDT", name=TRADES, share=share, rows=99)
    result = replace(plain_result((), curve((30, 10_000)), facts(view=view)), coverage=(trades_known,))
    assert sum("fills" in line for line in cautions(result)) == said
