"""Every route over real HTTP: what it says, what it refuses, and how it says no."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import pytest

from infra.local.ports import free_port
from libs.kit.settings import DEFAULT_SYMBOLS
from services.console.following import Change, change
from services.gateway.openapi import DEFAULT_FILE, document
from services.gateway.patience import HEAD_SECONDS
from tests.services.gateway.conftest import Caller
from tests.services.recorder.timelines import START_MS


def test_rates_are_live_where_seen_and_stored_otherwise(gateway: Caller) -> None:
    answer = gateway.get("/api/rates")
    assert answer.status == 200
    rates = {rate["symbol"]: rate for rate in answer.json["rates"]}
    assert list(rates) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    assert answer.json["missing"] == ["BNBUSDT"]
    assert rates["BTCUSDT"] == {
        "symbol": "BTCUSDT",
        "mark_price": "60009.12345678",
        "index_price": "60001.5",
        "funding_rate": "0.00010000",
        "next_funding_time_ms": START_MS + 3_600_000,
        "event_time_ms": START_MS + 18_000,
        "source": "live",
    }
    assert (rates["SOLUSDT"]["source"], rates["SOLUSDT"]["event_time_ms"]) == ("stored", START_MS + 4000)
    assert answer.headers["cache-control"] == "private, max-age=3"


def test_an_unchanged_answer_is_not_sent_again(gateway: Caller) -> None:
    first = gateway.get("/api/trades/meta")
    again = gateway.get("/api/trades/meta", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert gateway.get("/api/trades/meta", If_None_Match='"other"').status == 200


def test_trades_meta_says_what_is_held_and_missing(gateway: Caller) -> None:
    rows = gateway.get("/api/trades/meta").json["symbols"]
    assert [(row["symbol"], row["row_count"], row["missing_count"]) for row in rows] == [
        ("BTCUSDT", 201, 599_800),
        ("ETHUSDT", 200, 0),
    ]
    assert (rows[0]["first_id"], rows[0]["last_id"]) == (1, 600_001)
    assert (rows[0]["first_time_ms"], rows[0]["last_time_ms"]) == (START_MS, START_MS + 60_000)


def test_candles_are_those_of_the_trades(gateway: Caller) -> None:
    path = f"/api/kline?symbol=BTCUSDT&interval=1m&from={START_MS - 59_000}&to={START_MS + 61_000}"
    answer = gateway.get(path)
    prices = [Decimal(6_000_000 + number).scaleb(-2) for number in range(1, 201)]
    volume = Decimal(sum(1 + number % 101 for number in range(1, 201))).scaleb(-3)
    first, second = answer.json["candles"]
    assert first == {
        "open_time_ms": START_MS - 59_000,
        "open": str(prices[0]),
        "high": str(max(prices)),
        "low": str(min(prices)),
        "close": str(prices[-1]),
        "volume": str(volume),
        "cvd": None,
        "vwap": None,
    }
    assert (second["open_time_ms"], second["open"]) == (START_MS + 1000, "60008.04")
    newest = gateway.get("/api/kline?symbol=BTCUSDT&interval=1s&limit=1").json["candles"]
    assert [candle["open_time_ms"] for candle in newest] == [START_MS + 60_000]


def test_liquidations_by_window_are_lower_bounds_and_say_so(gateway: Caller) -> None:
    answer = gateway.get("/api/liquidations?symbol=BTCUSDT&window=5m").json
    assert (answer["window"], answer["sampled"]) == ("5m", True)
    first, second = answer["windows"]
    assert first == {
        "open_time_ms": (START_MS + 1_000) // 300_000 * 300_000,
        "long_count": 2,
        "long_quantity": "0.003",
        "long_notional": "180.00030",
        "short_count": 1,
        "short_quantity": "0.003",
        "short_notional": "180.00030",
    }
    assert (second["open_time_ms"], second["long_count"], second["short_count"]) == (
        first["open_time_ms"] + 300_000,
        1,
        0,
    )
    later = gateway.get(f"/api/liquidations?symbol=BTCUSDT&window=5m&from={second['open_time_ms']}").json["windows"]
    assert later == [second]
    assert gateway.get(f"/api/liquidations?symbol=BTCUSDT&to={second['open_time_ms']}&limit=1").json["windows"] == [
        first
    ]
    (hour,) = gateway.get("/api/liquidations?symbol=BTCUSDT&window=1h").json["windows"]
    assert hour["long_count"] == 3
    assert gateway.get("/api/liquidations?symbol=ETHUSDT").json["windows"] == []
    for wrong, status, said in (
        ("symbol=NOPE", 400, "unknown here"),
        ("symbol=BTCUSDT&window=2m", 422, "window"),
        ("window=5m", 422, "symbol"),
    ):
        refused = gateway.get(f"/api/liquidations?{wrong}")
        assert (refused.status, said in refused.body.decode()) == (status, True)
    schema = json.loads(document())["components"]["schemas"]["LiquidationWindow"]["properties"]
    numbers = [field for name, field in schema.items() if name != "open_time_ms"]
    assert len(numbers) == 6
    assert all("lower bound" in field["description"] for field in numbers)


def test_the_summary_adds_flows(gateway: Caller) -> None:
    path = f"/api/trades/summary?symbol=ETHUSDT&interval=1s&from={START_MS}&to={START_MS + 1000}"
    (row,) = gateway.get(path).json["rows"]
    bought = Decimal(sum(1 + number % 101 for number in range(2, 201, 2))).scaleb(-3)
    assert Decimal(row["buy_volume"]) == bought
    assert Decimal(row["buy_volume"]) + Decimal(row["sell_volume"]) == Decimal(row["volume"])
    assert (row["agg_trades"], row["trades"]) == (200, 400)
    assert Decimal(row["low"]) < Decimal(row["vwap"]) < Decimal(row["high"])


def test_signal_history_pages_from_new_to_old(gateway: Caller) -> None:
    seen, cursor = [], ""
    while True:
        page = gateway.get(f"/api/signals/history?symbol=BTCUSDT&limit=2{cursor}").json
        seen += [signal["event_id"] for signal in page["signals"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [f"signal-{number}" for number in (4, 3, 2, 1, 0)]
    span = f"from={START_MS + 15_000}&to={START_MS + 45_000}"
    page = gateway.get(f"/api/signals/history?strategy=v51&state=emitted&{span}").json
    assert [signal["event_id"] for signal in page["signals"]] == ["signal-2", "signal-1"]
    assert page["signals"][0]["content"]["inputs"] == {"cvd_5m": "12.5"}
    assert gateway.get("/api/signals/history?state=refused").json["signals"] == []


def test_feeds_say_how_they_were_last_reported(gateway: Caller) -> None:
    feeds = gateway.get("/api/feeds").json["feeds"]
    assert [(row["feed"], row["symbol"], row["state"], row["live"]) for row in feeds] == [
        ("liquidations", "BTCUSDT", "live", True),
        ("trades", "BTCUSDT", "live", True),
        ("trades", "ETHUSDT", "silent", False),
    ]
    assert gateway.get("/api/feeds?feed=trades&symbol=ETHUSDT").json["feeds"] == feeds[2:]
    assert feeds[2] == {
        "feed": "trades",
        "symbol": "ETHUSDT",
        "state": "silent",
        "live": False,
        "since_ms": START_MS,
        "detail": "",
        "reported_ms": START_MS + 20_000,
        "last_event_ms": START_MS + 19_000,
        "events_per_second": 12.5,
        "delay_ms": None,
        "clock_offset_ms": None,
        "gaps_open": 0,
        "gaps_filled": 3,
        "completeness_1h_ppm": 999_999,
        "completeness_24h_ppm": None,
        "lost_24h": 0,
    }
    assert (feeds[0]["lost_24h"], feeds[1]["lost_24h"]) == (None, 600_000 - 200)


def test_gaps_page_from_new_to_old_and_say_which_are_holes(gateway: Caller) -> None:
    seen, cursor = [], ""
    while True:
        page = gateway.get(f"/api/gaps?limit=1{cursor}").json
        seen += [(gap["symbol"], gap["first_missing_id"], gap["outcome"], gap["hole"]) for gap in page["gaps"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [
        ("ETHUSDT", 1_020, "filled", False),
        ("ETHUSDT", 1_010, "filled", False),
        ("ETHUSDT", 1_000, "filled", False),
        ("BTCUSDT", 201, "lost", True),
    ]

    def first_ids(query: str) -> list[int]:
        return [gap["first_missing_id"] for gap in gateway.get(f"/api/gaps?{query}").json["gaps"]]

    assert first_ids("symbol=BTCUSDT") == first_ids("outcome=lost") == [201]
    # A gap is in a span that it touches.
    assert first_ids(f"symbol=ETHUSDT&from={START_MS + 10_500}&to={START_MS + 20_000}") == [1_010]
    assert first_ids(f"symbol=ETHUSDT&from={START_MS + 10_501}&to={START_MS + 20_001}") == [1_020]
    (hole,) = gateway.get("/api/gaps?symbol=BTCUSDT").json["gaps"]
    assert (hole["last_missing_id"], hole["cause"], hole["found_ms"]) == (600_000, "rest_no_longer_has_it", None)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/kline?symbol=DOGEUSDT", 400, "DOGEUSDT is unknown here; known symbols: BNBUSDT, BTCUSDT"),
        ("/api/kline?symbol=BTCUSDT&interval=7m", 422, "interval: Input should be '1s'"),
        ("/api/kline", 422, "symbol: Field required"),
        ("/api/kline?symbol=BTCUSDT&from=20&to=10", 400, "from (20) is later than to (10)"),
        ("/api/kline?symbol=BTCUSDT&interval=1s&from=0&to=1723075199000", 400, "more than 1500 intervals"),
        ("/api/trades/summary?symbol=BTCUSDT&from=yesterday", 422, "from: Input should be a valid integer"),
        ("/api/signals/history?from=20&to=10", 400, "from (20) is later than to (10)"),
        ("/api/signals/history?symbol=NOPE", 400, "NOPE is unknown here"),
        ("/api/signals/history?limit=0", 422, "limit"),
        ("/api/signals/history?to=%201", 422, "to: Input should be a valid integer, in plain digits"),
        ("/api/signals/history?limit=1_0", 422, "limit: Input should be a valid integer, in plain digits"),
        ("/api/gaps?from=1_000", 422, "from: Input should be a valid integer, in plain digits"),
        ("/api/gaps?from=-1", 422, "from: Input should be greater than or equal to 0"),
        ("/api/gaps?limit=%2B5", 422, "limit: Input should be a valid integer"),
        ("/api/kline?symbol=BTCUSDT&limit=5.0", 422, "limit: Input should be a valid integer"),
        ("/api/liquidations?symbol=BTCUSDT&to=%D9%A1", 422, "to: Input should be a valid integer"),
        ("/api/feeds?symbol=NOPE", 400, "NOPE is unknown here"),
        ("/api/feeds?feed=nope", 400, "known feeds: liquidations, trades"),
        ("/api/feeds?feed=%00", 422, "feed: Value error, must be printable text"),
        ("/api/gaps?outcome=closed", 422, "outcome: Input should be 'open'"),
        ("/api/gaps?from=20&to=10", 400, "from (20) is later than to (10)"),
        ("/api/gaps?cursor=MTphYg", 400, "cursor is not one"),  # 1:ab
        ("/api/gaps?cursor=MTphLzEvOTIyMzM3MjAzNjg1NDc3NTgwOA", 400, "cursor is not one"),  # an id beyond 63 bits
        ("/api/kline?symbol=BTC%00USDT", 422, "symbol: Value error, must be printable text"),
        ("/api/signals/history?symbol=%00", 422, "symbol: Value error, must be printable text"),
        ("/api/signals/history?strategy=v51%00", 422, "strategy: Value error, must be printable text"),
        ("/api/signals/history?cursor=%21%21", 400, "cursor is not one that this API gave out"),
        ("/api/signals/history?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk6YQ", 400, "cursor is not one"),
        ("/api/signals/history?cursor=MV8wOmE", 400, "cursor is not one"),  # 1_0:a
        ("/api/signals/history?cursor=KzE6YQ", 400, "cursor is not one"),  # +1:a
        ("/api/signals/history?cursor=2aE6YQ", 400, "cursor is not one"),  # an Arabic digit
        ("/api/signals/history?cursor=MTph!!", 400, "cursor is not one"),  # 1:a and what the decoder would pass over
        ("/api/nothing", 404, "there is no /api/nothing here"),
    ],
)
def test_a_wrong_question_gets_one_clear_sentence(gateway: Caller, path: str, status: int, words: str) -> None:
    answer = gateway.get(path)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.json["detail"]
    assert answer.json["status"] == status
    assert answer.json["instance"] == path.partition("?")[0]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "10.0.0.7", "[2001:db8::1]:8000"])
def test_a_foreign_host_header_is_refused(gateway: Caller, host: str) -> None:
    answer = gateway.get("/api/rates", Host=host)
    assert answer.status == 421
    assert "this name is not served" in answer.json["detail"]


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:8000", "[::1]:8000"])
def test_this_machines_names_are_served(gateway: Caller, host: str) -> None:
    assert gateway.get("/api/health", Host=host).status == 200


def test_health_routes_are_on_the_apis_port_too(gateway: Caller) -> None:
    assert gateway.get("/healthz").json == {"status": "alive"}
    assert gateway.get("/readyz").json == {"ready": True}
    health = gateway.get("/api/health").json
    assert health["status"] == "ok"
    assert health["components"]["live_rates"]["detail"] == "2 of 4 followed symbols seen on the topic"


def test_metrics_are_on_the_health_port_only(gateway: Caller) -> None:
    """Whoever reaches the API need not be signed in to see a path: what everybody asks for is not everybody's."""
    assert gateway.get("/api/health").status == 200
    assert gateway.get("/metrics").status == 404
    with urllib.request.urlopen(f"{gateway.health_url}/metrics", timeout=20) as answer:
        assert b'perpstream_http_request_seconds_count{path="/api/health",status="200"}' in answer.read()


