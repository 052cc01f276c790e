"""Throughput of trade_ingest from WebSocket to Kafka: `python -m tests.bench.bench_ingest [trades]`.

A bench-only venue in another process pushes prebuilt aggTrade messages as fast as the socket takes them; trade_ingest runs as
it always does, in a process of its own, onto a real broker. Measured: trades acknowledged on the topic divided by the time
between the broker's append times of the first and the last frame. Checked: ids contiguous, none missing or doubled.
"""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from aiohttp import web
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

from infra.local.ports import free_port
from libs.contracts.codec import decode_as
from libs.contracts.frames import FrameGate
from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE
from libs.streaming.admin import ensure_topics
from libs.streaming.records import LogReader, Record
from tests.support.servers import Broker

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT")
PARTITIONS = 4
CHUNK_MESSAGES = 400
TRADES_PER_SECOND_OF_VENUE_TIME = 20_000


def messages(count: int) -> list[bytes]:
    """WebSocket frames (server to client, unmasked) of `count` aggTrade messages, symbols in turn."""
    start = time.time_ns() // 1_000_000
    frames = []
    for number in range(count):
        symbol, agg_id = SYMBOLS[number % len(SYMBOLS)], number // len(SYMBOLS) + 1
        at = start + number * 1000 // TRADES_PER_SECOND_OF_VENUE_TIME
        text = (
            f'{{"e":"aggTrade","E":{at + 20},"s":"{symbol}","a":{agg_id},"p":"{61000 + number % 999}.{number % 10}0",'
            f'"q":"0.{number % 900 + 100}","nq":"0.100","f":{agg_id * 3},"l":{agg_id * 3 + 2},"T":{at},'
            f'"m":{"true" if number % 3 else "false"},"st":1}}'
        ).encode()
        frames.append(b"\x81\x7e" + len(text).to_bytes(2, "big") + text)
    return frames


def exchange_info() -> bytes:
    """The least that exchangeInfo must say."""
    rows = [
        {
            "symbol": symbol,
            "status": "TRADING",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
                {"filterType": "LOT_SIZE", "stepSize": "0.001"},
            ],
        }
        for symbol in SYMBOLS
    ]
    return msgspec.json.encode({"symbols": rows})


class Ports(NamedTuple):
    """Loopback ports of the venue and of the ingest's health endpoints."""

    rest: int
    websocket: int
    health: int


class _Pusher(WSListener):
    """Answers SUBSCRIBE, then pushes everything in chunks when told to go, as fast as the socket drains."""

    def __init__(self, chunks: list[bytes], go: asyncio.Event) -> None:
        self._chunks = chunks
        self._go = go
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._task: asyncio.Task[None] | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            request = msgspec.json.decode(frame.get_payload_as_bytes(), type=dict[str, object])
            transport.send(WSMsgType.TEXT, msgspec.json.encode({"result": None, "id": request["id"]}))
            self._task = asyncio.get_running_loop().create_task(self._push(transport))

    async def _push(self, transport: WSTransport) -> None:
        await self._go.wait()
        for chunk in self._chunks:
            await self._may_write.wait()
            transport.underlying_transport.write(chunk)
            await asyncio.sleep(0)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()


