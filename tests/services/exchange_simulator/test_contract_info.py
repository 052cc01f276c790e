"""`!contractInfo`: told when a fault changes a symbol's status or rules, on the path that carries it, and never otherwise."""

from pathlib import Path
from typing import Any

from binance_sdk_derivatives_trading_usds_futures.websocket_streams.models import ContractInfoStreamResponse

from tests.services.exchange_simulator.running import Running, receive, running

STREAM = "!contractInfo"
SETTINGS: dict[str, Any] = {"symbols": ("BTCUSDT", "ETHUSDT", "SOLUSDT"), "rate": 100.0, "speed": 4.0}


async def told(venue: Running, socket: Any, count: int) -> list[dict[str, Any]]:
    """Each event must be what the official client's typed model takes, and agree with exchangeInfo at the end."""
    events = await receive(socket, lambda found: len(found) == count)
    for event in events:
        assert ContractInfoStreamResponse.from_dict(event) is not None
        assert all(isinstance(value, int | float) for bracket in event["bks"] for value in bracket.values())
    return events


async def test_status_delisting_and_tick_changes_are_told_at_their_moment(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue, venue.socket(f"/market/ws/{STREAM}") as socket:
        number = await venue.fault("status", symbols=["ETHUSDT"], status="PRE_SETTLE", for_ms=2000)
        broken, mended = await told(venue, socket, 2)
        fault = next(one for one in await venue.get("/sim/faults") if one["number"] == number)
        assert [(one["s"], one["cs"], one["E"]) for one in (broken, mended)] == [
            ("ETHUSDT", "PRE_SETTLE", fault["begin_ms"]),
            ("ETHUSDT", "TRADING", fault["end_ms"]),
        ]
        number = await venue.fault("delisting", symbols=["SOLUSDT"])
        [gone] = await told(venue, socket, 1)
        fault = next(one for one in await venue.get("/sim/faults") if one["number"] == number)
        assert (gone["s"], gone["cs"], gone["dt"]) == ("SOLUSDT", "SETTLING", fault["begin_ms"])
        information = {one["symbol"]: one for one in (await venue.get("/fapi/v1/exchangeInfo"))["symbols"]}
        assert information["SOLUSDT"]["deliveryDate"] == gone["dt"]
        assert information["BTCUSDT"]["onboardDate"] == gone["ot"]
        await venue.fault("tick_size", symbols=["BTCUSDT"], price_decimals=3, tick=5)
        [changed] = await told(venue, socket, 1)
        assert (changed["s"], changed["cs"]) == ("BTCUSDT", "TRADING")


async def test_nothing_else_is_told_and_a_wrong_path_stays_silent(tmp_path: Path) -> None:
    async with (
        running(tmp_path, **SETTINGS) as venue,
        venue.socket(f"/market/stream?streams={STREAM}/btcusdt@aggTrade") as right,
        venue.socket(f"/ws/{STREAM}/btcusdt@bookTicker") as wrong,
    ):
        await venue.fault("halt", symbols=["ETHUSDT"], for_ms=1000)
        await venue.fault("status", symbols=["ETHUSDT"], status="BREAK", after_ms=3000)
        found = await receive(right, lambda found: any(one["stream"] == STREAM for one in found))
        assert found[-1]["data"]["cs"] == "BREAK"
        until = found[-1]["data"]["E"] + 1000
        books = await receive(wrong, lambda found: bool(found) and found[-1]["E"] > until)
        assert {one["e"] for one in books} == {"bookTicker"}
