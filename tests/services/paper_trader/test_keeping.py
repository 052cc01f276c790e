"""A commit of which nobody hears is recognised, on a real PostgreSQL; somebody else's is not."""

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.kit.errors import OffsetConflict
from libs.kit.service import ServiceContext
from libs.kit.settings import DatabaseSettings, ProcessSettings
from libs.store import migrate
from libs.store.engine import create_engine, write_session
from libs.store.paper import KeptPaper, PaperRows, PaperTrade, load_paper, packed, write_paper
from services.paper_trader.keeping import WRITING, Keeper
from tests.support.forgetful_postgres import ForgetfulWay, forgetful_postgres

NOW = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)
ROWS = PaperRows(
    {
        "t1": PaperTrade(
            trade_id="t1", signal_id="s1", strategy="v51", symbol="BTCUSDT", state="closed", market_time=NOW,
            net=Decimal(5),
        )
    }
)  # fmt: skip


@pytest.fixture
async def way(database_url: str) -> AsyncIterator[ForgetfulWay]:
    port = make_url(database_url).port
    assert port is not None
    async with forgetful_postgres(port) as found:
        yield found


@pytest.fixture
async def engine(database_url: str, way: ForgetfulWay) -> AsyncIterator[AsyncEngine]:
    direct = create_engine(DatabaseSettings(database_url=database_url))
    await migrate.upgrade(direct)
    await direct.dispose()
    engine = create_engine(DatabaseSettings(database_url=way.url(database_url)))
    yield engine
    await engine.dispose()


def keeper_of(context: ServiceContext, engine: AsyncEngine) -> Keeper:
    return Keeper(context, engine, first_pause_seconds=0.01)


async def kept(state: bytes) -> KeptPaper:
    return KeptPaper(0, "log", NOW, await packed(state))


async def test_a_commit_whose_acknowledgement_was_lost_is_no_other_writer(
    engine: AsyncEngine, way: ForgetfulWay
) -> None:
    context = ServiceContext("paper_trader", ProcessSettings())
    context.expect(WRITING)
    keeper = keeper_of(context, engine)
    way.losing = 1
    assert await keeper.keep(None, await kept(b"one"), ROWS) == 1
    way.losing = 2
    assert await keeper.keep(1, await kept(b"two"), ROWS) == 2
    assert await keeper.keep(2, await kept(b"three"), ROWS) == 3
    assert way.lost == 3
    found = await load_paper(engine)
    assert found is not None
    assert (found.number, found.state) == (3, b"three")


async def test_what_somebody_else_has_written_meanwhile_is_a_conflict(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await write_paper(session, None, await kept(b"theirs"), ROWS)
    with pytest.raises(OffsetConflict):
        await keeper_of(ServiceContext("paper_trader", ProcessSettings()), engine).keep(None, await kept(b"mine"), ROWS)
