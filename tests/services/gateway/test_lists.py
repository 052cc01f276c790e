"""Lists: every row once however one pages, the whole of it as a file, and cursors that are ours."""

import csv
import io
from typing import Any

import pytest
from fastapi import FastAPI

from libs.store.engine import write_session
from libs.store.market_facts import Placed, write_market_facts
from services.gateway.shared import Gateway
from tests.services.gateway.stored import good, sql
from tests.services.recorder.timelines import START_MS, mark_price
from tests.support.asgi import ask

LISTS = (
    ("/api/snapshots?symbol=BTCUSDT", "SELECT count(*) FROM rate_snapshots WHERE symbol = 'BTCUSDT'", "event_time_ms"),
    ("/api/indicators?symbol=BTCUSDT", "SELECT count(*) FROM signal_indicators", "event_time_ms"),
    ("/api/market-indicators?symbol=BTCUSDT", "SELECT count(*) FROM market_indicators", "event_id"),
    ("/api/liquidations/raw?symbol=BTCUSDT", "SELECT count(*) FROM liquidation_events", "event_id"),
    ("/api/paper/trades?", "SELECT count(*) FROM paper_trades", "trade_id"),
    ("/api/paper/trades?strategy=v52", "SELECT count(*) FROM paper_trades WHERE strategy = 'v52'", "trade_id"),
    ("/api/live/trades?", "SELECT count(*) FROM live_trades", "trade_id"),
    ("/api/live/orders?", "SELECT count(*) FROM live_orders", "client_order_id"),
    ("/api/live/events?", "SELECT count(*) FROM live_events", "event_id"),
)


@pytest.mark.parametrize(("url", "counted", "key"), LISTS)
async def test_pages_of_a_list_are_all_of_it_once_and_so_is_its_file(
    api: FastAPI, shared: Gateway, url: str, counted: str, key: str
) -> None:
    [(count,)] = await sql(shared, counted)
    assert count > 0
    size = max(1, count // 3)
    seen: list[Any] = []
    cursor = ""
    while True:
        page = await good(api, f"{url}&limit={min(size, 500)}{cursor}")
        seen += [row[key] for row in page["rows"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == count
    file = await ask(api, url, accept="text/csv")
    assert file.headers["content-type"].startswith("text/csv")
    written = list(csv.DictReader(io.StringIO(file.body.decode())))
    assert [row[key] for row in written] == [str(value) for value in seen]


async def test_rows_that_come_while_somebody_pages_move_nothing(api: FastAPI, shared: Gateway) -> None:
    first = await good(api, "/api/snapshots?symbol=ETHUSDT&limit=1")
    assert first == {"rows": [], "next_cursor": None}
    async with write_session(shared.engine) as session:
        await write_market_facts(session, [Placed(mark_price(n, symbol="ETHUSDT"), START_MS) for n in range(4)])
    page = await good(api, "/api/snapshots?symbol=ETHUSDT&limit=2")
    async with write_session(shared.engine) as session:
        await write_market_facts(session, [Placed(mark_price(9, symbol="ETHUSDT"), START_MS)])
    rest = await good(api, f"/api/snapshots?symbol=ETHUSDT&limit=500&cursor={page['next_cursor']}")
    times = [row["event_time_ms"] for row in [*page["rows"], *rest["rows"]]]
    assert times == [START_MS + 2000 * n for n in (3, 2, 1, 0)]


@pytest.mark.parametrize(
    "cursor",
    [
        "%21%21",
        "bnVsbA",
        "WzFd",
        "WzEsMl0",
        "WyJhIiwiYiJd",
        "WzEsICJhIl0",
        "WzEuMCwiYSJd",
        "W3RydWUsImEiXQ",
        "WzEsIgAiXQ",
    ],
)
async def test_a_cursor_of_somebody_elses_is_refused(api: FastAPI, cursor: str) -> None:
    answer = await ask(api, f"/api/liquidations/raw?symbol=BTCUSDT&cursor={cursor}")
    assert (answer.status, answer.json["detail"]) == (400, "cursor is not one that this API gave out")


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("/api/snapshots", 422, "symbol: Field required"),
        ("/api/snapshots?symbol=NOPE", 400, "NOPE is unknown here"),
        ("/api/indicators?symbol=BTCUSDT&from=2&to=1", 400, "from (2) is later than to (1)"),
        ("/api/paper/trades?state=won", 422, "state: Input should be"),
        ("/api/kline?symbol=BTCUSDT&with=volume", 422, "with: String should match"),
        ("/api/kline?symbol=BTCUSDT&source=ticks", 422, "source: Input should be"),
        ("/api/history?from=0", 400, "more than 400 days"),
        ("/api/profit?by=hour", 422, "by: Input should be"),
        ("/api/snapshots?symbol=BTCUSDT&format=xml", 422, "format: Input should be"),
        ("/api/signals/%20", 422, "signal_id: String should match"),
    ],
)
async def test_a_wrong_question_gets_one_sentence(api: FastAPI, url: str, status: int, words: str) -> None:
    answer = await ask(api, url)
    assert answer.status == status
    assert words in answer.json["detail"]
