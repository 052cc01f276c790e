"""The ledger holds what a test needs to compute the truth: ids, connections and times of everything that a fault touched."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest

from services.exchange_simulator.faults.ledger import LEDGER_FILE
from services.exchange_simulator.faults.plan import AnyFault
from tests.services.exchange_simulator.running import START_MS, Running, ask, receive, running

BOTH = "/market/stream?streams=btcusdt@aggTrade/ethusdt@aggTrade"
SETTINGS: dict[str, Any] = {"symbols": ("BTCUSDT", "ETHUSDT"), "rate": 400.0, "speed": 4.0}
CUT = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.ERROR)


async def until_cut(socket: Any, found: dict[str, list[int]]) -> None:
    """Add each trade id that still comes, by symbol, until the connection is over."""
    async with asyncio.timeout(10):
        while (message := await socket.receive()).type not in CUT:
            trade = message.json()["data"]
            found.setdefault(trade["s"], []).append(trade["a"])


def by_symbol(messages: list[Any]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for message in messages:
        found.setdefault(message["data"]["s"], []).append(message["data"]["a"])
    return found


async def closed(venue: Running, connection: int) -> dict[str, Any]:
    """The ledger's entry of the end of a connection."""
    async with asyncio.timeout(10):
        while True:
            for one in await venue.get("/sim/faults/ledger"):
                if one["kind"] == "disconnected" and one["connection"] == connection:
                    entry: dict[str, Any] = one
                    return entry
            await asyncio.sleep(0.01)