def test_the_documentation_is_there(gateway: Caller) -> None:
    assert b"swagger" in gateway.get("/docs").body.lower()


def test_the_served_description_is_the_one_in_docs(gateway: Caller) -> None:
    assert DEFAULT_FILE.read_text() == document(), "run: python -m services.gateway.openapi"
    served = gateway.get("/api/openapi.json").json
    assert served == json.loads(document())
    operations = [operation["operationId"] for path in served["paths"].values() for operation in path.values()]
    assert sorted(operations) == sorted(set(operations))
    assert "getSignalsHistory" in operations


def test_errors_are_described_in_the_form_that_they_have() -> None:
    described = json.loads(document())["paths"].values()
    for operation in (operation for path in described for operation in path.values()):
        answers, forms = operation["responses"], set(operation["responses"]["200"]["content"])
        # A backtest's report is a page of its own.
        assert forms in ({"application/json"}, {"application/json", "text/csv"}) or (
            forms == {"text/html"} and operation["operationId"] == "getBacktestReportPage"
        )
        assert {*answers} >= {"400", "422", "503"}
        for status in ("400", "422", "503"):
            content = answers[status]["content"]
            assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def test_a_method_that_is_not_there_is_refused_with_those_that_are(gateway: Caller) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"{gateway.url}/api/rates", method="DELETE"), timeout=20)
    refused = caught.value
    assert (refused.code, refused.headers["Allow"]) == (405, "GET")
    assert refused.headers["Content-Type"] == "application/problem+json"


