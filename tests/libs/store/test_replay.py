"""What a backtest reads beside trades: one row a settlement of funding, whichever tables have it."""

from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.market import MarketIndicatorObserved
from libs.store.engine import write_session
from libs.store.imports import FundingRate, write_funding_rates
from libs.store.instants import instant
from libs.store.market_facts import Placed, write_market_facts
from libs.store.replay import ReplaySpan, settled_funding
from tests.services.recorder.timelines import START_MS

EIGHT_HOURS_MS = 8 * 3_600_000
RATE = Decimal("0.0001")


def seen(number: int, mark: int | None) -> MarketIndicatorObserved:
    """A settlement as it was fetched live, 3 ms after the hour."""
    values = {"funding_rate": RATE} | ({} if mark is None else {"mark_price": Decimal(mark)})
    return MarketIndicatorObserved(
        event_id=f"funding-{number}",
        event_time_ms=START_MS + number * EIGHT_HOURS_MS + 3,
        symbol="BTCUSDT",
        kind="funding_rate",
        period=None,
        values=values,
        source="binance",
    )


async def test_a_settlement_of_two_tables_is_one_row_with_its_mark_price(engine: AsyncEngine) -> None:
    marks = [60_000 + number if number % 4 else None for number in range(21)]
    async with write_session(engine) as session:
        imported = [FundingRate(START_MS + number * EIGHT_HOURS_MS, RATE, 8) for number in range(21)]
        await write_funding_rates(session, "BTCUSDT", imported)
        await write_market_facts(session, [Placed(seen(number, mark), -1) for number, mark in enumerate(marks)])
    span = ReplaySpan("BTCUSDT", instant(START_MS), instant(START_MS + 21 * EIGHT_HOURS_MS))
    found = await settled_funding(engine, span)
    assert [mark for _, _, mark in found] == [None if mark is None else Decimal(mark) for mark in marks]
    assert [(time_ms - START_MS) // 1000 for time_ms, _, _ in found] == [n * EIGHT_HOURS_MS // 1000 for n in range(21)]
    assert {rate for _, rate, _ in found} == {RATE}
