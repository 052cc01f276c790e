"""A symbol whose first trade is hours behind the start of the range joins the account then."""

import json
import shutil
from datetime import timedelta
from pathlib import Path

import msgspec

from libs.contracts.signals import SignalScored
from libs.trading.costs import Costs
from services.backtester.reading import TableMarket
from services.backtester.request import BacktestRequest
from services.backtester.runner import Run
from services.backtester.sources import Stretch
from services.backtester.sources.parquet import ParquetSource
from tests.fakes.progress import Unwatched
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days
from tests.services.backtester.overheard import Listener, Overheard
from tests.services.backtester.sweep.markets import DEFINITION, MARKETS


def quiet_before_its_first_trade() -> Listener:
    """Says nothing of a symbol before its first trade, as the log does."""
    begun = False

    def listen(parts: list[Stretch]) -> list[Stretch]:
        nonlocal begun
        begun = begun or any(part.trades is not None and len(part.trades) for part in parts)
        return parts if begun else []

    return listen


async def test_a_symbol_that_appears_later_is_traded_from_then_on(tmp_path: Path) -> None:
    first, late = Market("BTCUSDT", 60_000.0, 4_000, 1), MARKETS[1]
    write_days(tmp_path, [first, late], 2)
    shutil.rmtree(tmp_path / "trades" / f"symbol={late.symbol}" / f"day={FIRST_DAY.date()}")
    (tmp_path / "swept.json").write_text(json.dumps(DEFINITION))
    request = BacktestRequest(
        source="parquet",
        path=tmp_path,
        view="repaired",
        start=FIRST_DAY + timedelta(hours=20),
        end=FIRST_DAY + timedelta(days=2),
        strategies=(tmp_path / "swept.json",),
        warm_up_hours=20,
        allow_gaps=True,
        costs=Costs(funding=False),
    )
    heard, heard_alone = list[SignalScored](), list[SignalScored]()
    market = Overheard(ParquetSource(tmp_path), quiet_before_its_first_trade)
    result = await Run(request, market, Unwatched(), heard).run()
    assert {outcome.symbol for outcome in result.outcomes} == {"BTCUSDT", "ETHUSDT"}
    assert len([line for line in result.facts.assumptions if "filters assumed" in line]) == 1
    second_day_ms = request.start_ms + 4 * 3_600_000
    assert all(each.entry.time_ms >= second_day_ms for each in result.outcomes if each.symbol == late.symbol)
    alone = request.model_copy(update={"symbols": (late.symbol,)})
    await Run(alone, TableMarket(ParquetSource(tmp_path)), Unwatched(), heard_alone).run()
    mine = [each for each in heard if each.symbol == late.symbol]
    assert [msgspec.json.encode(each) for each in mine] == [msgspec.json.encode(each) for each in heard_alone]
    assert mine
