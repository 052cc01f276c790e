"""What an account holds and has chosen, over HTTP; and that a restart loses nothing of it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from services.exchange_simulator.private.journal import JOURNAL_FILE
from tests.services.exchange_simulator.running import SLICE, START_MS, receive, running
from tests.services.exchange_simulator.trader import SYMBOL, trader

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
SETTINGS: dict[str, Any] = {"symbols": (SYMBOL, "ETHUSDT"), "rate": 60.0}
HOUR_MS = 3_600_000
STREAM = "btcusdt@aggTrade"


async def test_positions_and_balances_agree_in_every_answer(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        assert await me.ok("GET", "/fapi/v3/positionRisk") == []
        await me.buy("0.100", side="SELL")
        resting = {"symbol": "ETHUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1"}
        await me.ok("POST", ORDER, **resting, price="2950.00")
        bitcoin, ether = await me.ok("GET", "/fapi/v3/positionRisk")
        assert (bitcoin["symbol"], bitcoin["positionAmt"], bitcoin["positionSide"]) == (SYMBOL, "-0.100", "BOTH")
        assert (ether["symbol"], ether["positionAmt"], ether["bidNotional"]) == ("ETHUSDT", "0.000", "2950")
        assert "leverage" not in bitcoin
        mark, entry = Decimal(bitcoin["markPrice"]), Decimal(bitcoin["entryPrice"])
        assert Decimal(bitcoin["unRealizedProfit"]) == (mark - entry) * Decimal("-0.1")
        assert Decimal(bitcoin["breakEvenPrice"]) < entry < Decimal(bitcoin["liquidationPrice"])
        assert Decimal(bitcoin["initialMargin"]) == Decimal(bitcoin["notional"]).copy_abs() / 20

        account = await me.ok("GET", "/fapi/v3/account")
        assert [one["symbol"] for one in account["positions"]] == [SYMBOL, "ETHUSDT"]
        assert "unrealizedProfit" in account["positions"][0]
        wallet = Decimal(account["totalWalletBalance"])
        [fill] = await me.ok("GET", "/fapi/v1/userTrades", symbol=SYMBOL)
        assert wallet == 10_000 - Decimal(fill["commission"])
        assert Decimal(account["totalMarginBalance"]) == wallet + Decimal(account["totalUnrealizedProfit"])
        assert Decimal(account["totalOpenOrderInitialMargin"]) == Decimal(2950) / 20
        [balance] = await me.ok("GET", "/fapi/v3/balance")
        assert Decimal(balance["balance"]) == wallet
        assert Decimal(balance["availableBalance"]) < wallet - 147

        old = await me.ok("GET", "/fapi/v2/positionRisk", symbol=SYMBOL)
        assert (old[0]["leverage"], old[0]["marginType"], old[0]["isAutoAddMargin"]) == ("20", "cross", "false")
        whole = await me.ok("GET", "/fapi/v2/account")
        assert {one["symbol"] for one in whole["positions"]} == {SYMBOL, "ETHUSDT"}
        assert whole["canTrade"] is True


async def test_an_income_statement_says_why_a_balance_moved(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await me.buy("0.010")
        await me.buy("0.010", side="SELL")
        rows = await me.ok("GET", "/fapi/v1/income")
        kinds = [row["incomeType"] for row in rows]
        assert sorted(kinds) == ["COMMISSION", "COMMISSION", "REALIZED_PNL"]
        truth = await me.truth()
        assert sum(Decimal(row["income"]) for row in rows) == Decimal(truth["balances"]["USDT"]) - 10_000
        [profit] = await me.ok("GET", "/fapi/v1/income", incomeType="REALIZED_PNL", symbol=SYMBOL)
        assert profit["income"] == (await me.ok("GET", "/fapi/v1/userTrades", symbol=SYMBOL))[-1]["realizedPnl"]


async def test_funding_is_settled_while_a_position_is_held(tmp_path: Path) -> None:
    begin = START_MS // (8 * HOUR_MS) * (8 * HOUR_MS) + 8 * HOUR_MS - 60_000
    async with running(tmp_path, **SETTINGS, start_time=begin, speed=30.0) as venue:
        me = trader(venue)
        async with me.stream("&events=ACCOUNT_UPDATE") as stream:
            await me.buy("0.100", recvWindow=600_000)
            events = await stream.until(lambda found: found != [] and found[-1]["a"]["m"] == "FUNDING_FEE")
        told = events[-1]["a"]
        assert ("P" in told, told["S"]) == (False, SYMBOL)
        [row] = await me.ok("GET", "/fapi/v1/income", incomeType="FUNDING_FEE", recvWindow=600_000)
        [rate] = await venue.get("/fapi/v1/fundingRate", symbol=SYMBOL, limit=1)
        assert row["time"] == rate["fundingTime"]
        expected = -Decimal("0.1") * Decimal(rate["markPrice"]) * Decimal(rate["fundingRate"])
        assert Decimal(row["income"]) == expected.quantize(Decimal("1E-8"))


async def test_choices_are_told_once_and_refused_when_they_are_made_already(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        async with me.stream("&events=ACCOUNT_CONFIG_UPDATE") as stream:
            answer = await me.ok("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=10)
            assert answer == {"leverage": 10, "maxNotionalValue": "40000000", "symbol": SYMBOL}
            await me.ok("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin="true")
            events = await stream.until(lambda found: len(found) == 2)
        assert [event.get("ac") or event.get("ai") for event in events] == [{"s": SYMBOL, "l": 10}, {"j": True}]
        assert await me.code("POST", "/fapi/v1/leverage", symbol=SYMBOL, leverage=126) == -4028
        assert await me.code("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin="true") == -4171
        assert await me.code("POST", "/fapi/v1/marginType", symbol=SYMBOL, marginType="ISOLATED") == -4168
        await me.ok("POST", "/fapi/v1/multiAssetsMargin", multiAssetsMargin="false")
        assert await me.ok("POST", "/fapi/v1/marginType", symbol=SYMBOL, marginType="ISOLATED") == {
            "code": 200, "msg": "success",
        }  # fmt: skip
        assert await me.code("POST", "/fapi/v1/marginType", symbol=SYMBOL, marginType="ISOLATED") == -4046
        [chosen] = await me.ok("GET", "/fapi/v1/symbolConfig", symbol=SYMBOL)
        assert (chosen["marginType"], chosen["leverage"]) == ("ISOLATED", 10)
        assert await me.ok("GET", "/fapi/v1/positionSide/dual") == {"dualSidePosition": False}
        assert await me.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false") == -4059
        await me.buy()
        assert await me.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true") == -4068
        assert await me.code("POST", "/fapi/v1/marginType", symbol=SYMBOL, marginType="CROSSED") == -4048
        rate = await me.ok("GET", "/fapi/v1/commissionRate", symbol=SYMBOL)
        assert (rate["makerCommissionRate"], rate["takerCommissionRate"]) == ("0.000200", "0.000500")


async def test_hedged_positions_are_opened_and_closed_by_their_side(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await me.ok("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
        await me.buy(positionSide="LONG")
        await me.buy(side="SELL", positionSide="SHORT")
        held = await me.ok("GET", "/fapi/v3/positionRisk", symbol=SYMBOL)
        assert [(one["positionSide"], one["positionAmt"]) for one in held] == [("LONG", "0.010"), ("SHORT", "-0.010")]
        reducing = {"symbol": SYMBOL, "side": "SELL", "type": "MARKET", "quantity": "0.010", "positionSide": "LONG"}
        assert await me.code("POST", ORDER, **reducing, reduceOnly="true") == -1106
        await me.ok("POST", ORDER, **reducing)
        [left] = await me.ok("GET", "/fapi/v3/positionRisk", symbol=SYMBOL)
        assert left["positionSide"] == "SHORT"


async def test_a_restart_keeps_orders_positions_and_money(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        await me.buy("0.037")
        await me.code(
            "POST", ORDER, symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTX", quantity="1", price="91500"
        )
        low = await me.price(-700)
        stop = {
            "algoType": "CONDITIONAL",
            "symbol": SYMBOL,
            "side": "SELL",
            "type": "STOP_MARKET",
            "closePosition": "true",
        }
        await me.ok("POST", ALGO, **stop, triggerPrice=low, clientAlgoId="sl")
        resting = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.010"}
        await me.ok("POST", ORDER, **resting, price=low)
        before, key = await me.truth(), me.key
    journal = tmp_path / JOURNAL_FILE
    # A crash in the middle of a line.
    with journal.open("a") as file:
        file.write('{"type":"PlaceO')
    async with running(tmp_path, **SETTINGS) as venue:
        me = trader(venue)
        after = await me.truth()
        assert me.key == key
        assert {**after, "at": 0} == {**before, "at": 0}
        placed = await me.ok("POST", ORDER, **resting, price=low)
        assert placed["orderId"] > before["orders"][-1]["orderId"]


async def test_a_recording_is_traded_against_like_any_market(tmp_path: Path) -> None:
    async with (
        running(tmp_path, recording=(SLICE,), rebase=True) as venue,
        venue.socket(f"/market/ws/{STREAM}") as reader,
    ):
        me = trader(venue)
        [first] = await receive(reader, lambda found: len(found) == 1)
        async with me.stream("&events=ORDER_TRADE_UPDATE") as stream:
            order = await me.buy("0.010", newOrderRespType="RESULT")
            events = await stream.until(lambda found: found[-1:] != [] and found[-1]["o"]["X"] == "FILLED")
        assert order["status"] == "FILLED"
        price = Decimal(events[-1]["o"]["L"])
        assert abs(price / Decimal(first["p"]) - 1) < Decimal("0.01")