def _start(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.gateway"]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=150, check=False
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.com"])
def test_it_refuses_to_open_itself_to_others(host: str) -> None:
    ended = _start(PERPSTREAM_GATEWAY_HOST=host)
    assert ended.returncode == 2
    assert "only localhost is served in the clear" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_weak_secret_refuses_to_start(module_database_url: str, gateway: Caller, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct-horse-battery-staple")
    (tmp_path / "secret").chmod(0o600)
    ended = _start(PERPSTREAM_DATABASE_URL=module_database_url, PERPSTREAM_GATEWAY_STATE_DIR=str(tmp_path))
    assert ended.returncode == 2
    assert "it could be guessed" in ended.stderr
    assert "correct-horse" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unreachable_database_is_one_line(kafka_bootstrap: str) -> None:
    url = f"postgresql://perpstream@127.0.0.1:{free_port()}/perpstream"
    ended = _start(PERPSTREAM_DATABASE_URL=url, PERPSTREAM_KAFKA_BOOTSTRAP=kafka_bootstrap)
    assert ended.returncode == 4
    assert "the database does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_one_line(gateway: Caller, module_database_url: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = _start(
            PERPSTREAM_DATABASE_URL=module_database_url,
            PERPSTREAM_KAFKA_BOOTSTRAP=gateway.bootstrap,
            PERPSTREAM_GATEWAY_PORT=str(taken.getsockname()[1]),
            PERPSTREAM_GATEWAY_STATE_DIR=str(tmp_path),
        )
    assert ended.returncode == 1
    assert "the API's port cannot be opened" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_client_that_never_finishes_its_head_is_hung_up_on(gateway: Caller) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as idle, socket.create_connection((host, int(port))) as slow:
        slow.sendall(b"GET /api/health HTTP/1.1\r\nX-Slow: ")
        for connection in (idle, slow):
            connection.settimeout(HEAD_SECONDS + 5)
            assert connection.recv(1) == b""
    assert gateway.get("/api/health").status == 200


def test_a_symbol_that_is_added_is_known_and_one_that_is_removed_is_not(gateway: Caller) -> None:
    path, patience = "/api/kline?symbol=XRPUSDT", threading.Event()

    def until(status: int) -> None:
        deadline = time.monotonic() + 30
        while gateway.get(path).status != status:
            assert time.monotonic() < deadline, gateway.get(path).body
            patience.wait(0.1)

    assert gateway.get(path).status == 400
    asyncio.run(change(gateway.bootstrap, DEFAULT_SYMBOLS, Change(("XRPUSDT",), followed=True)))
    until(200)
    assert "of 5 followed symbols" in gateway.get("/api/health").json["components"]["live_rates"]["detail"]
    asyncio.run(change(gateway.bootstrap, DEFAULT_SYMBOLS, Change(("XRPUSDT",), followed=False)))
    until(400)