async def _serve(ports: Ports, count: int) -> None:
    go = asyncio.Event()
    frames = messages(count)
    chunks = [b"".join(frames[at : at + CHUNK_MESSAGES]) for at in range(0, count, CHUNK_MESSAGES)]

    def listener(_: WSUpgradeRequest) -> _Pusher:
        return _Pusher(chunks, go)

    async def time_now(_: web.Request) -> web.Response:
        return web.json_response({"serverTime": time.time_ns() // 1_000_000})

    async def info(_: web.Request) -> web.Response:
        return web.Response(body=exchange_info(), content_type="application/json")

    async def start(_: web.Request) -> web.Response:
        go.set()
        return web.Response()

    async def nothing(_: web.Request) -> web.Response:
        return web.json_response([])

    application = web.Application()
    application.add_routes(
        [
            web.get("/fapi/v1/time", time_now),
            web.get("/fapi/v1/exchangeInfo", info),
            web.get("/fapi/v1/aggTrades", nothing),
            web.get("/fapi/v1/klines", nothing),
            web.get("/go", start),
        ]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    server = await ws_create_server(listener, "127.0.0.1", ports.websocket)
    await web.TCPSite(runner, "127.0.0.1", ports.rest).start()
    await server.serve_forever()


def serve(ports: Ports, count: int) -> None:
    """Entry of the venue's process."""
    asyncio.run(_serve(ports, count))


def go_when_ready(ports: Ports) -> None:
    """Let the venue push as soon as the ingest is ready."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports.health}/readyz", timeout=5):
                break
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit("trade_ingest does not become ready") from None
            time.sleep(0.2)
    with urllib.request.urlopen(f"http://127.0.0.1:{ports.rest}/go", timeout=5):
        pass


def start_ingest(bootstrap: str, ports: Ports) -> "subprocess.Popen[bytes]":
    """trade_ingest as a child process."""
    environment = dict(
        os.environ,
        PERPSTREAM_KAFKA_BOOTSTRAP=bootstrap,
        PERPSTREAM_MARKET_PARTITIONS=str(PARTITIONS),
        PERPSTREAM_SYMBOLS=",".join(SYMBOLS),
        PERPSTREAM_BINANCE_REST_URL=f"http://127.0.0.1:{ports.rest}",
        PERPSTREAM_BINANCE_WEBSOCKET_URL=f"ws://127.0.0.1:{ports.websocket}",
        PERPSTREAM_LOG_LEVEL="warning",
        PERPSTREAM_TRADES_SILENCE_SECONDS="600",
        PERPSTREAM_HEALTH_PORT=str(ports.health),
    )
    return subprocess.Popen([sys.executable, "-m", "services.trade_ingest"], env=environment)


async def _wait_for_rows(bootstrap: str, count: int) -> tuple[int, float, int]:
    """Rows accepted by the gate, seconds between first and last frame, and the number of frames."""
    rows, frames, stamps = 0, 0, []
    positions = dict.fromkeys(range(PARTITIONS), 0)
    gates = {partition: FrameGate() for partition in positions}
    deadline = time.monotonic() + 120
    async with LogReader(bootstrap) as log:
        while rows < count and time.monotonic() < deadline:
            await asyncio.sleep(3.0)
            for partition, position in positions.items():
                end = await log.end(AGGTRADE.name, partition)
                async for batch in log.range(AGGTRADE.name, partition, position, end):
                    for record in batch:
                        taken = _rows_of(record, gates[partition])
                        rows += taken
                        frames += 1
                        if taken:
                            stamps.append(record.timestamp_ms)
                positions[partition] = end
    if sum(gate.dropped for gate in gates.values()):
        raise SystemExit("rows were doubled")
    return rows, (max(stamps) - min(stamps)) / 1000, frames


def _rows_of(record: Record, gate: FrameGate) -> int:
    """Rows of one frame that count; ends the benchmark when an id is missing."""
    frame = decode_as(AggTradeFrame, record.value)
    before = dict(gate.last_ids)
    columns = gate.accept(frame)
    if columns is None or frame.holes:
        raise SystemExit(f"a stale frame or a hole: {frame.holes}")
    for index, part in enumerate(frame.slices):
        ids = columns.agg_id[columns.symbol_index == index]
        first = max(before.get(part.symbol, 0), 0) + 1
        if not np.array_equal(ids, np.arange(first, first + len(ids))):
            raise SystemExit(f"ids of {part.symbol} are not contiguous after {first - 1}")
    return len(columns)


def run(count: int) -> None:
    """One measurement, printed."""
    with tempfile.TemporaryDirectory(prefix="perpstream-bench-") as folder:
        broker = Broker(Path(folder) / "kafka")
        broker.start()
        ports = Ports(free_port(), free_port(), free_port())
        venue = multiprocessing.get_context("spawn").Process(target=serve, args=(ports, count))
        ingest: subprocess.Popen[bytes] | None = None
        try:
            asyncio.run(ensure_topics(broker.bootstrap, PARTITIONS))
            venue.start()
            ingest = start_ingest(broker.bootstrap, ports)
            go_when_ready(ports)
            rows, seconds, frames = asyncio.run(_wait_for_rows(broker.bootstrap, count))
        finally:
            if ingest is not None:
                ingest.terminate()
                ingest.wait(15)
            venue.terminate()
            broker.stop()
    print(f"trades {rows} of {count} · {seconds:.2f} s · {rows / seconds:,.0f} trades/s · {frames} frames")


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 600_000)
