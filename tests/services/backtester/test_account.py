"""The account of a run: funding is demanded as often as the contract settles."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.trading.costs import Costs
from libs.trading.market import MissingFunding
from libs.trading.simulation import Simulator
from services.backtester.account import trading_setup
from services.backtester.reading import TableMarket
from services.backtester.request import BacktestRequest
from services.backtester.sources.archive import ArchiveSource
from tests.libs.trading.accounts import HOUR_MS, MINUTE_MS, START_MS, SYMBOL, Idea, signal, tape

START = datetime.fromtimestamp(START_MS / 1000, UTC)


def rates(folder: Path, *hours: int) -> TableMarket:
    """An archive with settlements at these hours after the start (below 0: before it)."""
    lines = [f"{START_MS + hour * HOUR_MS + 3},8,0.0001" for hour in hours]
    text = "\n".join(["calc_time,funding_interval_hours,last_funding_rate", *lines]) + "\n"
    (folder / f"{SYMBOL}-fundingRate-2024-10.csv").write_text(text)
    return TableMarket(ArchiveSource([folder]))


async def test_a_missing_settlement_of_a_four_hourly_contract_is_an_error(tmp_path: Path) -> None:
    request = BacktestRequest(
        source="archive", path=tmp_path, start=START, end=START + timedelta(hours=12), costs=Costs(slippage=False)
    )
    source = rates(tmp_path, -12, -8, -4, 0, 8)
    setup, _ = await trading_setup(request, source, {SYMBOL: (1, 3)})
    simulator = Simulator(setup, START_MS)
    market = tape((4 * HOUR_MS - 30_000, "100.0"), (4 * HOUR_MS, "97.0"))
    idea = Idea(at=4 * HOUR_MS - MINUTE_MS)
    with pytest.raises(MissingFunding, match="no funding rate at 2024-10-04T04:00Z"):
        simulator.advance({SYMBOL: market}, [signal(idea)], START_MS + 12 * HOUR_MS)
