"""Walks leave no reader open: neither one that fails, nor those beside it, nor one that cannot be closed."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.timeline import PlacedEvent
from libs.indicators.settings import KernelSettings
from libs.kit.errors import UserError
from libs.trading.costs import Costs
from services.backtester.reading import TableMarket
from services.backtester.request import BacktestRequest
from services.backtester.runner import Run
from services.backtester.sources import Reader, Span, Stretch
from services.backtester.sources.parquet import ParquetSource
from services.backtester.sweep.data import Collector
from services.backtester.walk import Walk
from tests.fakes.progress import Unwatched
from tests.services.backtester.market_days import FIRST_DAY, write_days
from tests.services.backtester.sweep.markets import DEFINITION, MARKETS, base

DAMAGED = UserError("a page is damaged", where="the middle", todo="repair it")
STUCK = OSError("the connection does not close")


@dataclass
class Pages:
    """A reader over one stream of pages. `fails`: reading raises it; None: the next page never comes. `stuck`: closing raises."""

    fails: Exception | None
    stuck: Exception | None = None
    closed: bool = False
    trades_read: int = 0
    _stream: Any = None

    async def begin(self) -> None:
        self._stream = self._pages()

    async def _pages(self) -> AsyncIterator[list[Stretch]]:
        yield []
        if self.fails is not None:
            raise self.fails
        await asyncio.get_running_loop().create_future()

    async def advance(self, until_ms: int) -> list[Stretch]:
        found: list[Stretch] = await anext(self._stream)
        return found

    def keep_mark_prices(self) -> None:
        pass

    async def close(self) -> None:
        await self._stream.aclose()
        self.closed = True
        if self.stuck is not None:
            raise self.stuck


@dataclass(frozen=True, slots=True)
class Opened(TableMarket):
    """Tables, but with these readers."""

    given: Sequence[Pages]

    async def readers(
        self, symbols: Sequence[str], span: Span, settings: KernelSettings, given: Sequence[PlacedEvent]
    ) -> list[Reader]:
        return list(self.given)


def asked(folder: Path) -> BacktestRequest:
    strategy = folder / "swept.json"
    strategy.write_text(json.dumps(DEFINITION))
    return BacktestRequest(
        source="parquet",
        path=folder,
        view="repaired",
        start=FIRST_DAY + timedelta(hours=20),
        end=FIRST_DAY + timedelta(days=1),
        strategies=(strategy,),
        warm_up_hours=2,
        allow_gaps=True,
        costs=Costs(funding=False),
    )


async def walked(folder: Path, readers: Sequence[Pages], fails_at: int = -1) -> None:
    walk = Walk(asked(folder), Opened(ParquetSource(folder), readers), Unwatched(), ["BTCUSDT"], [base()])
    async with walk.steps(15_000, [], "reading") as steps:
        number = 0
        async for _ in steps:
            if number == fails_at:
                raise DAMAGED
            number += 1


async def test_one_that_fails_is_what_is_told_and_those_that_still_read_are_closed(tmp_path: Path) -> None:
    readers = [Pages(None), Pages(DAMAGED), Pages(None)]
    async with asyncio.timeout(20):
        with pytest.raises(UserError, match="a page is damaged"):
            await walked(tmp_path, readers)
    assert [each.closed for each in readers] == [True, True, True]


async def test_whoever_stops_in_the_middle_leaves_none_open(tmp_path: Path) -> None:
    readers = [Pages(None), Pages(None)]
    async with asyncio.timeout(20):
        with pytest.raises(UserError, match="a page is damaged"):
            await walked(tmp_path, readers, fails_at=0)
    assert [each.closed for each in readers] == [True, True]


async def test_one_that_cannot_be_closed_leaves_no_other_open(tmp_path: Path) -> None:
    readers = [Pages(DAMAGED), Pages(None, STUCK), Pages(None)]
    async with asyncio.timeout(20):
        with pytest.raises(OSError, match="does not close"):
            await walked(tmp_path, readers)
    assert [each.closed for each in readers] == [True, True, True]


@dataclass
class Closing:
    """A reader that fails in its second stretch."""

    reader: Reader
    closed: list[Reader]
    steps: int = 0

    @property
    def trades_read(self) -> int:
        return self.reader.trades_read

    async def begin(self) -> None:
        await self.reader.begin()

    async def advance(self, until_ms: int) -> list[Stretch]:
        self.steps += 1
        if self.steps == 2:
            raise DAMAGED
        return await self.reader.advance(until_ms)

    def keep_mark_prices(self) -> None:
        self.reader.keep_mark_prices()

    async def close(self) -> None:
        await self.reader.close()
        self.closed.append(self.reader)


@dataclass(frozen=True, slots=True)
class Damaged(TableMarket):
    closed: list[Reader] = field(default_factory=list)

    async def readers(
        self, symbols: Sequence[str], span: Span, settings: KernelSettings, given: Sequence[PlacedEvent]
    ) -> list[Reader]:
        return [Closing(each, self.closed) for each in await TableMarket.readers(self, symbols, span, settings, given)]


@pytest.mark.parametrize("swept", [False, True])
async def test_runs_and_sweeps_close_what_they_have_opened(swept: bool, tmp_path: Path) -> None:
    write_days(tmp_path, MARKETS, 1)
    request, market = asked(tmp_path), Damaged(ParquetSource(tmp_path))
    work = (
        Collector(request, market, Unwatched(), base()).collect() if swept else Run(request, market, Unwatched()).run()
    )
    with pytest.raises(UserError, match="a page is damaged"):
        await work
    assert len(market.closed) == len(MARKETS)
