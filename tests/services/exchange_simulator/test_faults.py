"""Each fault does what it says to whom it says, and the ledger names exactly what was affected."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest

from services.exchange_simulator.faults.plan import AnyFault
from tests.services.exchange_simulator.running import Running, ask, receive, running

BTC = "/market/ws/btcusdt@aggTrade"
SETTINGS: dict[str, Any] = {"symbols": ("BTCUSDT", "ETHUSDT"), "rate": 400.0, "speed": 4.0}


def ids_of(entries: list[dict[str, Any]]) -> set[int]:
    return {number for entry in entries for first, last in entry["ids"] for number in range(first, last + 1)}


async def texts(socket: Any, enough: Callable[[list[str]], bool], seconds: float = 20.0) -> list[str]:
    """Messages as they came."""
    found: list[str] = []
    async with asyncio.timeout(seconds):
        while not enough(found):
            found.append((await socket.receive()).data)
    return found


async def ids_until_end(venue: Running, socket: Any, number: int) -> list[int]:
    """Ids of trades from now until some seconds of venue time behind the end of a fault."""
    end: int = next(one["end_ms"] for one in await venue.get("/sim/faults") if one["number"] == number)
    messages = await receive(socket, lambda found: bool(found) and found[-1]["E"] > end + 2500)
    return [message["a"] for message in messages]


async def test_dropped_trades_are_those_of_the_ledger_and_rest_has_them(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BTC) as socket:
        await receive(socket, lambda found: len(found) > 10)
        number = await venue.fault("drop", symbols=["BTCUSDT"], probability=0.3, for_ms=3000)
        seen = await ids_until_end(venue, socket, number)
        dropped = ids_of(await venue.ledger(number))
        assert dropped
        assert not dropped & set(seen)
        assert set(range(seen[0], seen[-1] + 1)) == set(seen) | {one for one in dropped if seen[0] <= one <= seen[-1]}
        rows = await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=min(dropped), limit=1000)
        assert dropped <= {row["a"] for row in rows}


async def test_other_symbols_and_connections_are_left_alone(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BTC) as first, venue.socket(BTC) as second:
        await receive(first, lambda found: len(found) > 5)
        await receive(second, lambda found: len(found) > 5)
        number = await venue.fault("silent", connections="oldest", for_ms=3000)
        other = await ids_until_end(venue, second, number)
        assert other == list(range(other[0], other[0] + len(other)))
        silenced = await ids_until_end(venue, first, number)
        assert ids_of(await venue.ledger(number)).isdisjoint(silenced)
        assert {entry["connection"] for entry in await venue.ledger(number)} == {1}


async def test_duplicates_reordering_delays_and_bursts_lose_nothing(tmp_path: Path) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "duplicate": {"copies": 2, "probability": 0.2},
        "reorder": {"behind": 3, "probability": 0.2},
        "delay": {"by_ms": 700, "probability": 0.2},
        "late_burst": {"probability": 0.5},
    }
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BTC) as socket:
        await receive(socket, lambda found: len(found) > 5)
        for kind, fields in kinds.items():
            number = await venue.fault(kind, for_ms=2000, **fields)
            seen = await ids_until_end(venue, socket, number)
            affected = ids_of(await venue.ledger(number))
            assert affected, kind
            whole = set(range(min(seen), max(seen) + 1))
            assert set(seen) == whole, kind
            if kind == "duplicate":
                twice = {one for one in seen if seen.count(one) > 1}
                assert twice == affected & whole
                assert all(seen.count(one) == 3 for one in twice)
            else:
                assert len(seen) == len(whole), kind
                assert seen != sorted(seen), kind


async def test_spoilt_messages_are_counted_and_the_stream_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BTC) as socket:
        for kind in ("malformed", "truncated"):
            await receive(socket, lambda found: len(found) > 5)
            number = await venue.fault(kind, most=4)
            found = await texts(socket, lambda got: sum(_is_json(text) is None for text in got) == 4)
            assert (await venue.end(number))["affected"] == 4
            assert len(ids_of(await venue.ledger(number))) == 4
            assert len(found) >= 4


def _is_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


async def test_fields_appear_disappear_and_lie(tmp_path: Path) -> None:
    async with (
        running(tmp_path, **SETTINGS) as venue,
        venue.socket("/market/stream?streams=btcusdt@aggTrade") as socket,
    ):
        await receive(socket, lambda found: len(found) > 2)
        await venue.fault("unknown_fields", most=1)
        [strange] = (await receive(socket, lambda found: bool(found) and "zz" in found[-1]["data"]))[-1:]
        assert strange["stream"] == "btcusdt@aggTrade"
        await venue.fault("missing_fields", most=1)
        [bare] = (await receive(socket, lambda found: bool(found) and "nq" not in found[-1]["data"]))[-1:]
        assert "st" not in bare["data"]
        await venue.fault("wrong_time", most=1, by_ms=-3_600_000, field="T")
        lie = (
            await receive(
                socket, lambda found: bool(found) and found[-1]["data"]["E"] - found[-1]["data"]["T"] > 3_000_000
            )
        )[-1]
        [right] = await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=lie["data"]["a"], limit=1)
        assert right["T"] - lie["data"]["T"] == 3_600_000


async def test_a_skewed_clock_moves_event_times_and_the_time_endpoint(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BTC) as socket:
        await receive(socket, lambda found: len(found) > 2)
        number = await venue.fault("clock_skew", by_ms=5000)
        told = await venue.get("/fapi/v1/time")
        assert 4000 < told["serverTime"] - (await venue.get("/sim/status"))["venue_time_ms"] < 5100
        await receive(socket, lambda found: bool(found) and found[-1]["E"] - found[-1]["T"] > 4900)
        await venue.end(number)
        await receive(socket, lambda found: bool(found) and found[-1]["E"] - found[-1]["T"] < 4000)


async def test_disconnections_refuse_new_connections_while_they_last(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        async with venue.socket(BTC) as socket:
            before = await receive(socket, lambda found: len(found) > 20)
            number = await venue.fault("disconnect", for_ms=2000)
            async with asyncio.timeout(5):
                while (await socket.receive()).type not in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                    pass
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await venue.socket(BTC)
        assert refusal.value.status == 503
        assert [entry["connection"] for entry in await venue.ledger(number, "disconnect")] == [1]
        await venue.over(number)
        async with venue.socket(BTC) as socket:
            await receive(socket, lambda found: len(found) > 2)
        [gone] = [one for one in await venue.get("/sim/faults/ledger") if one["kind"] == "disconnected"][:1]
        assert gone["connection"] == 1
        assert gone["told_ms"] >= before[-1]["E"]


async def test_a_rotation_closes_with_a_frame_and_a_half_open_connection_says_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        async with venue.socket(BTC) as socket:
            await receive(socket, lambda found: len(found) > 2)
            await venue.fault("rotation")
            async with asyncio.timeout(5):
                while (await socket.receive()).type is not aiohttp.WSMsgType.CLOSE:
                    pass
            assert socket.close_code in (None, 1001)
        async with venue.socket(BTC) as dead, venue.socket(BTC) as new:
            await receive(dead, lambda found: len(found) > 2)
            await receive(new, lambda found: len(found) > 2)
            await venue.fault("half_open", connections="oldest")
            await receive(new, lambda found: len(found) > 400)
            await dead.ping()
            with pytest.raises(TimeoutError):
                await receive(dead, lambda found: len(found) > 2000, seconds=2)
            assert not dead.closed


async def test_an_expired_listen_key_is_told_on_the_open_connection(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        headers = {"X-MBX-APIKEY": venue.api_key.key}
        async with venue.http.post(f"{venue.url}/fapi/v1/listenKey", headers=headers) as answer:
            key = (await answer.json())["listenKey"]
        async with venue.socket(f"/private/ws?listenKey={key}&events=ORDER_TRADE_UPDATE") as socket:
            await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
            await venue.fault("listen_key_expiry")
            [event] = await receive(socket, lambda found: len(found) == 1)
            assert (event["e"], event["listenKey"]) == ("listenKeyExpired", key)
            assert not socket.closed
        async with venue.http.put(f"{venue.url}/fapi/v1/listenKey", headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, -1125)


async def test_rest_refuses_in_each_of_its_ways(tmp_path: Path) -> None:
    path = "/fapi/v1/aggTrades?symbol=BTCUSDT&limit=20"
    async with running(tmp_path, **SETTINGS) as venue:
        number = await venue.fault("rate_limited", retry_after_s=7, most=1)
        async with venue.http.get(venue.url + path) as answer:
            assert (answer.status, answer.headers["Retry-After"], (await answer.json())["code"]) == (429, "7", -1003)
        await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT")
        assert [entry["path"] for entry in await venue.ledger(number)] == ["/fapi/v1/aggTrades"]
        number = await venue.fault("banned", for_ms=60_000, paths=["/fapi/v1/aggTrades"])
        until = (await venue.get("/sim/faults"))[-1]["end_ms"]
        status, body = await venue.refused(path)
        assert (status, body["code"]) == (418, -1003)
        assert f"banned until {until}" in body["msg"]
        await venue.get("/fapi/v1/time")
        await venue.end(number)
        await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT")
        codes = {"unknown": -1000, "unavailable": -1000, "internal": -1001, "throttled": -1008}
        texts_seen = set()
        for text, code in codes.items():
            await venue.fault("unavailable", text=text, most=1)
            status, body = await venue.refused(path)
            assert (status, body["code"]) == (503, code)
            texts_seen.add(body["msg"])
        assert len(texts_seen) == 4
        await venue.fault("server_error", status=502, most=1)
        async with venue.http.get(venue.url + path) as answer:
            assert (answer.status, answer.content_type) == (502, "text/html")


async def test_rest_is_slow_short_or_forgetful(tmp_path: Path) -> None:
    path = "/fapi/v1/aggTrades?symbol=BTCUSDT&limit=20"
    async with running(tmp_path, **SETTINGS) as venue:
        await venue.fault("slow_body", seconds=0.8, most=1)
        begun = time.monotonic()
        assert len(await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT", limit=20)) == 20
        assert time.monotonic() - begun > 0.7
        await venue.fault("truncated_page", rows=3, most=1)
        assert len(await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT", limit=20)) == 3
        await venue.fault("truncated_page", most=1)
        async with venue.http.get(venue.url + path) as answer:
            assert _is_json(await answer.text()) is None
        newest = (await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT"))[-1]
        number = await venue.fault("history_expired", keep_ms=60_000)
        status, body = await venue.refused(f"/fapi/v1/aggTrades?symbol=BTCUSDT&fromId={newest['a'] - 50_000}")
        assert (status, body["code"]) == (400, -4166)
        await venue.end(number)
        assert await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=newest["a"] - 50_000)


async def test_a_halt_leaves_no_gap_in_ids_and_all_answers_agree(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BTC) as socket:
        await receive(socket, lambda found: len(found) > 5)
        number = await venue.fault("halt", symbols=["BTCUSDT"], for_ms=4000)
        halt = next(one for one in await venue.get("/sim/faults") if one["number"] == number)
        told = await receive(socket, lambda found: bool(found) and found[-1]["E"] > halt["end_ms"] + 1000)
        ids = [message["a"] for message in told]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert not [message for message in told if halt["begin_ms"] <= message["E"] < halt["end_ms"]]
        assert max(b["E"] - a["E"] for a, b in itertools.pairwise(told)) >= 4000
        rows = await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=ids[0], limit=1000)
        common = {row["a"]: row for row in rows}
        for message in told:
            if message["a"] in common:
                row = common[message["a"]]
                assert (row["p"], row["q"], row["T"], row["f"]) == (
                    message["p"],
                    message["q"],
                    message["T"],
                    message["f"],
                )
        span = {"startTime": halt["begin_ms"] - 2000, "endTime": halt["end_ms"] + 900}
        between = await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT", limit=1000, **span)
        assert [row["a"] for row in between] == list(range(between[0]["a"], between[0]["a"] + len(between)))
        newest = await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT", limit=5)
        assert [row["a"] for row in newest] == list(range(newest[0]["a"], newest[0]["a"] + 5))
        minute = halt["begin_ms"] // 60_000 * 60_000
        [bar] = await venue.get("/fapi/v1/klines", symbol="BTCUSDT", interval="1m", startTime=minute, limit=1)
        inside = await venue.get(
            "/fapi/v1/aggTrades", symbol="BTCUSDT", startTime=minute, endTime=minute + 59_999, limit=1000
        )
        if len(inside) < 1000 and bar[6] < inside[-1]["T"] + 60_000:
            assert float(bar[5]) >= sum(float(row["q"]) for row in inside) - 1e-6


async def test_a_halted_market_says_so_after_a_restart_too(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BTC) as socket:
        await receive(socket, lambda found: len(found) > 5)
        await venue.fault("delisting", symbols=["BTCUSDT"])
        last = (await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT"))[-1]["a"]
    async with running(tmp_path, **SETTINGS) as venue:
        assert (await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT"))[-1]["a"] == last
        info = await venue.get("/fapi/v1/exchangeInfo")
        assert {one["symbol"]: one["status"] for one in info["symbols"]} == {
            "BTCUSDT": "SETTLING",
            "ETHUSDT": "TRADING",
        }
        assert (await venue.get("/sim/faults"))[0]["state"] == "active"


async def test_a_finer_tick_is_used_alike_by_stream_and_rest(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket("/market/ws/ethusdt@aggTrade") as socket:
        await receive(socket, lambda found: len(found) > 5)
        await venue.fault("tick_size", symbols=["ETHUSDT"], price_decimals=4, tick=5)
        told = await receive(socket, lambda found: sum(len(m["p"].split(".")[1]) == 4 for m in found) > 30)
        fine = [message for message in told if len(message["p"].split(".")[1]) == 4]
        assert all(int(message["p"].replace(".", "")) % 5 == 0 for message in fine)
        assert any(int(message["p"].replace(".", "")) % 100 for message in fine)
        rows = await venue.get("/fapi/v1/aggTrades", symbol="ETHUSDT", fromId=fine[0]["a"], limit=30)
        assert [row["p"] for row in rows[:20]] == [message["p"] for message in fine[:20]]
        info = await venue.get("/fapi/v1/exchangeInfo")
        eth = next(one for one in info["symbols"] if one["symbol"] == "ETHUSDT")
        assert (eth["pricePrecision"], eth["filters"][0]["tickSize"]) == (4, "0.0005")


async def test_a_tick_size_that_changes_back_leaves_history_as_it_was_told(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket("/market/ws/ethusdt@aggTrade") as socket:
        number = await venue.fault("tick_size", symbols=["ETHUSDT"], price_decimals=4, tick=5, for_ms=1500)
        end = (await venue.get("/sim/faults"))[number - 1]["end_ms"]
        told = await receive(socket, lambda found: bool(found) and found[-1]["E"] > end + 1000)
        rows = await venue.get("/fapi/v1/aggTrades", symbol="ETHUSDT", fromId=told[0]["a"], limit=len(told))
        assert [(row["a"], row["p"]) for row in rows] == [(message["a"], message["p"]) for message in told]
        assert all(message["p"].endswith("00") for message in told if message["E"] >= end)
        info = await venue.get("/fapi/v1/exchangeInfo")
        eth = next(one for one in info["symbols"] if one["symbol"] == "ETHUSDT")
        assert (eth["pricePrecision"], eth["filters"][0]["tickSize"]) == (4, "0.0100")


async def test_a_script_is_armed_once_and_wrong_ones_are_refused(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(
        json.dumps([{"kind": "drop", "after_ms": 1000, "for_ms": 500}, {"kind": "rotation", "after_ms": 3_600_000}])
    )
    for _ in range(2):
        async with running(tmp_path / "state", faults=script, **SETTINGS) as venue:
            await venue.until(lambda status: bool(status["started"]))
            faults = await venue.get("/sim/faults")
            assert [one["fault"]["kind"] for one in faults] == ["drop", "rotation"]
            assert faults[1]["begin_ms"] - faults[0]["begin_ms"] == 3_599_000


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"kind": "explode"}, "explode"),
        ({"kind": "delay"}, "by_ms"),
        ({"kind": "drop", "symbols": ["NOSUCH"]}, "NOSUCH"),
        ({"kind": "late_burst"}, "for_ms"),
        ({"kind": "drop", "at_ms": 1}, "past"),
        ({"kind": "tick_size", "price_decimals": 0, "tick": 1}, "decimals"),
        ({"kind": "drop", "for_ms": 10**30}, "for_ms"),
        ({"kind": "drop", "after_ms": 10**30}, "after_ms"),
        ({"kind": "drop", "at_ms": 10**30}, "at_ms"),
        ({"kind": "drop", "most": 10**30}, "most"),
        ({"kind": "wrong_time", "by_ms": 10**30}, "by_ms"),
        ({"kind": "wrong_time", "by_ms": -(10**30)}, "by_ms"),
        ({"kind": "tick_size", "price_decimals": 2, "tick": 10**30}, "tick"),
        ({"kind": "rate_limited", "retry_after_s": 10**30}, "retry_after_s"),
        ({"kind": "history_expired", "keep_ms": 10**30}, "keep_ms"),
    ],
)
async def test_a_fault_that_cannot_be_is_refused_with_its_reason(
    tmp_path: Path, body: dict[str, Any], words: str
) -> None:
    async with (
        running(tmp_path, **SETTINGS) as venue,
        venue.http.post(f"{venue.url}/sim/faults", json=body) as answer,
    ):
        assert answer.status == 400
        assert words in (await answer.json())["detail"]
        assert await venue.get("/sim/faults") == []


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b"{", b"\xff", b"", b'{"kind": "drop", "for_ms": ' + b"1" * 5000 + b"}"]
)
async def test_what_is_no_json_is_refused(tmp_path: Path, body: bytes) -> None:
    headers = {"Content-Type": "application/json; charset=nonsense"}
    async with (
        running(tmp_path, **SETTINGS) as venue,
        venue.http.post(f"{venue.url}/sim/faults", data=body, headers=headers) as answer,
    ):
        assert answer.status == 400


async def test_numbers_in_the_paths_of_faults_are_plain_and_short(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        for query in ("after=1_000", "limit=%2B1", "after=-1", f"limit={'9' * 5000}"):
            assert (await venue.refused(f"/sim/faults/ledger?{query}"))[0] == 400
        async with venue.http.delete(f"{venue.url}/sim/faults/{'9' * 5000}") as answer:
            assert answer.status == 404


def test_the_page_on_the_simulator_names_every_fault() -> None:
    page = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text()
    kinds = [fault.model_fields["kind"].annotation.__args__[0] for fault in get_args(get_args(AnyFault)[0])]
    assert len(kinds) > 20
    assert [kind for kind in kinds if f"`{kind}`" not in page] == []
