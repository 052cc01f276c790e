"""The WebSocket protocol over real sockets, as client libraries use it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.exchange_simulator.market import MarketSource
from tests.services.exchange_simulator.running import START_MS, ask, receive, running

AGG_KEYS = {
    "e": str,
    "E": int,
    "s": str,
    "a": int,
    "p": str,
    "q": str,
    "nq": str,
    "f": int,
    "l": int,
    "T": int,
    "m": bool,
}


async def closed(socket: Any) -> int | None:
    """Read until the connection ends; the close code."""
    async with asyncio.timeout(10):
        async for _ in socket:
            pass
    code: int | None = socket.close_code
    return code


async def test_raw_and_combined_streams_have_the_documented_fields(tmp_path: Path) -> None:
    async with running(tmp_path, speed=5.0) as run:
        async with run.socket("/market/ws/btcusdt@aggTrade") as socket:
            raw = (await receive(socket, bool))[0]
        assert {key: type(raw[key]) for key in AGG_KEYS} == AGG_KEYS
        assert raw["st"] == 1
        names = (
            "btcusdt@markPrice/btcusdt@markPrice@1s/!markPrice@arr@1s/btcusdt@kline_1m/!forceOrder@arr/ethusdt@aggTrade"
        )
        async with run.socket(f"/market/stream?streams={names}") as socket:
            wanted = set(names.split("/"))
            got = await receive(socket, lambda items: wanted == {item["stream"] for item in items}, seconds=60)
    by_stream = {item["stream"]: item["data"] for item in got}
    mark = by_stream["btcusdt@markPrice"]
    assert list(mark) == ["e", "E", "s", "p", "ap", "i", "P", "r", "T", "st"]
    assert [type(mark[key]) for key in "pirPT"] == [str, str, str, str, int]
    assert [item["s"] for item in by_stream["!markPrice@arr@1s"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT"]
    kline = by_stream["btcusdt@kline_1m"]["k"]
    assert {key: type(kline[key]) for key in "tTfLnxv"} == {
        **dict.fromkeys("tTfLn", int),
        "x": bool,
        "v": str,
    }
    order = by_stream["!forceOrder@arr"]
    assert set(order) == {"e", "E", "ps", "st", "o"}
    assert [key for key, value in order["o"].items() if not isinstance(value, str)] == ["T"]


async def test_the_stream_equals_rest_byte_for_field(tmp_path: Path) -> None:
    async with running(tmp_path, rate=400.0) as run:
        async with run.socket("/market/stream?streams=btcusdt@aggTrade/ethusdt@aggTrade") as socket:
            told = await receive(socket, lambda got: len(got) >= 500)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            events = [item["data"] for item in told if item["data"]["s"] == symbol]
            streamed = [
                {key: value for key, value in event.items() if key not in ("e", "E", "s", "st")} for event in events
            ]
            first = streamed[0]["a"]
            asked = await run.get("/fapi/v1/aggTrades", symbol=symbol, fromId=first, limit=len(streamed))
            assert streamed == asked
            assert [item["a"] for item in asked] == list(range(first, first + len(asked)))


@pytest.mark.parametrize(
    ("path", "speaks"),
    [
        ("/market/ws", True),
        ("/ws", False),
        ("/public/ws", False),
        ("/private/ws", False),
    ],
)
async def test_market_streams_are_silent_on_other_paths(tmp_path: Path, path: str, speaks: bool) -> None:
    async with running(tmp_path, rate=2000.0) as run, run.socket(path) as socket:
        answer = await ask(socket, {"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 0})
        assert answer == {"result": None, "id": 0}
        listed = await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1763712000000})
        assert listed == {"result": ["btcusdt@aggTrade"], "id": 1763712000000}
        try:
            message = await asyncio.wait_for(socket.receive(), 0.7)
            assert speaks
            assert json.loads(message.data)["e"] == "aggTrade"
        except TimeoutError:
            assert not speaks


@pytest.mark.parametrize("path", ["/ws", "/public/ws"])
async def test_book_ticker_is_a_public_stream(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, rate=400.0) as run:
        async with run.socket(f"{path}/btcusdt@bookTicker") as socket:
            book = (await receive(socket, bool))[0]
        assert float(book["b"]) < float(book["a"])
        assert (book["e"], book["ps"], book["st"]) == ("bookTicker", "BTCUSDT", 1)


async def test_control_messages(tmp_path: Path) -> None:
    async with running(tmp_path, rate=400.0) as run, run.socket("/market/ws/btcusdt@aggTrade") as socket:
        assert (await ask(socket, {"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 5}))["id"] == 5
        assert (await ask(socket, {"method": "GET_PROPERTY", "params": ["combined"], "id": 6}))["result"] is False
        await ask(socket, {"method": "SET_PROPERTY", "params": ["combined", True], "id": 6})
        combined = await receive(socket, lambda got: any("stream" in item for item in got))
        ids = [item.get("data", item).get("a") for item in combined]
        assert ids == list(range(ids[0], ids[0] + len(ids)))  # subscribed twice, told once
        await ask(socket, {"method": "UNSUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 7})
        assert (await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 8})) == {"result": [], "id": 8}
        await asyncio.sleep(1.1)  # the limit of ten messages a second is tested elsewhere
        for bad, code in (("{", 3), ("[]", 2), ('{"method":"DANCE","id":1}', 2), ('{"method":"SUBSCRIBE","id":-1}', 2)):
            await socket.send_str(bad)
            assert json.loads((await socket.receive()).data)["code"] == code


async def test_ten_messages_a_second_are_allowed_and_not_more(tmp_path: Path) -> None:
    async with running(tmp_path) as run, run.socket("/market/ws") as socket:
        for number in range(10):
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        answers = await receive(socket, lambda got: len(got) == 10)
        assert [answer["id"] for answer in answers] == list(range(10))
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 11})
        assert await closed(socket) == 1008


async def test_1024_streams_and_not_more(tmp_path: Path) -> None:
    async with running(tmp_path) as run, run.socket("/market/ws") as socket:
        names = [f"c{number}usdt@aggTrade" for number in range(1025)]
        assert (await ask(socket, {"method": "SUBSCRIBE", "params": names, "id": 1}))["code"] == 2
        assert (await ask(socket, {"method": "SUBSCRIBE", "params": names[:1024], "id": 2}))["result"] is None


async def test_pings_are_answered_with_their_payload(tmp_path: Path) -> None:
    async with running(tmp_path) as run, run.http.ws_connect(run.url + "/market/ws", autoping=False) as socket:
        await socket.ping(b"hello")
        message = await socket.receive(timeout=5)
        assert (message.type, bytes(message.data)) == (aiohttp.WSMsgType.PONG, b"hello")


async def test_the_server_pings_and_cuts_the_silent_on_venue_time(tmp_path: Path) -> None:
    # 3600 times faster: a ping each 0.05 s, ten minutes pass in 0.17 s.
    async with (
        running(tmp_path, speed=3600.0) as run,
        run.http.ws_connect(run.url + "/public/ws", autoping=False) as socket,
    ):
        kinds = [(await socket.receive(timeout=5)).type for _ in range(3)]
        assert kinds == [aiohttp.WSMsgType.PING] * 3
        assert await closed(socket) in (1006, None)


async def test_a_connection_has_a_longest_life_in_venue_time(tmp_path: Path) -> None:
    async with running(tmp_path, speed=60.0, connection_hours=0.01) as run, run.socket("/public/ws") as socket:
        assert await closed(socket) == 1001


async def test_no_compression_is_negotiated(tmp_path: Path) -> None:
    async with running(tmp_path) as run, run.http.ws_connect(run.url + "/market/ws", compress=15) as socket:
        assert socket.compress == 0


async def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    async with running(tmp_path, rate=40_000.0, buffer_megabytes=0.5) as run:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(run.url.rpartition(":")[2]), limit=1024)
        lines = ("GET /market/ws/btcusdt@aggTrade/ethusdt@aggTrade HTTP/1.1", "Host: x", "Upgrade: websocket")
        rest = (
            "Connection: Upgrade",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version: 13",
            "",
            "",
        )
        writer.write("\r\n".join((*lines, *rest)).encode())
        await run.until(lambda status: "/market/ws" in status["clients"])
        await run.until(lambda status: "/market/ws" not in status["clients"])
        writer.close()
        assert not reader.at_eof()


async def test_coinbase_tells_its_ticker(tmp_path: Path) -> None:
    async with running(tmp_path, speed=10.0) as run:
        body = await run.get("/products/BTC-USD/ticker")
        assert {type(value) for key, value in body.items() if key != "trade_id"} == {str}
        spot = float((await run.get("/api/v3/ticker/price", symbol="BTCUSDT"))["price"])
        assert abs(float(body["price"]) / spot - 1) < 0.002
        async with run.socket("/coinbase") as socket:
            await socket.send_json({"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["ticker"]})
            got = await receive(socket, lambda items: len(items) == 3)
        assert [item["type"] for item in got] == ["subscriptions", "ticker", "ticker"]
        assert got[1]["product_id"] == "BTC-USD"


async def test_time_goes_on_over_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        first = await run.get("/sim/status")
        newest = (await run.get("/fapi/v1/aggTrades", symbol="BTCUSDT", limit=5))[0]
    async with running(tmp_path) as run:
        second = await run.get("/sim/status")
        assert first["anchor"] == second["anchor"]
        assert first["anchor"]["venue_ms"] == START_MS
        assert second["venue_time_ms"] >= first["venue_time_ms"]
        again = await run.get("/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=newest["a"], limit=1)
        assert again == [newest]
        source: MarketSource = run.simulation.source
        assert source.symbols == ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT")
