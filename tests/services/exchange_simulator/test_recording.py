"""Recordings: aggregation equals the independently derived tables, replay loses nothing, times may be kept or moved."""

import asyncio
import csv
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from libs.exchanges.recordings import check_beginnings
from libs.exchanges.venue import open_venue
from libs.kit.errors import ConfigurationError
from libs.kit.settings import VenueSettings
from services.exchange_simulator.app import Simulation
from services.exchange_simulator.clock import wall_ms
from services.exchange_simulator.recording.source import RecordedMarket, open_recording
from tests.services.exchange_simulator.running import (
    AFTER_MIDNIGHT,
    BEFORE_MIDNIGHT,
    RECORDINGS,
    SLICE,
    Running,
    receive,
    running,
)

FOR_EVER = 10**15
LARGE = Path(__file__).parents[4] / "shared" / "data" / "market"
Row = tuple[int, str, str, int, int, int, bool]


def derived(path: Path) -> list[Row]:
    """The rows of a derived table."""
    with gzip.open(path, "rt") as file:
        return [
            (int(a), p, q, int(f), int(last), int(t), m == "true")
            for a, p, q, f, last, t, m in list(csv.reader(file))[1:]
        ]


def rows_of(source: RecordedMarket) -> list[Row]:
    """All trades as they would stand in a table."""
    trades, rules = source.newest_trades("BTCUSDT", 10**6, FOR_EVER), source.rules["BTCUSDT"]
    price, quantity = rules.price_scale, rules.quantity_scale
    columns = (
        trades.ids,
        trades.prices,
        trades.quantities,
        trades.first_ids,
        trades.last_ids,
        trades.trade_ms,
        trades.maker,
    )
    return [
        (a, f"{p / price:.{rules.price_decimals}f}", f"{q / quantity:.{rules.quantity_decimals}f}", f, last, t, m)
        for a, p, q, f, last, t, m in zip(*(column.tolist() for column in columns), strict=True)
    ]


def wire_row(item: dict[str, Any]) -> Row:
    """A stream or REST object as a row."""
    return item["a"], item["p"], item["q"], item["f"], item["l"], item["T"], item["m"]


def test_the_slice_becomes_the_derived_aggregate_trades() -> None:
    expected = derived(RECORDINGS / "um_btcusdt_aggtrades_derived_20240808.csv.gz")
    assert rows_of(open_recording([SLICE]))[: len(expected)] == expected


@pytest.mark.parametrize(
    ("recordings", "table"),
    [
        (("um_btcusdt_ws_20240808T2354",), "um_btcusdt_aggtrades_derived_20240808"),
        (
            ("um_btcusdt_ws_20230405T0000", "um_btcusdt_ws_20230404T2358"),
            "um_btcusdt_aggtrades_derived_20230404_05",
        ),
    ],
)
def test_the_large_recordings_become_the_derived_aggregate_trades(recordings: tuple[str, ...], table: str) -> None:
    paths = [LARGE / f"{name}.raw.gz" for name in recordings]
    if not all(path.exists() for path in paths):
        print(f"\n*** NOT CHECKED: the large recordings are absent ({paths[0]}); only the slices were compared ***")
        return
    assert rows_of(open_recording(paths)) == derived(LARGE / f"{table}.csv.gz")


def test_a_recording_of_aggregate_trades_and_klines_is_read_as_it_is() -> None:
    path = LARGE / "um_4alts_ws_20210722T2225.raw.gz"
    if not path.exists():
        print(f"\n*** NOT CHECKED: the large recordings are absent ({path}) ***")
        return
    source = open_recording([path])
    assert source.symbols == ("AKROUSDT", "CTKUSDT", "KEEPUSDT", "SUSHIUSDT")
    assert sum(len(source.newest_trades(symbol, 1000, FOR_EVER)) for symbol in source.symbols) == 91
    wanted = frozenset(f"{symbol.lower()}@kline_1m" for symbol in source.symbols)
    assert len(source.side_events(0, source.last_event_ms(), wanted)) == 67


@pytest.mark.parametrize("header", [True, False])
def test_archive_tables_are_read_with_and_without_header(tmp_path: Path, header: bool) -> None:
    text = gzip.decompress((RECORDINGS / "um_btcusdt_aggtrades_derived_20240808.csv.gz").read_bytes()).decode()
    body = text if header else text.partition("\n")[2]
    with zipfile.ZipFile(tmp_path / "BTCUSDT-aggTrades-2024-08-08.zip", "w") as archive:
        archive.writestr("BTCUSDT-aggTrades-2024-08-08.csv", body)
    source = open_recording([tmp_path / "BTCUSDT-aggTrades-2024-08-08.zip"])
    assert rows_of(source) == derived(RECORDINGS / "um_btcusdt_aggtrades_derived_20240808.csv.gz")
    assert source.rules["BTCUSDT"].tick == 10


