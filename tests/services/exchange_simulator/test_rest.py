"""REST: answers agree with each other, refuse with Binance's bodies, and count weights."""

import asyncio
from pathlib import Path

import pytest

from tests.services.exchange_simulator.running import START_MS, Running, running

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/fapi/v1/aggTrades", 400, -1102),
        ("/fapi/v1/aggTrades?symbol=", 400, -1102),
        ("/fapi/v1/aggTrades?symbol=NOPE", 400, -1121),
        ("/fapi/v1/aggTrades?symbol=BTCUSDT&limit=1001", 400, -1130),
        ("/fapi/v1/aggTrades?symbol=BTCUSDT&limit=abc", 400, -1100),
        (f"/fapi/v1/aggTrades?symbol=BTCUSDT&startTime={START_MS}&endTime={START_MS + HOUR_MS}", 400, -1127),
        (f"/fapi/v1/aggTrades?symbol=BTCUSDT&startTime={START_MS}&endTime={START_MS - 1}", 400, -1023),
        (f"/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=5&startTime={START_MS}", 400, -1128),
        (f"/fapi/v1/aggTrades?symbol=BTCUSDT&startTime={START_MS - 49 * HOUR_MS}&limit=5", 400, -4166),
        ("/fapi/v1/klines?symbol=BTCUSDT", 400, -1102),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=7m", 400, -1120),
        ("/futures/data/openInterestHist?symbol=BTCUSDT", 400, -1102),
        ("/futures/data/openInterestHist?symbol=BTCUSDT&period=8h", 400, -1130),
        ("/fapi/v1/openInterest", 400, -1102),
    ],
)  # fmt: skip
async def test_refusals(tmp_path: Path, path: str, status: int, code: int) -> None:
    async with running(tmp_path) as run:
        answered, body = await run.refused(path)
        assert (answered, body["code"]) == (status, code)
        assert set(body) == {"code", "msg"}


async def page_all(run: Running, first: int, last: int) -> list[int]:
    """Ids by fromId paging, as gap fillers do it."""
    ids: list[int] = []
    while first <= last:
        rows = await run.get("/fapi/v1/aggTrades", symbol="ETHUSDT", fromId=first, limit=1000)
        ids += [row["a"] for row in rows if row["a"] <= last]
        first = rows[-1]["a"] + 1
    return ids


async def test_paging_by_id_and_by_time_gives_the_same_trades(tmp_path: Path) -> None:
    async with running(tmp_path, weight_limit=10**6) as run:
        start, end = START_MS - 600_000, START_MS - 1
        by_time: list[int] = []
        while start <= end:
            rows = await run.get("/fapi/v1/aggTrades", symbol="ETHUSDT", startTime=start, endTime=end, limit=1000)
            by_time += [row["a"] for row in rows if row["a"] not in by_time[-1000:]]
            if len(rows) < 1000:
                break
            start = rows[-1]["T"]
        assert by_time == list(range(by_time[0], by_time[-1] + 1))
        assert await page_all(run, by_time[0], by_time[-1]) == by_time


async def test_klines_honour_their_range(tmp_path: Path) -> None:
    async with running(tmp_path, weight_limit=10**6) as run:
        opened = START_MS // 60_000 * 60_000
        asked = {"symbol": "BTCUSDT", "interval": "1m"}
        rows = await run.get("/fapi/v1/klines", **asked, startTime=opened - 300_000, endTime=opened - 60_000)
        assert [row[0] for row in rows] == [opened - minutes * 60_000 for minutes in (5, 4, 3, 2, 1)]
        assert [type(value) for value in rows[0]] == [int, *[str] * 5, int, str, int, str, str, str]
        assert await run.get("/fapi/v1/klines", **asked, startTime=opened + 10 * HOUR_MS) == []
        assert len(await run.get("/fapi/v1/klines", **asked, limit=7)) == 7
        five = await run.get("/fapi/v1/klines", symbol="BTCUSDT", interval="5m", startTime=opened - 600_000, limit=1)
        ones = await run.get("/fapi/v1/klines", **asked, startTime=five[0][0], limit=5)
        assert five[0][1] == ones[0][1]
        assert five[0][4] == ones[-1][4]
        assert five[0][2] == max((row[2] for row in ones), key=float)
        assert sum(round(float(row[5]) * 1000) for row in ones) == round(float(five[0][5]) * 1000)
        assert sum(row[8] for row in ones) == five[0][8]


