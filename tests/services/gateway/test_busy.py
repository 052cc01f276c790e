"""More questions than the database may be asked at once: some are answered, the others told to come back, none ends us."""

import asyncio
from concurrent.futures import ThreadPoolExecutor, as_completed

import asyncpg
import pytest

from infra.local.ports import free_port
from libs.kit.service import ServiceContext
from libs.kit.settings import DatabaseSettings, ProcessSettings
from libs.store.engine import create_engine
from services.gateway.app import DATABASE, watch_database
from services.gateway.shared import QUESTIONS, Gateway
from tests.services.gateway.conftest import Answer, Caller

ASKED = 30


async def _ask_while_locked(gateway: Caller, url: str) -> list[Answer]:
    """Ask `ASKED` times while nobody can read the table; unlock it when the gateway has refused what it will refuse."""
    connection = await asyncpg.connect(url)
    await connection.execute("BEGIN; LOCK TABLE agg_trades_meta IN ACCESS EXCLUSIVE MODE")
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(ASKED) as callers:
        # Each another question: those who ask the same share one.
        paths = [f"/api/kline?symbol=BTCUSDT&limit={number + 1}" for number in range(ASKED)]
        asked = [loop.run_in_executor(callers, gateway.get, path) for path in paths]
        answers = []
        for each in asyncio.as_completed(asked, timeout=10):
            answers.append(await each)
            if len(answers) == ASKED - QUESTIONS:
                health = await loop.run_in_executor(callers, gateway.get, "/api/health")
                assert health.json["status"] == "ok", "a busy database is no dead one"
                assert gateway.get("/readyz").status == 200
                await connection.execute("ROLLBACK")
    await connection.close()
    return answers


def test_what_cannot_be_answered_soon_is_refused_at_once_and_the_rest_is_answered(
    gateway: Caller, module_database_url: str
) -> None:
    url = module_database_url.replace("+asyncpg", "")
    answers = asyncio.run(_ask_while_locked(gateway, url))
    refused = answers[: ASKED - QUESTIONS]
    assert {answer.status for answer in refused} == {503}
    assert {answer.headers["content-type"] for answer in refused} == {"application/problem+json"}
    assert {answer.headers["retry-after"] for answer in refused} == {"2"}
    assert "busy" in refused[0].json["detail"]
    assert [answer.status for answer in answers[ASKED - QUESTIONS :]] == [200] * QUESTIONS
    assert gateway.get("/api/kline?symbol=BTCUSDT").status == 200


def test_a_flood_of_questions_gets_answers_or_a_clear_no(gateway: Caller) -> None:
    paths = ("/api/kline?symbol=BTCUSDT&interval=1s", "/api/health", "/api/trades/meta")
    with ThreadPoolExecutor(50) as callers:
        asked = [callers.submit(gateway.get, paths[number % 3]) for number in range(600)]
        seen = {each.result().status for each in as_completed(asked)}
    assert 200 in seen
    assert seen <= {200, 503}


class _Missed(ServiceContext):
    """Tells by `stopping` that a condition was missed."""

    def miss(self, condition: str, why: str) -> None:
        super().miss(condition, why)
        self.stopping.set()


async def test_the_watch_outlives_whatever_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine(DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"))
    shared, context = Gateway(engine, engine, ()), _Missed("gateway", ProcessSettings())

    async def broken(_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("services.gateway.shared.check_reachable", broken)
    watching = asyncio.create_task(watch_database(context, shared))
    await asyncio.wait_for(context.stopping.wait(), 10)
    assert context.conditions[DATABASE] == "it cannot be watched: ZeroDivisionError"
    assert not watching.done()
    watching.cancel()