def test_two_files_are_one_recording_across_the_funding() -> None:
    both = open_recording([AFTER_MIDNIGHT, BEFORE_MIDNIGHT])
    trades = both.newest_trades("BTCUSDT", 10**6, FOR_EVER)
    midnight = 1_680_652_800_000
    assert trades.trade_ms[0] < midnight < trades.trade_ms[-1]
    assert list(trades.ids) == list(range(1, len(trades) + 1))
    fundings = both.fundings("BTCUSDT", 0, FOR_EVER, FOR_EVER)
    assert [(funding.time_ms, funding.rate) for funding in fundings] == [(midnight, "0.00002760")]
    assert both.fundings("BTCUSDT", 0, FOR_EVER, midnight - 1) == []
    assert both.mark_price("BTCUSDT", midnight + 10).next_funding_ms == midnight
    assert both.mark_price("BTCUSDT", midnight + 1000).next_funding_ms == midnight + 8 * 3_600_000


@pytest.mark.parametrize(
    "content", ["", "hello\n", '1 {"stream":"btcusdt@trade","data":{"e":"trade"}}\n', "a,b\n1,2\n"]
)
def test_a_file_that_is_no_recording_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "BTCUSDT-aggTrades-x.csv"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"BTCUSDT-aggTrades-x\.csv"):
        open_recording([path])


async def replay(run: Running, count: int) -> list[Any]:
    """The first `count` aggregate trades of the stream."""
    async with run.socket("/market/ws/btcusdt@aggTrade") as socket:
        return await receive(socket, lambda got: len(got) >= count)


@pytest.mark.parametrize("speed", ["max", 200.0])
async def test_the_stream_tells_every_trade_from_the_first_one(tmp_path: Path, speed: float | str) -> None:
    expected = rows_of(open_recording([SLICE]))
    async with running(tmp_path, recording=(SLICE,), speed=speed) as run:
        told = await replay(run, len(expected))
        assert [wire_row(item) for item in told] == expected
        assert all("nq" not in item and "st" not in item for item in told)
        status = await run.until(lambda status: bool(status["ended"]))
        assert status["last_ids"] == {"BTCUSDT": len(expected)}
        asked = await run.get("/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=len(expected) - 20)
        assert [wire_row(item) for item in asked] == expected[-21:]
        before = (await run.get("/fapi/v1/time"))["serverTime"]
        await asyncio.sleep(0.02)
        assert (await run.get("/fapi/v1/time"))["serverTime"] > before


async def test_nothing_happens_before_somebody_listens(tmp_path: Path) -> None:
    async with running(tmp_path, recording=(SLICE,), speed=50.0) as run:
        status = await run.get("/sim/status")
        assert (status["started"], status["anchor"]) == (False, None)
        assert await run.get("/fapi/v1/aggTrades", symbol="BTCUSDT") == []
        first = (await run.get("/fapi/v1/time"))["serverTime"]
        await asyncio.sleep(0.05)
        assert (await run.get("/fapi/v1/time"))["serverTime"] == first
        await replay(run, 1)
        assert (await run.get("/sim/status"))["started"]


@pytest.mark.parametrize("speed", ["max", 100.0])
async def test_a_recording_waits_for_all_the_readers_it_was_promised(tmp_path: Path, speed: float | str) -> None:
    async with running(tmp_path, recording=(SLICE,), speed=speed, readers=2) as run:
        async with run.socket("/market/ws/btcusdt@aggTrade") as trades:
            with pytest.raises(TimeoutError):
                await trades.receive(timeout=0.5)
            async with run.socket("/market/ws/btcusdt@markPrice@1s"):
                first = await receive(trades, lambda got: len(got) >= 1)
        assert first[0]["a"] == 1


async def test_an_unpaced_recording_states_and_has_no_limit(tmp_path: Path) -> None:
    async with running(tmp_path, recording=(SLICE,), speed="max", weight_limit=20) as run:
        settings = VenueSettings(binance_rest_url=run.url, venue_speed="max")
        # 4,000 weight is more than any minute of a paced venue has: a client that counted to 2,400 would wait for the next.
        async with asyncio.timeout(30), open_venue(settings) as venue:
            await venue.market_data.instruments(["BTCUSDT"])
            for _ in range(200):
                await venue.market_data.newest_agg_trades("BTCUSDT")


@pytest.mark.parametrize("speed", ["max", 200.0])
async def test_after_the_end_pings_say_that_the_venue_is_alive(tmp_path: Path, speed: float | str) -> None:
    async with running(tmp_path, recording=(SLICE,), speed=speed) as run:
        async with run.http.ws_connect(f"{run.url}/market/ws/btcusdt@aggTrade", autoping=False) as socket:
            async with asyncio.timeout(20):
                payload = b""
                while payload != b"ended":
                    message = await socket.receive()
                    assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING), message
                    if message.type is aiohttp.WSMsgType.PING:
                        payload = bytes(message.data)
                        await socket.pong(payload)
        assert (await run.get("/sim/status"))["ended"]