async def test_positioning_has_the_documented_types_and_times(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        five = 300_000
        for name in ("globalLongShortAccountRatio", "topLongShortAccountRatio", "topLongShortPositionRatio"):
            rows = await run.get(f"/futures/data/{name}", symbol="BTCUSDT", period="5m", limit=3)
            assert [row["timestamp"] for row in rows] == [START_MS // five * five - k * five for k in (2, 1, 0)]
            assert {type(row[k]) for row in rows for k in ("longShortRatio", "longAccount", "shortAccount")} == {str}
            assert all(float(row["longAccount"]) + float(row["shortAccount"]) == pytest.approx(1) for row in rows)
        taker = await run.get("/futures/data/takerlongshortRatio", symbol="BTCUSDT", period="5m", limit=2)
        assert [row["timestamp"] for row in taker] == [START_MS // five * five - k * five for k in (2, 1)]
        assert "symbol" not in taker[0]
        bar = (
            await run.get("/fapi/v1/klines", symbol="BTCUSDT", interval="5m", startTime=taker[0]["timestamp"], limit=1)
        )[0]
        assert float(taker[0]["buyVol"]) == pytest.approx(float(bar[9]))
        interest = await run.get("/futures/data/openInterestHist", symbol="BTCUSDT", period="1d", limit=500)
        assert 28 <= len(interest) <= 31


@pytest.mark.parametrize(
    "name",
    [
        "openInterestHist",
        "globalLongShortAccountRatio",
        "topLongShortAccountRatio",
        "topLongShortPositionRatio",
        "takerlongshortRatio",
    ],
)
async def test_thirty_days_of_positioning_can_be_paged_by_its_stamps(tmp_path: Path, name: str) -> None:
    async with running(tmp_path) as run:
        five, day, path = 300_000, 86_400_000, f"/futures/data/{name}"
        asked = {"symbol": "BTCUSDT", "period": "5m"}
        newest = START_MS // five * five - (five if name == "takerlongshortRatio" else 0)
        span = await run.get(path, **asked, startTime=newest - 10 * five, endTime=newest - 2 * five, limit=500)
        assert [row["timestamp"] for row in span] == [newest - number * five for number in range(10, 1, -1)]
        first = await run.get(path, **asked, startTime=newest - 10 * five, limit=3)
        assert first == span[:3], "from a start the first rows"
        last = await run.get(path, **asked, endTime=newest - 2 * five, limit=3)
        assert last == span[-3:], "without one the newest"
        assert len(await run.get(path, **asked, startTime=START_MS - 30 * day + 60_000, limit=500)) == 500
        assert await run.get(path, **asked, startTime=newest + five, endTime=newest + day) == []
        whole = "&".join(f"{key}={value}" for key, value in asked.items())
        for query, code in (
            (f"startTime={START_MS - 31 * day}", -1130),
            ("limit=501", -1130),
            ("startTime=2&endTime=1", -1023),
        ):
            status, body = await run.refused(f"{path}?{whole}&{query}")
            assert (status, body["code"]) == (400, code)


async def test_spot_trades_have_the_spot_price_and_their_time(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        trades = await run.get("/api/v3/aggTrades", symbol="BTCUSDT", limit=3)
        perpetual = await run.get("/fapi/v1/aggTrades", symbol="BTCUSDT", limit=3)
        assert [row["T"] for row in trades] == [row["T"] for row in perpetual]
        price = float((await run.get("/api/v3/ticker/price", symbol="BTCUSDT"))["price"])
        assert float(trades[-1]["p"]) == pytest.approx(price, rel=1e-3)
        assert {type(trades[-1][key]) for key in "pq"} == {str}


async def test_funding_is_settled_at_its_hour_and_announced_before(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        rows = await run.get("/fapi/v1/fundingRate", symbol="BTCUSDT", limit=21)
        assert len(rows) == 21
        assert all(0 <= row["fundingTime"] % (8 * HOUR_MS) < 20 for row in rows)
        again = await run.get("/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=rows[3]["fundingTime"], limit=2)
        assert again == rows[3:5]
        premium = await run.get("/fapi/v1/premiumIndex", symbol="BTCUSDT")
        assert premium["nextFundingTime"] % (8 * HOUR_MS) == 0
        assert START_MS < premium["nextFundingTime"] <= START_MS + 8 * HOUR_MS
        assert [row["symbol"] for row in await run.get("/fapi/v1/premiumIndex")] == list(run.simulation.source.symbols)


async def test_exchange_information_suits_typed_clients(tmp_path: Path) -> None:
    async with running(tmp_path, symbols=("BTCUSDT", "C123USDT")) as run:
        body = await run.get("/fapi/v1/exchangeInfo")
        now = (await run.get("/fapi/v1/time"))["serverTime"]
        assert now - body["serverTime"] > 30 * HOUR_MS
        assert body["exchangeFilters"] == []
        assert [limit["limit"] for limit in body["rateLimits"]] == [2400, 1200, 300]
        assert all(isinstance(asset["autoAssetExchange"], str) for asset in body["assets"])
        for symbol in body["symbols"]:
            filters = {item["filterType"]: item for item in symbol["filters"]}
            assert symbol["filters"][0]["filterType"] == "PRICE_FILTER"
            assert isinstance(filters["PERCENT_PRICE"]["multiplierDecimal"], str)
            tick, step = float(filters["PRICE_FILTER"]["tickSize"]), float(filters["LOT_SIZE"]["stepSize"])
            for trade in await run.get("/fapi/v1/aggTrades", symbol=symbol["symbol"], limit=20):
                assert float(trade["p"]) / tick == pytest.approx(round(float(trade["p"]) / tick), abs=1e-6)
                assert float(trade["q"]) / step == pytest.approx(round(float(trade["q"]) / step), abs=1e-6)


async def test_weights_are_counted_and_too_many_end_in_a_ban(tmp_path: Path) -> None:
    # 200 times faster: the minute lasts 0.3 s, the first ban 0.6 s.
    async with running(tmp_path, weight_limit=100, speed=200.0) as run:
        statuses: list[int] = []
        while 418 not in statuses:
            async with run.http.get(run.url + "/fapi/v1/aggTrades?symbol=BTCUSDT") as answer:
                statuses.append(answer.status)
                body = await answer.json()
                assert int(answer.headers["X-MBX-USED-WEIGHT-1M"]) % 20 == 0
            if answer.status == 429:
                assert body["code"] == -1003
        assert statuses.count(200) >= 5
        assert statuses.count(429) >= 10
        assert body["code"] == -1003
        until = int(body["msg"].split("banned until ")[1].split(".")[0])
        # Everything is refused during the ban, light requests too, and answered again after it.
        assert (await run.refused("/fapi/v1/ping"))[0] == 418
        async with asyncio.timeout(10):
            while True:
                status, _ = await run.refused("/fapi/v1/time")
                if status == 200:
                    break
                await asyncio.sleep(0.02)
        assert (await run.get("/fapi/v1/time"))["serverTime"] >= until - 1000


async def test_separate_pools_do_not_use_weight(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        for _ in range(3):
            await run.get("/futures/data/openInterestHist", symbol="BTCUSDT", period="5m")
            await run.get("/fapi/v1/fundingRate", symbol="BTCUSDT")
        async with run.http.get(run.url + "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1000") as answer:
            assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "5"


async def test_tickers_agree_with_the_tape(tmp_path: Path) -> None:
    async with running(tmp_path) as run:
        day = await run.get("/fapi/v1/ticker/24hr", symbol="BTCUSDT")
        assert float(day["lowPrice"]) <= float(day["lastPrice"]) <= float(day["highPrice"])
        assert day["count"] > 100_000
        price = await run.get("/fapi/v2/ticker/price", symbol="BTCUSDT")
        trade = (await run.get("/fapi/v1/aggTrades", symbol="BTCUSDT", startTime=price["time"], endTime=price["time"]))[
            -1
        ]
        assert trade["p"] == price["price"]
        book = await run.get("/fapi/v1/ticker/bookTicker", symbol="BTCUSDT")
        assert float(book["bidPrice"]) < float(book["askPrice"])
