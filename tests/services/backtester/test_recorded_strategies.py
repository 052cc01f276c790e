"""Recorded configurations: those that counted in the range, whatever came before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from libs.contracts.control import StrategyActivated
from libs.contracts.timeline import PlacedEvent
from libs.kit.errors import UserError
from libs.trading.costs import Costs
from services.backtester.reading import TableMarket
from services.backtester.request import BacktestRequest
from services.backtester.result import BacktestResult
from services.backtester.runner import Run
from services.backtester.sources import Span
from services.backtester.sources.parquet import ParquetSource
from services.backtester.strategies import activation, in_force
from tests.fakes.progress import Unwatched
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days
from tests.services.backtester.sweep.markets import base

START_MS = int(FIRST_DAY.timestamp() * 1000)
HOUR_MS = 3_600_000


def placed(at_ms: int, version: int, *, enabled: bool = True, name: str = "swept") -> PlacedEvent:
    strategy = base().model_copy(update={"version": version, "name": name})
    event = activation(strategy, strategy.model_dump_json().encode())
    told = event if enabled else msgspec.structs.replace(event, enabled=False, event_id=event.event_id + "-off")
    return PlacedEvent(at_ms, told)


@pytest.mark.parametrize(
    ("log", "counted"),
    [
        ([placed(10, 1)], [1]),
        ([placed(10, 1), placed(50, 2)], [2]),
        ([placed(10, 1), placed(150, 2)], [1, 2]),
        ([placed(10, 1), placed(199, 2)], [1]),  # an evaluation at 199 does not see it yet, and 200 is outside
        ([placed(10, 1), placed(198, 2)], [1, 2]),
        ([placed(10, 1), placed(99, 2)], [2]),
        ([placed(10, 1), placed(100, 2)], [1, 2]),  # the evaluation at the start was the old one's
        ([placed(10, 1), placed(50, 1, enabled=False)], []),
        ([placed(10, 1), placed(150, 1, enabled=False)], [1]),
        ([placed(10, 1), placed(120, 2), placed(130, 1)], [1, 2]),
        ([placed(10, 1), placed(120, 2), placed(120, 3)], [1, 3]),
        ([placed(300, 1)], []),
        ([], []),
    ],
)
def test_what_counts_at_an_evaluation_of_the_range(log: list[PlacedEvent], counted: list[int]) -> None:
    assert [event.version for event in in_force(log, Span(100, 200))] == counted


def test_strategies_are_told_by_name() -> None:
    log = [placed(10, 1, name="b"), placed(20, 3, name="a"), placed(150, 2, name="b"), placed(160, 4, name="a")]
    found: Sequence[StrategyActivated] = in_force(log, Span(100, 200))
    assert [(event.strategy, event.version) for event in found] == [("a", 3), ("a", 4), ("b", 1), ("b", 2)]


@dataclass(frozen=True)
class Recorded(ParquetSource):
    """Files of trades with a log of configurations beside them."""

    log: tuple[PlacedEvent, ...] = ()

    async def activations(self, symbol: str) -> Sequence[PlacedEvent]:
        return self.log


async def test_a_run_names_the_versions_that_it_ran(tmp_path: Path) -> None:
    write_days(tmp_path, [Market("BTCUSDT", 60_000.0, 4_000, 1)], 1)
    log = (placed(-1, 1), placed(START_MS + 15 * HOUR_MS, 2), placed(START_MS + 48 * HOUR_MS, 3))
    result = await ran(tmp_path, log)
    assert [(name, version) for name, version, _ in result.facts.strategies] == [("swept", 1), ("swept", 2)]
    assert {signal.version for signal in result.signals} == {1, 2}
    with pytest.raises(UserError, match="no strategy counts in this range"):
        await ran(tmp_path, (placed(-1, 1), placed(START_MS, 1, enabled=False)))


async def ran(folder: Path, log: tuple[PlacedEvent, ...]) -> BacktestResult:
    request = BacktestRequest(
        start=FIRST_DAY + timedelta(hours=10),
        end=FIRST_DAY + timedelta(hours=20),
        warm_up_hours=10,
        allow_gaps=True,
        costs=Costs(funding=False),
    )
    return await Run(request, TableMarket(Recorded(folder, log=log)), Unwatched()).run()
