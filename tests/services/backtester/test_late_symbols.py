"""A symbol whose first trade is hours behind the start of the range joins the account then."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec

from libs.contracts.timeline import PlacedEvent
from libs.indicators.settings import KernelSettings
from libs.trading.costs import Costs
from services.backtester.reading import TableMarket
from services.backtester.request import BacktestRequest
from services.backtester.runner import Run
from services.backtester.sources import Reader, Span, Stretch
from services.backtester.sources.parquet import ParquetSource
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days
from tests.services.backtester.sweep.markets import DEFINITION, MARKETS, Unwatched


@dataclass(slots=True)
class Quiet:
    """A reader that says nothing of a symbol before its first trade, as the log does."""

    reader: Reader
    begun: bool = False

    @property
    def trades_read(self) -> int:
        return self.reader.trades_read

    async def begin(self) -> None:
        await self.reader.begin()

    async def advance(self, until_ms: int) -> list[Stretch]:
        parts = await self.reader.advance(until_ms)
        self.begun = self.begun or any(part.trades is not None and len(part.trades) for part in parts)
        return parts if self.begun else []

    async def close(self) -> None:
        await self.reader.close()


class LikeTheLog(TableMarket):
    """Tables whose symbols appear with their first trade."""

    async def readers(
        self, symbols: Sequence[str], span: Span, settings: KernelSettings, given: Sequence[PlacedEvent]
    ) -> list[Reader]:
        return [Quiet(reader) for reader in await super().readers(symbols, span, settings, given)]


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
    result = await Run(request, LikeTheLog(ParquetSource(tmp_path)), Unwatched()).run()
    assert {outcome.symbol for outcome in result.outcomes} == {"BTCUSDT", "ETHUSDT"}
    assert len([line for line in result.facts.assumptions if "filters assumed" in line]) == 1
    second_day_ms = request.start_ms + 4 * 3_600_000
    assert all(each.entry.time_ms >= second_day_ms for each in result.outcomes if each.symbol == late.symbol)
    alone = request.model_copy(update={"symbols": (late.symbol,)})
    late_only = await Run(alone, TableMarket(ParquetSource(tmp_path)), Unwatched()).run()
    mine = [each for each in result.signals if each.symbol == late.symbol]
    assert [msgspec.json.encode(each) for each in mine] == [msgspec.json.encode(each) for each in late_only.signals]