async def test_a_cut_connection_says_what_it_was_told_even_by_the_very_first_fault(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        async with venue.socket(BOTH) as first:
            seen = by_symbol(await receive(first, lambda found: len(found) > 300))
            number = await venue.fault("disconnect", connections="newest", for_ms=800)
            await until_cut(first, seen)
        [cut] = await venue.ledger(number, "disconnect")
        end = await closed(venue, cut["connection"])
        assert end["detail"]["unsent_bytes"] == 0
        told = {symbol: [ids[0], ids[-1]] for symbol, ids in seen.items()}
        assert end["detail"]["told"] == cut["detail"]["told"] == told
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await venue.socket(BOTH)
        assert [one["path"] for one in await venue.ledger(number, "refused")] == ["/market/stream"]
        await venue.over(number)
        async with venue.socket(BOTH) as second:
            seen = by_symbol(await receive(second, lambda found: len(found) > 50))
            await venue.fault("disconnect", close_code=1011)
            await until_cut(second, seen)
        again = (await closed(venue, cut["connection"] + 1))["detail"]["told"]
        assert again == {symbol: [ids[0], ids[-1]] for symbol, ids in seen.items()}
        assert all(again[symbol][0] > told[symbol][1] + 1 for symbol in told), "the gap that a reader must open"


async def test_what_a_fault_swallows_was_not_told(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BOTH) as socket:
        seen = by_symbol(await receive(socket, lambda found: len(found) > 50))
        silent = await venue.fault("silent", symbols=["BTCUSDT"])
        seen_after = by_symbol(await receive(socket, lambda found: len(found) > 100))
        await venue.fault("half_open")
        entries = await venue.get("/sim/faults/ledger")
        [mute] = [one for one in entries if one["kind"] == "half_open"]
        swallowed = min(first for one in await venue.ledger(silent) for first, _ in one["ids"])
        last = [*seen.get("BTCUSDT", []), *seen_after.get("BTCUSDT", [])][-1]
        assert mute["detail"]["told"]["BTCUSDT"][1] == last == swallowed - 1
        assert mute["detail"]["told"]["ETHUSDT"][1] >= seen_after["ETHUSDT"][-1]


async def test_two_connections_of_one_subscriber_each_get_every_trade(tmp_path: Path) -> None:
    async with (
        running(tmp_path, **SETTINGS) as venue,
        venue.socket(BOTH) as first,
        venue.socket("/market/stream") as second,
    ):
        streams = ["btcusdt@aggTrade", "ethusdt@aggTrade"]
        # The answer is read later: what comes before it belongs to the stream.
        await second.send_json({"method": "SUBSCRIBE", "params": streams, "id": 1})
        one = by_symbol(await receive(first, lambda found: len(found) > 800))
        messages = await receive(second, lambda found: len(found) > 800)
        assert {"result": None, "id": 1} in messages
        two = by_symbol([message for message in messages if "data" in message])
        for symbol in SETTINGS["symbols"]:
            for ids in (one[symbol], two[symbol]):
                assert ids == list(range(ids[0], ids[0] + len(ids)))
            assert len(set(one[symbol]) & set(two[symbol])) > 300


async def test_messages_that_are_no_trades_are_named_by_their_event_times(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket("/market/ws/btcusdt@markPrice@1s") as socket:
        await receive(socket, lambda found: len(found) > 1)
        number = await venue.fault("drop", streams=["markPrice"], most=3)
        found = await receive(socket, lambda found: bool(found) and found[-1]["E"] - found[0]["E"] > 8000)
        swallowed = [moment for one in await venue.ledger(number) for moment in one["times"]]
        assert len(swallowed) == 3
        told = {message["E"] for message in found}
        assert not told & set(swallowed)
        steps = sorted({*told, *swallowed})
        assert {after - before for before, after in itertools.pairwise(steps)} <= {990, 1000, 1010}


async def test_market_faults_say_what_was_and_what_is(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BOTH) as socket:
        await receive(socket, lambda found: len(found) > 20)
        halt = await venue.fault("halt", symbols=["ETHUSDT"], for_ms=2000)
        end = (await venue.get("/sim/faults"))[0]["end_ms"]
        told = by_symbol(await receive(socket, lambda found: bool(found) and found[-1]["data"]["E"] > end + 500))
        begins, ends = await venue.ledger(halt)
        assert [one["detail"]["what"] for one in (begins, ends)] == ["begins", "ends"]
        assert begins["detail"]["last_id"] == ends["detail"]["last_id"]
        assert ends["venue_ms"] == end == begins["venue_ms"] + 2000
        assert begins["detail"]["last_id"] + 1 in told["ETHUSDT"]
        tick = await venue.fault("tick_size", symbols=["BTCUSDT"], price_decimals=3, tick=5)
        [entry] = await venue.ledger(tick)
        assert entry["detail"]["was"] == {"status": "TRADING", "price_decimals": 2, "tick": 10}
        assert entry["detail"]["is"] == {"status": "TRADING", "price_decimals": 3, "tick": 5}
        status = await venue.fault("status", status="BREAK")
        assert [one["symbol"] for one in await venue.ledger(status)] == ["BTCUSDT", "ETHUSDT"]
        assert {one["detail"]["is"]["status"] for one in await venue.ledger(status)} == {"BREAK"}


async def test_a_skewed_clock_is_accounted_for_when_it_is_right_again(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BOTH) as socket:
        await receive(socket, lambda found: len(found) > 5)
        number = await venue.fault("clock_skew", by_ms=-5000)
        seen = by_symbol(await receive(socket, lambda found: len(found) > 200))
        await venue.end(number)
        entries = {one["symbol"]: one for one in await venue.ledger(number)}
        assert {one["detail"]["by_ms"] for one in entries.values()} == {-5000}
        for symbol, ids in seen.items():
            [(first, last)] = entries[symbol]["ids"]
            assert first <= ids[-1] <= last
            assert entries[symbol]["count"] == last - first + 1


async def test_expired_history_and_listen_keys_are_written_down(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        newest = (await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT"))[-1]["a"]
        number = await venue.fault("history_expired", most=1)
        await venue.refused(f"/fapi/v1/aggTrades?symbol=BTCUSDT&fromId={newest - 100}")
        [entry] = await venue.ledger(number)
        assert (entry["symbol"], entry["detail"]) == ("BTCUSDT", {"fromId": newest - 100})
        assert await venue.get("/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=newest - 100), "at most one answer"
        async with venue.http.post(
            f"{venue.url}/fapi/v1/listenKey", headers={"X-MBX-APIKEY": venue.api_key.key}
        ) as answer:
            key = (await answer.json())["listenKey"]
        async with venue.socket(f"/private/ws?listenKey={key}") as socket:
            await ask(socket, {"method": "LIST_SUBSCRIPTIONS", "id": 1})
            number = await venue.fault("listen_key_expiry")
            [entry] = await venue.ledger(number)
            assert (entry["detail"]["listen_key"], entry["detail"]["connections"]) == (key, [1])


NEEDED: dict[str, dict[str, Any]] = {
    "delay": {"by_ms": 100},
    "wrong_time": {"by_ms": 100},
    "clock_skew": {"by_ms": 100},
    "status": {"status": "BREAK"},
    "tick_size": {"price_decimals": 3, "tick": 1},
    "slow_body": {"seconds": 0.1},
    "refusal": {"code": -2021},
    "outside_order": {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.01"},
    "outside_stop": {"symbol": "BTCUSDT", "side": "SELL", "trigger_price": "50000"},
    "outside_cancel": {"symbol": "BTCUSDT"},
    "position_flip": {"symbol": "BTCUSDT"},
    "forced_close": {"symbol": "BTCUSDT", "reason": "adl"},
    "transfer": {"amount": "-1"},
}


async def test_every_kind_can_be_scripted_and_begins_and_ends_at_its_time(tmp_path: Path) -> None:
    kinds = [fault.model_fields["kind"].annotation.__args__[0] for fault in get_args(get_args(AnyFault)[0])]
    script = [
        {"kind": kind, "after_ms": 2000 + 100 * place, **NEEDED.get(kind, {})}
        | ({} if kind == "delisting" else {"for_ms": 250})
        for place, kind in enumerate(kinds)
    ]
    file = tmp_path / "script.json"
    file.write_text(json.dumps(script))
    async with running(tmp_path / "state", faults=file, **SETTINGS) as venue:
        last = START_MS + 2000 + 100 * len(kinds) + 400
        await venue.until(lambda status: status["told_ms"] > last)
        ledger = await venue.get("/sim/faults/ledger")
    begun = {one["detail"]["kind"]: one["venue_ms"] - START_MS for one in ledger if one["kind"] == "begin"}
    ended = {one["fault"]: one["venue_ms"] - START_MS for one in ledger if one["kind"] == "end"}
    for number, fault in enumerate(script, 1):
        assert begun[fault["kind"]] == fault["after_ms"]
        assert ended.get(number) == (fault["after_ms"] + fault["for_ms"] if "for_ms" in fault else None)


async def test_the_file_in_the_state_folder_says_the_same(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(BOTH) as socket:
        await venue.fault("drop", most=20)
        await receive(socket, lambda found: len(found) > 100)
        entries = await venue.get("/sim/faults/ledger")
        assert len(entries) >= 2
        assert len((tmp_path / LEDGER_FILE).read_text().splitlines()) >= len(entries)
