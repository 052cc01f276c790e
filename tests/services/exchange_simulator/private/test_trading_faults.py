"""Faults of trading: what a client is told, and what really happened, which only the ledger says."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.services.exchange_simulator.running import Running, receive, running
from tests.services.exchange_simulator.trader import SYMBOL, Trader, eventually, trader

ORDER, ALGO, RISK = "/fapi/v1/order", "/fapi/v1/algoOrder", "/fapi/v3/positionRisk"
SETTINGS: dict[str, Any] = {"symbols": (SYMBOL, "ETHUSDT"), "rate": 60.0}
MARKET = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.010"}
STOP = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET"}
NEW_ORDERS: dict[str, Any] = {"paths": [ORDER], "methods": ["POST"]}

ANSWERS: dict[str, tuple[dict[str, Any], tuple[int, int] | None]] = {
    "503 unknown": ({"kind": "unavailable", "text": "unknown"}, (503, -1000)),
    "503 unavailable": ({"kind": "unavailable", "text": "unavailable"}, (503, -1000)),
    "503 internal": ({"kind": "unavailable", "text": "internal"}, (503, -1001)),
    "503 throttled": ({"kind": "unavailable", "text": "throttled"}, (503, -1008)),
    "408": ({"kind": "backend_timeout"}, (408, -1007)),
    "reset": ({"kind": "connection_reset"}, None),
    "no answer": ({"kind": "no_answer", "seconds": 0.2}, None),
}


async def send(me: Trader, **more: Any) -> tuple[int, int] | None:
    """Status and code; None where nothing came."""
    try:
        answer = await me.send("POST", ORDER, **{**MARKET, **more})
    except aiohttp.ClientError:
        return None
    return answer.status, answer.body.get("code", 0)


async def executed(me: Trader, name: str) -> list[str]:
    return [one["status"] for one in (await me.truth())["orders"] if one["clientOrderId"] == name]


@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_says_nothing_of_what_was_done(case: str, tmp_path: Path) -> None:
    fault, told = ANSWERS[case]
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await venue.fault(**NEW_ORDERS, **fault, most=1)
        assert await send(me, newClientOrderId="lost") == told
        await venue.fault(**NEW_ORDERS, **fault, most=1, executed="yes")
        assert await send(me, newClientOrderId="done") == told
        assert (await send(me, newClientOrderId="after")) == (200, 0)
        found = [await executed(me, name) for name in ("lost", "done", "after")]
        assert found == [[], ["FILLED"], ["FILLED"]]
        [request, _] = await me.entries("request")
        assert (request["facts"]["status"], request["facts"]["parameters"]["newClientOrderId"]) == (200, "done")


def refusals(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one["facts"] for one in requests if one["facts"].get("code") == -5028]


async def test_what_is_carried_out_later_is_not_found_before_and_never_after_its_window(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        late: dict[str, Any] = {"kind": "unavailable", "text": "unknown", "executed": "late", "most": 1, **NEW_ORDERS}
        async with me.stream("&events=ORDER_TRADE_UPDATE") as stream:
            await venue.fault(**late, late_ms=400)
            assert await send(me, newClientOrderId="late") == (503, -1000)
            assert await me.code("GET", ORDER, symbol=SYMBOL, origClientOrderId="late") == -2013
            events = await stream.until(lambda found: found != [] and found[-1]["o"]["X"] == "FILLED")
            assert events[-1]["o"]["c"] == "late"
        assert (await me.ok("GET", ORDER, symbol=SYMBOL, origClientOrderId="late"))["status"] == "FILLED"

        await venue.fault(**late, late_ms=400)
        assert await send(me, newClientOrderId="too-late", recvWindow=200) == (503, -1000)
        requests = await eventually(lambda: me.entries("request"), lambda found: refusals(found) != [])
        assert [one["parameters"]["newClientOrderId"] for one in refusals(requests)] == ["too-late"]
        assert await executed(me, "too-late") == []


async def test_a_throttling_venue_takes_what_reduces_risk(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await me.buy()
        await venue.fault(
            "unavailable", text="throttled", paths=["/fapi/v1/order", "/fapi/v1/algoOrder"], methods=["POST"]
        )
        assert await send(me) == (503, -1008)
        low = await me.price(-900)
        assert (await me.ok("POST", ALGO, **STOP, closePosition="true", triggerPrice=low))["algoStatus"] == "NEW"
        assert await send(me, side="SELL", reduceOnly="true") == (200, 0)


async def test_any_refusal_can_be_had_for_just_one_kind_of_order(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await me.buy()
        refusal = {"code": -2021, "message": "Order would immediately trigger.", "paths": [ALGO], "most": 1}
        number = await venue.fault("refusal", **refusal, where={"type": "STOP_MARKET"})
        low, high = await me.price(-900), await me.price(900)
        taken = {**STOP, "type": "TAKE_PROFIT_MARKET", "triggerPrice": high, "quantity": "0.010"}
        assert (await me.ok("POST", ALGO, **taken))["algoStatus"] == "NEW"
        stop = {**STOP, "triggerPrice": low, "quantity": "0.010", "clientAlgoId": "sl"}
        assert await me.code("POST", ALGO, **stop) == -2021
        [entry] = await venue.ledger(number)
        assert (entry["path"], entry["symbol"], entry["detail"]["clientAlgoId"]) == (ALGO, SYMBOL, "sl")
        assert "signature" not in entry["detail"]
        assert (await me.ok("POST", ALGO, **stop))["algoStatus"] == "NEW"


async def test_reads_lag_behind_what_was_answered(tmp_path: Path) -> None:
    paths = [RISK, ORDER, "/fapi/v1/openAlgoOrders"]
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await me.buy()
        number = await venue.fault("stale_reads", paths=paths, by_ms=60_000)
        order = await me.buy()
        stop = await me.ok("POST", ALGO, **STOP, triggerPrice=await me.price(-900), quantity="0.010")
        [held] = await me.ok("GET", RISK)
        assert held["positionAmt"] == "0.010"
        assert await me.code("GET", ORDER, symbol=SYMBOL, orderId=order["orderId"]) == -2013
        assert await me.ok("GET", "/fapi/v1/openAlgoOrders") == []
        assert [one["amount"] for one in (await me.truth())["positions"]] == ["0.02"]
        assert {entry["path"] for entry in await venue.ledger(number)} == set(paths)
        await venue.end(number)
        assert [one["algoId"] for one in await me.ok("GET", "/fapi/v1/openAlgoOrders")] == [stop["algoId"]]

        await venue.fault("stale_reads", paths=paths, by_ms=300)
        third = await me.buy()
        rows = await eventually(lambda: me.ok("GET", RISK), lambda rows: rows[0]["positionAmt"] != "0.020")
        assert rows[0]["positionAmt"] == "0.030"
        [seen, *_] = [one for one in reversed(await me.entries("request")) if one["facts"]["path"] == RISK]
        [bought] = [
            one["at"] for one in await me.entries("request") if str(third["orderId"]) in one["facts"].get("answer", "")
        ]
        assert seen["at"] >= bought + 300


async def test_a_cancel_comes_too_late(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await venue.fault("cancel_too_late", most=2)
        low = await me.price(-900)
        resting = {
            "symbol": SYMBOL,
            "side": "BUY",
            "type": "LIMIT",
            "timeInForce": "GTC",
            "quantity": "0.010",
            "price": low,
        }
        order = await me.ok("POST", ORDER, **resting)
        assert await me.code("DELETE", ORDER, symbol=SYMBOL, orderId=order["orderId"]) == -2011
        found = await me.ok("GET", ORDER, symbol=SYMBOL, orderId=order["orderId"])
        assert (found["status"], Decimal(found["avgPrice"])) == ("FILLED", Decimal(low))
        algo = await me.ok(
            "POST", ALGO, **STOP, triggerPrice=low, quantity="0.010", reduceOnly="true", clientAlgoId="sl"
        )
        assert await me.code("DELETE", ALGO, clientAlgoId="sl") == -2011
        assert (await me.ok("GET", ALGO, algoId=algo["algoId"]))["algoStatus"] == "FINISHED"
        assert await me.ok("GET", RISK) == []


@pytest.mark.parametrize(("share", "left", "status"), [("0", "0.010", "EXPIRED"), ("0.4", "0.006", "EXPIRED")])
async def test_a_trigger_finds_nobody_or_not_enough(share: str, left: str, status: str, tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS, speed=60.0) as venue:
        me, window = trader(venue), {"recvWindow": 600_000}
        await venue.fault("thin_triggers", share=share)
        async with me.stream("&events=ALGO_UPDATE/ORDER_TRADE_UPDATE") as stream:
            await me.buy("0.010", **window)
            await me.stop_near(**window, quantity="0.010", reduceOnly="true")
            events = await stream.until(lambda found: found[-1:] != [] and found[-1]["o"]["X"] == "FINISHED")
        over = events[-1]["o"]
        assert Decimal(over["aq"]) == Decimal("0.010") - Decimal(left)
        ends = [
            event["o"] for event in events if event["e"] == "ORDER_TRADE_UPDATE" and str(event["o"]["i"]) == over["ai"]
        ]
        assert (ends[-1]["X"], ends[-1]["er"], ends[-1]["z"]) == (
            status,
            "9",
            f"{Decimal('0.010') - Decimal(left):.3f}",
        )
        [held] = await me.ok("GET", RISK, **window)
        assert held["positionAmt"] == left


async def heard(me: Trader, fault: dict[str, Any], count: int) -> list[Any]:
    """What a private connection gets of two fills while a fault of its messages lasts, in order of arrival."""
    async with me.stream("&events=ORDER_TRADE_UPDATE") as stream:
        await me.venue.fault(streams=["ORDER_TRADE_UPDATE"], **fault)
        await me.buy(newClientOrderId="a")
        await me.buy(newClientOrderId="b")
        await me.buy(newClientOrderId="c", quantity="0.020")
        return [event["o"] for event in await stream.until(lambda found: len(found) == count)]


FATES: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "lost": ({"kind": "drop", "most": 3}, [("b", "FILLED"), ("c", "NEW"), ("c", "FILLED")]),
    "twice": ({"kind": "duplicate", "most": 2}, [("a", "NEW")] * 2 + [("a", "FILLED")] * 2 + [("b", "NEW")]),
    "later": ({"kind": "delay", "by_ms": 1500, "most": 2}, [
        ("b", "NEW"), ("b", "FILLED"), ("c", "NEW"), ("c", "FILLED"), ("a", "NEW"), ("a", "FILLED"),
    ]),
    "silent for a while": ({"kind": "silent", "most": 5}, [("c", "FILLED")]),
}  # fmt: skip


@pytest.mark.parametrize("fate", FATES)
async def test_user_events_get_lost_doubled_delayed_and_silenced(fate: str, tmp_path: Path) -> None:
    fault, expected = FATES[fate]
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        events = await heard(me, fault, len(expected))
        assert [(event["c"], event["X"]) for event in events] == expected
        told = [one["facts"]["event"]["o"] for one in await me.entries("event") if "o" in one["facts"]["event"]]
        assert [(one["c"], one["X"]) for one in told if "c" in one and one.get("x") in ("NEW", "TRADE")] == [
            (name, state) for name in "abc" for state in ("NEW", "FILLED")
        ]
        entries = await venue.ledger(1)
        assert sum(entry["count"] for entry in entries) == fault["most"]
        assert {entry["stream"] for entry in entries} == {await me.listen_key()}


async def outside(venue: Running, kind: str, **fields: Any) -> None:
    number = await venue.fault(kind, **fields)
    for entry in await venue.ledger(number):
        assert "refused" not in entry["detail"], entry


async def test_others_trade_on_the_account(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        async with me.stream("&events=ORDER_TRADE_UPDATE/ACCOUNT_CONFIG_UPDATE") as stream:
            await outside(venue, "outside_order", symbol=SYMBOL, side="BUY", quantity="0.030")
            await outside(
                venue, "outside_order", symbol=SYMBOL, side="BUY", quantity="0.010", price=await me.price(-900)
            )
            await outside(venue, "outside_stop", symbol=SYMBOL, side="SELL", trigger_price=await me.price(-900))
            await outside(venue, "position_flip", symbol=SYMBOL)
            await outside(venue, "outside_settings", symbol=SYMBOL, leverage=3)
            events = await stream.until(lambda found: found[-1:] != [] and found[-1]["e"] == "ACCOUNT_CONFIG_UPDATE")
        assert events[0]["o"]["c"].startswith("web_")
        [held] = await me.ok("GET", RISK)
        assert held["positionAmt"] == "-0.030"
        assert len(await me.ok("GET", "/fapi/v1/openOrders")) == len(await me.ok("GET", "/fapi/v1/openAlgoOrders")) == 1
        await outside(venue, "outside_cancel", symbol=SYMBOL)
        assert await me.ok("GET", "/fapi/v1/openOrders") == await me.ok("GET", "/fapi/v1/openAlgoOrders") == []
        await outside(venue, "transfer", amount="-500")
        [row] = await me.ok("GET", "/fapi/v1/income", incomeType="TRANSFER")
        assert row["income"] == "-500.00000000"


@pytest.mark.parametrize(("reason", "name"), [
    ("liquidation", "autoclose-"), ("adl", "adl_autoclose"), ("settlement", "settlement_autoclose-"),
])  # fmt: skip
async def test_the_venue_closes_positions_under_its_own_ids(reason: str, name: str, tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await me.buy("0.040")
        async with me.stream("&events=ORDER_TRADE_UPDATE/MARGIN_CALL") as stream:
            await outside(venue, "margin_call")
            await outside(venue, "forced_close", symbol=SYMBOL, reason=reason, share="0.25")
            events = await stream.until(lambda found: len(found) == 3)
        assert [(one["s"], one["pa"]) for one in events[0]["p"]] == [(SYMBOL, "0.04")]
        closed = events[-1]["o"]
        assert closed["c"].startswith(name)
        assert (closed["x"], closed["X"], closed["S"], closed["z"]) == ("CALCULATED", "FILLED", "SELL", "0.010")
        [held] = await me.ok("GET", RISK)
        assert held["positionAmt"] == "0.030"
        forced = await me.ok("GET", "/fapi/v1/forceOrders", symbol=SYMBOL)
        assert [one["clientOrderId"] for one in forced] == ([] if reason == "settlement" else [closed["c"]])
        fees = await me.ok("GET", "/fapi/v1/income", incomeType="INSURANCE_CLEAR")
        cost = Decimal("0.010") * Decimal(closed["L"]) * Decimal("0.0125")
        assert [Decimal(one["income"]) for one in fees] == ([-cost] if reason == "liquidation" else [])


async def test_a_strict_venue_is_silent_where_the_older_ways_are_used(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        number = await venue.fault("strict_user_streams")
        key = await me.listen_key()
        async with (
            me.stream("&events=ORDER_TRADE_UPDATE") as right,
            venue.socket(f"/private/ws?listenKey={key}") as nameless,
            venue.socket(f"/private/ws/{key}") as in_path,
        ):
            await me.buy(newClientOrderId="first")
            await right.until(lambda found: len(found) == 2)
            await venue.end(number)
            await me.buy(newClientOrderId="second")
            for socket in (nameless, in_path):
                heard = await receive(socket, lambda found: found != [] and found[-1]["e"] == "ORDER_TRADE_UPDATE")
                assert (heard[-1]["o"]["c"], heard[-1]["o"]["X"]) == ("second", "NEW")


async def test_a_delisting_ends_orders_and_settles_positions(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await me.buy()
        resting = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
        await me.ok("POST", ORDER, **resting, price=await me.price(-900))
        await me.ok("POST", ALGO, **STOP, closePosition="true", triggerPrice=await me.price(-900))
        async with me.stream("&events=ORDER_TRADE_UPDATE") as stream:
            number = await venue.fault("delisting", symbols=[SYMBOL])
            events = await stream.until(lambda found: len(found) == 3)
        assert [(event["o"]["X"], event["o"]["er"]) for event in events] == [
            ("EXPIRED", "7"),
            ("NEW", "0"),
            ("FILLED", "0"),
        ]
        assert events[-1]["o"]["c"].startswith("settlement_autoclose-")
        assert sorted(entry["kind"] for entry in await venue.ledger(number)) == ["delisting", "settled"]
        assert await me.ok("GET", RISK) == await me.ok("GET", "/fapi/v1/openAlgoOrders") == []
        assert await me.code("POST", ORDER, **MARKET) == -1122
    # After a restart the symbol is still gone, and what was traded before is still there.
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        assert len((await me.truth())["orders"]) == 3
        assert await me.code("POST", ORDER, **MARKET) == -1122


@pytest.mark.parametrize(("body", "complaint"), [
    ({"kind": "outside_order", "symbol": "NOPE", "side": "BUY", "quantity": "1"}, "no NOPE"),
    ({"kind": "margin_call", "account": "nobody"}, "no account nobody"),
    ({"kind": "outside_order", "symbol": SYMBOL, "side": "BUY", "quantity": "0"}, "quantity"),
    ({"kind": "connection_reset", "executed": "late"}, "late_ms"),
    ({"kind": "drop", "streams": ["NO_SUCH_EVENT"]}, "streams"),
    ({"kind": "outside_settings", "leverage": 3}, "name it"),
])  # fmt: skip
async def test_what_cannot_be_is_refused(body: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.http.post(f"{venue.url}/sim/faults", json=body) as answer:
        assert answer.status == 400
        assert complaint in (await answer.json())["detail"]


async def test_what_the_venue_would_not_take_from_anybody_is_written_down(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        number = await venue.fault("outside_order", symbol=SYMBOL, side="BUY", quantity="999")
        [entry] = await venue.ledger(number)
        assert entry["detail"]["refused"] == -2019
        assert (await trader(venue).truth())["orders"] == []
