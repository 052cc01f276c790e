"""Orders over HTTP: what they answer, what they refuse, and how many an account may send."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.services.exchange_simulator.running import running
from tests.services.exchange_simulator.trader import SYMBOL, Trader, trader

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
SETTINGS: dict[str, Any] = {"symbols": (SYMBOL, "ETHUSDT", "BNBUSDT"), "rate": 60.0}
LIMIT = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
STOP = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET"}


async def test_an_order_is_answered_without_prices_and_queried_with_them(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        at_first = await me.buy(newClientOrderId="a-1")
        assert (at_first["status"], at_first["executedQty"], at_first["cumQty"]) == ("NEW", "0.000", "0.000")
        in_the_end = await me.buy(newOrderRespType="RESULT")
        assert (in_the_end["status"], in_the_end["executedQty"]) == ("FILLED", "0.010")
        assert not {"avgPrice", "cumQuote"} & (at_first.keys() | in_the_end.keys())

        found = await me.ok("GET", ORDER, symbol=SYMBOL, origClientOrderId="a-1")
        assert (found["orderId"], found["status"]) == (at_first["orderId"], "FILLED")
        trades = await me.ok("GET", "/fapi/v1/userTrades", symbol=SYMBOL, orderId=found["orderId"])
        cost = sum(Decimal(one["price"]) * Decimal(one["qty"]) for one in trades)
        assert Decimal(found["avgPrice"]) == cost / Decimal("0.010")
        assert Decimal(found["cumQuote"]) == cost
        assert await me.code("GET", "/fapi/v1/openOrder", symbol=SYMBOL, orderId=found["orderId"]) == -2013


async def test_a_client_id_is_free_again_once_its_order_is_over(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        resting = await me.ok("POST", ORDER, **LIMIT, price=await me.price(-500), newClientOrderId="same")
        assert await me.code("POST", ORDER, **LIMIT, price=await me.price(-500), newClientOrderId="same") == -4116
        over = await me.ok("DELETE", ORDER, symbol=SYMBOL, origClientOrderId="same")
        assert (over["status"], over["orderId"]) == ("CANCELED", resting["orderId"])
        assert await me.code("DELETE", ORDER, symbol=SYMBOL, origClientOrderId="same") == -2011
        await me.buy(newClientOrderId="same")
        second = await me.buy(newClientOrderId="same")
        found = await me.ok("GET", ORDER, symbol=SYMBOL, origClientOrderId="same")
        assert found["orderId"] == second["orderId"] > resting["orderId"]


async def refused(me: Trader, **changes: Any) -> int:
    given = {**LIMIT, "price": await me.price(-500), **changes}
    return await me.code("POST", ORDER, **given)


REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "no symbol": (-1102, {"symbol": None}),
    "unknown symbol": (-1121, {"symbol": "NOPE"}),
    "no side": (-1102, {"side": ""}),
    "unknown side": (-1117, {"side": "HOLD"}),
    "unknown type": (-1116, {"type": "ICEBERG"}),
    "a type of algo orders": (-4120, {"type": "STOP_MARKET", "stopPrice": "90000"}),
    "unknown time in force": (-1115, {"timeInForce": "DAY"}),
    "limit without one": (-1102, {"timeInForce": None}),
    "market with one": (-1106, {"type": "MARKET", "price": None}),
    "market with a price": (-1106, {"type": "MARKET", "timeInForce": None}),
    "an exponent": (-1100, {"quantity": "1e-2"}),
    "between two ticks": (-4014, {"price": "80000.05"}),
    "too many digits": (-1111, {"quantity": "0.0101"}),
    "nothing": (-4003, {"quantity": "0"}),
    "less than five dollars": (-4164, {"quantity": "0.001", "price": "1000.0", "side": "BUY"}),
    "far above the mark": (-4016, {"price": "200000.0"}),
    "the other mode's side": (-4061, {"positionSide": "LONG"}),
    "an unknown side of positions": (-4060, {"positionSide": "UP"}),
    "a long client id": (-4015, {"newClientOrderId": "x" * 37}),
    "a strange client id": (-1100, {"newClientOrderId": "a b"}),
    "nothing to reduce": (-2022, {"reduceOnly": "true"}),
    "neither true nor false": (-1130, {"reduceOnly": "perhaps"}),
    "more than it has": (-2019, {"quantity": "100"}),
    "an unknown answer": (-1130, {"newOrderRespType": "FULL"}),
    "till the day before yesterday": (-1130, {"timeInForce": "GTD", "goodTillDate": 1_763_700_000_000}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("venue")


async def test_what_is_refused_has_the_venues_code_and_leaves_nothing(folder: Path) -> None:
    async with running(folder, **SETTINGS) as venue:
        me = trader(venue)
        codes = {case: await refused(me, **changes) for case, (_, changes) in REFUSALS.items()}
        assert codes == {case: code for case, (code, _) in REFUSALS.items()}
        truth = await me.truth()
        assert (truth["orders"], truth["positions"], truth["balances"]) == ([], [], {"USDT": "10000"})
        assert await me.code("GET", ORDER, symbol=SYMBOL) == -1102
        assert await me.code("GET", ORDER, symbol=SYMBOL, orderId=1) == -2013


async def test_resting_orders_are_listed_changed_and_cancelled_together(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        low = await me.price(-900)
        first = await me.ok("POST", ORDER, **LIMIT, price=low)
        second = await me.ok("POST", ORDER, **{**LIMIT, "symbol": "ETHUSDT"}, price="2990.00")
        assert [one["orderId"] for one in await me.ok("GET", "/fapi/v1/openOrders")] == [
            first["orderId"], second["orderId"],
        ]  # fmt: skip
        same = {"symbol": SYMBOL, "orderId": first["orderId"], "side": "BUY", "quantity": "0.010", "price": low}
        assert await me.code("PUT", ORDER, **same) == -5027
        changed = await me.ok("PUT", ORDER, **{**same, "quantity": "0.020"})
        assert (changed["origQty"], changed["status"]) == ("0.020", "NEW")
        done = await me.ok("DELETE", "/fapi/v1/allOpenOrders", symbol=SYMBOL)
        assert done == {"code": 200, "msg": "The operation of cancel all open order is done."}
        assert [one["symbol"] for one in await me.ok("GET", "/fapi/v1/openOrders")] == ["ETHUSDT"]
        history = await me.ok("GET", "/fapi/v1/allOrders", symbol=SYMBOL)
        assert [(one["orderId"], one["status"], one["origQty"]) for one in history] == [
            (first["orderId"], "CANCELED", "0.020")
        ]


async def test_a_batch_succeeds_and_fails_order_by_order(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        rows = [
            {**LIMIT, "price": await me.price(-900)},
            {**LIMIT, "type": "STOP", "price": "1"},
            {**LIMIT, "quantity": "x"},
        ]
        answer = await me.send("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps(rows))
        assert [one.get("code", one.get("status")) for one in answer.body] == ["NEW", -4120, -1100]
        assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "3"
        numbers = json.dumps([answer.body[0]["orderId"], 5])
        over = await me.ok("DELETE", "/fapi/v1/batchOrders", symbol=SYMBOL, orderIdList=numbers)
        assert [one.get("code", one.get("status")) for one in over] == ["CANCELED", -2011]
        assert await me.code("POST", "/fapi/v1/batchOrders", batchOrders=json.dumps(rows * 2)) == -4082
        for nonsense in ("{}", "[1]", "no", "[" * 20_000):
            assert (await me.post("/fapi/v1/batchOrders", batchOrders=nonsense)).body["code"] == -1130


async def test_orders_are_counted_apart_from_weight(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        first = await me.send("POST", ORDER, **LIMIT, price="1")
        assert (first.headers["X-MBX-ORDER-COUNT-10S"], first.headers["X-MBX-ORDER-COUNT-1M"]) == ("1", "1")
        assert first.headers["X-MBX-USED-WEIGHT-1M"] == "0"
        read = await me.send("GET", "/fapi/v1/openOrders")
        assert "X-MBX-ORDER-COUNT-10S" not in read.headers
        assert read.headers["X-MBX-USED-WEIGHT-1M"] == "40"
        codes = [await me.code("POST", ORDER, **LIMIT, price="1") for _ in range(400)]
        limited = codes.index(-1015)
        assert 299 <= limited < 400
        last = await me.send("POST", ORDER, **LIMIT, price="1")
        assert (last.status, last.body["code"]) == (429, -1015)


async def test_a_dead_mans_switch_cancels_what_rests_when_nobody_renews_it(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS, speed=20.0) as venue:
        me = trader(venue)
        async with me.stream("&events=ORDER_TRADE_UPDATE") as stream:
            await me.ok("POST", ORDER, **LIMIT, price=await me.price(-900), recvWindow=60_000)
            path = "/fapi/v1/countdownCancelAll"
            answer = await me.ok("POST", path, symbol=SYMBOL, countdownTime=4000, recvWindow=60_000)
            assert answer == {"symbol": SYMBOL, "countdownTime": "4000"}
            events = await stream.until(lambda found: len(found) == 2)
        assert [event["o"]["X"] for event in events] == ["NEW", "CANCELED"]
        [armed] = [one for one in await me.entries("command") if one["facts"]["type"] == "CountDown"]
        assert events[1]["T"] == armed["at"] + 4000


async def test_conditional_orders_have_ids_lists_and_answers_of_their_own(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await me.buy("0.020")
        low, high = await me.price(-800), await me.price(800)
        closing = {**STOP, "closePosition": "True", "triggerPrice": low, "workingType": "MARK_PRICE"}
        stop = await me.ok("POST", ALGO, **closing, clientAlgoId="sl")
        assert (stop["algoStatus"], stop["quantity"], stop["closePosition"]) == ("NEW", "0.000", True)
        assert await me.code("POST", ALGO, **closing) == -4130
        beside = await me.ok("POST", ALGO, **STOP, triggerPrice=low, quantity="0.010", reduceOnly="true")
        assert await me.code("POST", ALGO, **STOP, triggerPrice=high, quantity="0.010") == -2021
        assert await me.code("POST", ALGO, **STOP, triggerPrice=low) == -1102
        assert await me.code("POST", ALGO, **{**closing, "triggerPrice": "1.0"}, quantity="0.010") == -4137
        waiting = await me.ok("GET", "/fapi/v1/openAlgoOrders", symbol=SYMBOL)
        assert [one["algoId"] for one in waiting] == [stop["algoId"], beside["algoId"]]
        assert waiting[0]["actualOrderId"] == ""
        assert await me.ok("GET", "/fapi/v1/openOrders") == []
        over = await me.ok("DELETE", ALGO, clientAlgoId="sl", algoId=stop["algoId"])
        assert over == {"algoId": stop["algoId"], "clientAlgoId": "sl", "code": "200", "msg": "success"}
        assert await me.code("DELETE", ALGO, clientAlgoId="sl") == -2011
        assert (await me.ok("GET", ALGO, clientAlgoId="sl"))["algoStatus"] == "CANCELED"
        assert (await me.ok("DELETE", "/fapi/v1/algoOpenOrders", symbol=SYMBOL))["code"] == 200
        assert {one["algoStatus"] for one in await me.ok("GET", "/fapi/v1/allAlgoOrders", symbol=SYMBOL)} == {
            "CANCELED"
        }


async def test_an_order_is_filled_through_the_book_that_everybody_sees(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await venue.fault("transfer", amount="100000000")
        # Where nobody traded meanwhile, the book is the one that was met.
        for _ in range(40):
            book = await venue.get("/fapi/v1/depth", symbol=SYMBOL, limit=5)
            wanted = sum(Decimal(quantity) for _, quantity in book["asks"][:2]) + Decimal("0.001")
            order, best = await me.buy(str(wanted)), await venue.get("/fapi/v1/ticker/bookTicker", symbol=SYMBOL)
            after = await venue.get("/fapi/v1/depth", symbol=SYMBOL, limit=5)
            if after["lastUpdateId"] == book["lastUpdateId"]:
                break
        assert after["lastUpdateId"] == book["lastUpdateId"]
        assert (best["bidPrice"], best["askPrice"]) == (book["bids"][0][0], book["asks"][0][0])
        trades = await me.ok("GET", "/fapi/v1/userTrades", symbol=SYMBOL, orderId=order["orderId"])
        expected = [*book["asks"][:2], [book["asks"][2][0], "0.001"]]
        assert [[one["price"], one["qty"]] for one in trades] == expected
        answer = await venue.refused(f"/fapi/v1/depth?symbol={SYMBOL}&limit=7")
        assert (answer[0], answer[1]["code"]) == (400, -4021)
