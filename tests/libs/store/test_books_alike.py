"""Books in memory, with which executors are tested, answer as those in PostgreSQL do: over random sequences of calls."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.kit.settings import DatabaseSettings
from libs.store import migrate
from libs.store.engine import Engine, create_engine, write_session
from libs.store.live import PostgresBooks
from libs.trading.execution.books import (
    GUARD_BROKE,
    GUARD_WORKS,
    Books,
    ConfigTaken,
    Kept,
    Lease,
    LeaseLost,
    LiveEvent,
    NonceTaken,
    Page,
    Statement,
    StatementLine,
)
from libs.trading.execution.config import LiveConfig
from tests.fakes.memory_books import MemoryBooks, MemoryDatabase
from tests.libs.store.live_trades import COMMAND, NOW_MS, TRADE, replaced

_ACCOUNTS = itertools.count()
LINES = [StatementLine("FUNDING_FEE", "BTCUSDT", Decimal(n), "USDT", NOW_MS, n) for n in range(3)]
TRADES = st.builds(
    lambda name, state, quantity: replaced(TRADE, trade_id=name, state=state, quantity=Decimal(quantity)),
    st.sampled_from(["t1", "t2"]),
    st.sampled_from(["open", "closed", "refused"]),
    st.sampled_from(["0.5", "0.50", "1"]),
)
COMMANDS = st.builds(
    lambda nonce, result, expires: replaced(COMMAND, nonce=nonce, result=result, expires_ms=expires),
    st.sampled_from(["n1", "n2"]),
    st.sampled_from(["closing", "refused"]),
    st.sampled_from([1_700_000_000_000, 4_000_000_000_000]),
)
STATEMENTS = st.builds(
    lambda since, length, names: Statement(since, since + length, [LINES[name] for name in names]),
    st.integers(0, 50),
    st.integers(0, 20),
    st.lists(st.sampled_from([0, 1, 2]), max_size=3),
)
EVENTS = st.builds(
    lambda name, kind, after_ms: LiveEvent(name, kind, NOW_MS + after_ms, {}),
    st.sampled_from("abcd"),
    st.sampled_from(["seen", GUARD_BROKE, GUARD_WORKS]),
    st.integers(0, 2),
)
PAGES = st.builds(
    Page,
    st.lists(TRADES, max_size=2),
    st.lists(EVENTS, max_size=2),
    st.lists(COMMANDS, max_size=2),
    st.dictionaries(st.tuples(st.just("topic"), st.integers(0, 1)), st.integers(0, 9), max_size=2),
    st.none()
    | st.builds(lambda version, most: LiveConfig(version=version, max_positions=most), *[st.integers(1, 2)] * 2),
    st.none() | STATEMENTS,
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["acquire", "renew", "release", "load", "write", "write", "write", "has_trade", "lapse"]),
        st.integers(0, 2),
        PAGES,
    ),
    min_size=3,
    max_size=15,
)


@dataclass
class Desk:
    """Books, what makes a lease run out, and the leases that were had."""

    books: Books
    lapse: Callable[[], Awaitable[None]]
    leases: list[Lease] = field(default_factory=list)


async def _call(desk: Desk, name: str, which: int, page: Page) -> object:
    """What it answers, without what may differ."""
    if name == "acquire":
        taken = await desk.books.acquire(f"owner {which}")
        desk.leases += [taken] if taken else []
        return taken and (taken.owner, taken.epoch)
    if name == "lapse":
        await desk.lapse()
        return None
    if name == "has_trade":
        return await desk.books.has_trade(f"t{which}")
    lease = desk.leases[-1 - which] if which < len(desk.leases) else Lease("main", "nobody", 0, 0.0)
    if name == "renew":
        return (await desk.books.renew(lease)).epoch
    if name == "load":
        return _plain(await desk.books.load(lease))
    await (desk.books.release(lease) if name == "release" else desk.books.write(lease, page))
    return None


def _plain(kept: Kept) -> object:
    trades = sorted(
        (trade.trade_id, trade.state, str(trade.quantity), replaced(trade, account="main")) for trade in kept.trades
    )
    lately = sorted((trade.trade_id, trade.state) for trade in kept.lately)
    known = (kept.config, dict(kept.offsets), dict(kept.nonces), kept.statement_until_ms, kept.guard_broke)
    return trades, kept.ended, lately, *known


async def _answer(desk: Desk, call: tuple[str, int, Page]) -> object:
    try:
        return await _call(desk, *call)
    except (LeaseLost, NonceTaken, ConfigTaken) as error:
        return type(error)


def _of_account(page: Page, account: str) -> Page:
    return replaced(page, trades=[replaced(trade, account=account) for trade in page.trades])


async def _compare(engine: Engine, calls: list[tuple[str, int, Page]]) -> None:
    account, later = f"account{next(_ACCOUNTS)}", [NOW_MS / 1000]

    async def lapse_there() -> None:
        async with write_session(engine) as session:
            await session.raw.execute("UPDATE live_lease SET expires_at = now() WHERE account = $1", account)

    async def lapse_here() -> None:
        later[0] += 10.5

    memory = MemoryBooks(MemoryDatabase(lambda: later[0]), account, lambda: later[0])
    real, fake = Desk(PostgresBooks(engine, account), lapse_there), Desk(memory, lapse_here)
    for name, which, page in calls:
        call = (name, which, _of_account(page, account))
        assert await _answer(real, call) == await _answer(fake, call), call


async def _all(url: str, calls: list[tuple[str, int, Page]]) -> None:
    engine = create_engine(DatabaseSettings(database_url=url))
    await migrate.upgrade(engine)
    try:
        await _compare(engine, calls)
    finally:
        await engine.dispose()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS)
def test_both_answer_alike(module_database_url: str, calls: list[tuple[str, int, Page]]) -> None:
    asyncio.run(_all(module_database_url, [("acquire", 0, Page()), *calls]))
