"""What an account hears: the right events, on the right connections, in the venue's order, and nothing after its key is over."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.services.exchange_simulator.running import ask, running
from tests.services.exchange_simulator.trader import SYMBOL, trader

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
SETTINGS: dict[str, Any] = {"symbols": (SYMBOL,), "rate": 60.0}


async def test_a_fill_is_told_with_balance_and_position(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        async with me.stream() as stream:
            answer = await me.buy("0.010", newClientOrderId="entry-1")
            events = await stream.until(lambda found: len(found) >= 4)
        by_kind = {event["e"]: event for event in events}
        assert set(by_kind) == {"TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"}
        fill, account = by_kind["ORDER_TRADE_UPDATE"]["o"], by_kind["ACCOUNT_UPDATE"]["a"]
        assert (fill["c"], fill["i"], fill["x"], fill["X"]) == ("entry-1", answer["orderId"], "TRADE", "FILLED")
        assert (fill["z"], fill["l"], fill["N"]) == ("0.010", "0.010", "USDT")
        [position] = account["P"]
        assert (position["s"], position["pa"], position["ps"]) == (SYMBOL, "0.01", "BOTH")
        assert Decimal(account["B"][0]["wb"]) == Decimal(10_000) - Decimal(fill["n"])
        assert account["m"] == "ORDER"
        assert (by_kind["TRADE_LITE"]["t"], by_kind["TRADE_LITE"]["L"]) == (fill["t"], fill["L"])
        [row] = await me.ok("GET", "/fapi/v1/userTrades", symbol=SYMBOL)
        assert (row["id"], row["commission"]) == (fill["t"], f"{Decimal(fill['n']):.8f}")


@pytest.mark.parametrize("way", ["address", "one kind", "combined", "subscribed", "another account's", "market path"])
async def test_a_listen_key_is_taken_in_every_way_that_clients_use(way: str, tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        key = await me.listen_key()
        path = {
            "one kind": f"/private/ws?listenKey={key}&events=ACCOUNT_UPDATE/NOSUCHTHING",
            "combined": f"/private/stream?listenKey={key}",
            "subscribed": "/private/stream",
            "another account's": f"/private/ws?listenKey={'0' * 64}",
            "market path": f"/market/ws?listenKey={key}",
        }.get(way, f"/private/ws?listenKey={key}")
        async with venue.socket(path) as socket, me.stream() as control:
            if way == "subscribed":
                assert await ask(socket, {"method": "SUBSCRIBE", "params": [key], "id": 1}) == {"result": None, "id": 1}
            await me.buy()
            await control.until(lambda found: len(found) >= 4)
            # What was told before this answer came before it.
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 9})
            heard: list[Any] = []
            while "result" not in (message := await socket.receive_json()):
                heard.append(message)
        kinds = [message["data"]["e"] if "stream" in message else message["e"] for message in heard]
        assert all(message.get("stream", key) == key for message in heard)
        assert ("stream" in heard[0] if heard else False) == (way in ("combined", "subscribed"))
        every = ["ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE", "ORDER_TRADE_UPDATE", "TRADE_LITE"]
        expected = {"one kind": ["ACCOUNT_UPDATE"], "another account's": [], "market path": []}
        assert sorted(kinds) == expected.get(way, every)


async def test_the_order_of_types_changes_and_that_of_one_type_does_not(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        first: set[str] = set()
        async with me.stream() as stream:
            for turn in range(60):
                await me.buy(side="SELL" if turn % 2 else "BUY")
                events = await stream.until(lambda found: sum(one["e"] == "ACCOUNT_UPDATE" for one in found) >= 1
                                            and any(one.get("o", {}).get("X") == "FILLED" for one in found))  # fmt: skip
                fills = [
                    event["e"]
                    for event in events
                    if event.get("o", {}).get("X") != "NEW" and event["e"] != "TRADE_LITE"
                ]
                first.add(fills[0])
                times = [event["E"] for event in events if event["e"] == "ORDER_TRADE_UPDATE"]
                assert times == sorted(times)
                if first == {"ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"}:
                    break
        assert first == {"ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"}


async def test_a_conditional_order_is_told_from_waiting_to_finished(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS, speed=60.0) as venue:
        me = trader(venue)
        window = {"recvWindow": 600_000}
        async with me.stream() as stream:
            await me.buy("0.010", **window)
            stop = await me.stop_near(**window, closePosition="true", clientAlgoId="sl")
            events = await stream.until(
                lambda found: any(one["e"] == "ALGO_UPDATE" and one["o"]["X"] == "FINISHED" for one in found)
            )
        states = [event["o"] for event in events if event["e"] == "ALGO_UPDATE"]
        assert [one["X"] for one in states] == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
        assert {one["aid"] for one in states} == {stop["algoId"]}
        assert [one["ai"] for one in states[:2]] == ["", ""]
        actual = states[-1]["ai"]
        fills = [
            event["o"] for event in events if event["e"] == "ORDER_TRADE_UPDATE" and str(event["o"]["i"]) == actual
        ]
        assert fills[-1]["X"] == "FILLED"
        assert (fills[-1]["o"], fills[-1]["ot"], fills[-1]["c"]) == ("MARKET", "STOP_MARKET", "sl")
        found = await me.ok("GET", ALGO, algoId=stop["algoId"], **window)
        assert (found["algoStatus"], found["actualOrderId"]) == ("FINISHED", actual)
        order = await me.ok("GET", ORDER, symbol=SYMBOL, orderId=actual, **window)
        assert (order["type"], order["origType"], order["status"]) == ("MARKET", "STOP_MARKET", "FILLED")
        assert await me.ok("GET", "/fapi/v3/positionRisk", **window) == []


async def test_a_key_lives_an_hour_unless_it_is_renewed_and_its_end_is_told(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS, speed=3600.0) as venue:
        me = trader(venue)
        async with me.stream() as stream:
            key = await me.listen_key()
            [event] = await stream.until(lambda found: len(found) == 1)
        assert (event["e"], event["listenKey"]) == ("listenKeyExpired", key)
        assert (await me.raw("PUT", "/fapi/v1/listenKey")).body["code"] == -1125
        renewed = await me.listen_key()
        assert renewed != key
        assert (await me.raw("DELETE", "/fapi/v1/listenKey")).status == 200
        assert (await me.raw("DELETE", "/fapi/v1/listenKey")).body["code"] == -1125


async def test_the_ledger_has_every_request_command_and_event(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        async with me.stream() as stream:
            answer = await me.buy("0.010", newClientOrderId="entry-1")
            heard = await stream.until(lambda found: len(found) >= 4)
        await me.code("DELETE", ORDER, symbol=SYMBOL, orderId=answer["orderId"])
        bought, cancelled = await me.entries("request")
        assert (bought["facts"]["status"], bought["facts"]["path"], bought["account"]) == (200, ORDER, "main")
        assert bought["facts"]["parameters"]["newClientOrderId"] == "entry-1"
        assert "signature" not in bought["facts"]["parameters"]
        assert (cancelled["facts"]["status"], cancelled["facts"]["code"]) == (400, -2011)
        commands = await me.entries("command")
        assert [one["facts"]["type"] for one in commands] == ["OpenAccount", "PlaceOrder", "CancelOrder"]
        told = await me.entries("event")
        assert [one["facts"]["event"] for one in told] == heard
        assert all(len(one["facts"]["connections"]) == 1 for one in told)
        truth = await me.truth()
        assert [one["amount"] for one in truth["positions"]] == ["0.01"]
        assert [one["id"] for one in truth["trades"]] == [one["t"] for one in heard if one["e"] == "TRADE_LITE"]
