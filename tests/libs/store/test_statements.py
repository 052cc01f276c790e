"""The statement's lines: once however often, with the page that they came in, and how far they are known without a hole."""

from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.store.engine import read_session
from libs.store.instants import milliseconds
from libs.store.live import PostgresBooks
from libs.store.statements import statement_span
from libs.trading.execution.books import Page, Statement, StatementLine
from tests.libs.store.live_trades import NOW_MS

FUNDING = StatementLine("FUNDING_FEE", "BTCUSDT", Decimal("-0.12345678"), "USDT", NOW_MS, 5, "", "FUNDING_FEE")
MINUTE = 60_000


async def span(engine: AsyncEngine) -> tuple[int, int] | None:
    async with read_session(engine) as session:
        found = await statement_span(session, "main")
    if found is None:
        return None
    return (milliseconds(found.start) - NOW_MS) // MINUTE, (milliseconds(found.stop) - NOW_MS) // MINUTE


async def test_lines_are_added_once_and_spans_that_meet_are_one(engine: AsyncEngine) -> None:
    books = PostgresBooks(engine, "main")
    lease = await books.acquire("one")
    assert lease is not None
    assert await span(engine) is None
    for since, until, known in ((0, 10, (0, 10)), (10, 20, (0, 20)), (-5, 3, (-5, 20)), (12, 15, (-5, 20))):
        page = Page(statement=Statement(NOW_MS + since * MINUTE, NOW_MS + until * MINUTE, [FUNDING]))
        await books.write(lease, page)
        assert await span(engine) == known
    assert (await books.load(lease)).statement_until_ms == NOW_MS + 20 * MINUTE
    await books.write(lease, Page(statement=Statement(NOW_MS + 30 * MINUTE, NOW_MS + 40 * MINUTE, [])))
    assert await span(engine) == (30, 40), "nobody has read what lies between"
    async with read_session(engine) as session:
        rows = (
            await session.connection.execute(text("SELECT kind, amount, transaction_id FROM account_statement"))
        ).all()
    assert [tuple(row) for row in rows] == [("FUNDING_FEE", Decimal("-0.12345678"), 5)]