async def test_rest_never_runs_ahead_of_the_stream(tmp_path: Path) -> None:
    async with running(tmp_path, recording=(SLICE,), speed=1.0) as run:
        told = await replay(run, 3)
        asked = await run.get("/fapi/v1/aggTrades", symbol="BTCUSDT", limit=1000)
        assert told[-1]["a"] <= asked[-1]["a"] < 300
        assert [wire_row(item) for item in asked[:3]] == [wire_row(item) for item in told]


@pytest.mark.parametrize("speed", ["max", 100.0])
async def test_a_rebased_replay_starts_now_and_keeps_all_distances(tmp_path: Path, speed: float | str) -> None:
    expected = rows_of(open_recording([SLICE]))
    before = wall_ms()
    async with running(tmp_path, recording=(SLICE,), speed=speed, rebase=True) as run:
        if speed != "max":
            assert await run.get("/fapi/v1/aggTrades", symbol="BTCUSDT") == []
        told = await replay(run, 300)
        shift = told[0]["T"] - expected[0][5]
        assert before <= told[0]["E"] <= wall_ms() + 1000
        assert [(*wire_row(i)[:5], i["T"] - shift, i["m"]) for i in told] == expected[:300]


async def test_a_restarted_replay_goes_on_where_the_clock_says(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"recording": (SLICE,), "speed": 20.0}
    async with running(tmp_path, **settings) as run:
        await replay(run, 5)
        first = await run.get("/sim/status")
    async with running(tmp_path, **settings) as run:
        second = await run.get("/sim/status")
        assert second["anchor"] == first["anchor"]
        assert second["venue_time_ms"] >= first["venue_time_ms"]
        told = await replay(run, 1)
        asked = await run.get("/fapi/v1/aggTrades", symbol="BTCUSDT", fromId=1, limit=1000)
        assert [item["a"] for item in asked] == list(range(1, len(asked) + 1))
        assert told[0]["a"] > 5


async def test_recorded_mark_prices_are_replayed_as_they_are(tmp_path: Path) -> None:
    with gzip.open(AFTER_MIDNIGHT, "rt") as file:
        lines = [line[line.index("{") :] for line in file if "@markPrice" in line]
    recorded = [json.loads(line)["data"] for line in lines]
    async with running(tmp_path, recording=(AFTER_MIDNIGHT,), speed="max") as run:
        names = "btcusdt@aggTrade/btcusdt@markPrice@1s/!markPrice@arr@1s"
        async with run.socket(f"/market/stream?streams={names}") as socket:

            def enough(got: list[Any]) -> bool:
                return sum("markPrice" in item["stream"] for item in got) == 2 * len(recorded)

            told = await receive(socket, enough)
    assert [item["data"] for item in told if item["stream"] == "btcusdt@markPrice@1s"] == recorded
    assert [item["data"] for item in told if item["stream"] == "!markPrice@arr@1s"] == [[mark] for mark in recorded]


async def test_a_recording_invents_no_positioning(tmp_path: Path) -> None:
    async with running(tmp_path, recording=(SLICE,), speed=1.0) as run:
        assert await run.get("/futures/data/openInterestHist", symbol="BTCUSDT", period="5m") == []
        status, body = await run.refused("/fapi/v1/openInterest?symbol=BTCUSDT")
        assert (status, body["code"]) == (400, -1130)
        assert (await run.refused("/products/BTC-USD/ticker"))[0] == 404
        simulation: Simulation = run.simulation
        assert simulation.source.rules["BTCUSDT"].tick == 10


async def test_a_recording_says_nothing_of_a_period_that_outlasts_it(tmp_path: Path) -> None:
    async with running(tmp_path, recording=(SLICE,), speed=2_000.0) as run:
        await replay(run, 1)
        last = (await run.until(lambda status: bool(status["ended"])))["last_event_ms"]
        period_ends = (last // 300_000 + 1) * 300_000
        await run.until(lambda status: status["venue_time_ms"] > period_ends)
        assert await run.get("/futures/data/takerlongshortRatio", symbol="BTCUSDT", period="5m") == []


def test_the_beginning_of_a_recording_is_enough_to_refuse_what_is_none(tmp_path: Path) -> None:
    check_beginnings([SLICE])
    for name, content in (("notes.md", "# notes\n"), ("empty.csv", ""), ("cut.gz", "no gzip")):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(ConfigurationError, match=name):
            check_beginnings([path])
