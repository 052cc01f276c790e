"""How long a price is on its way through the gateway's stream, and what each client costs (a table).

`python -m tests.bench.bench_stream [clients] [seconds]`: ten updates a second, each sent to every client, over real sockets of
one machine. The clients are a process of their own. Times are from when the fact was put into the memory until the client has
the message; 100 ms of them are the pause between two messages to a client.
"""

import asyncio
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import psutil
from rich.console import Console
from rich.table import Table

from services.gateway.stream_memory import Item
from tests.services.gateway.house import House, open_house
from tests.services.gateway.test_stream import streams
from tests.support.servers import Database

UPDATES_PER_SECOND = 10


async def _client(session: aiohttp.ClientSession, url: str, token: str, until: float) -> list[float]:
    found: list[float] = []
    headers = {"Authorization": f"Bearer {token}"}
    async with session.ws_connect(f"{url}/api/stream", headers=headers) as socket:
        await socket.send_str('{"type":"subscribe","id":"p","channel":"prices"}')
        while time.time() < until:
            try:
                message = await socket.receive(timeout=1.0)
            except TimeoutError:
                continue
            if message.type is not aiohttp.WSMsgType.TEXT:
                break
            said = json.loads(message.data)
            if said["type"] == "changes":
                now = time.time()
                found += [now - item["at"] for item in said["items"]]
    return found


async def _clients(url: str, token: str, count: int, until: float) -> list[float]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        found = await asyncio.gather(*(_client(session, url, token, until) for _ in range(count)))
    return [each for part in found for each in part]


def listen(url: str, token: str, count: int, until: float) -> list[float]:
    """Seconds that each update was on its way, of all clients; runs in a process of its own."""
    return asyncio.run(_clients(url, token, count, until))


async def _publish(house: House, until: float) -> int:
    feed, number = streams(house).feed, 0
    while time.time() < until:
        number += 1
        text = json.dumps({"symbol": "BTCUSDT", "at": time.time(), "mark_price": "61250.5", "n": number})
        feed.channels["prices"].put("BTCUSDT", Item(text, "BTCUSDT"))
        feed.waking.wake(["prices"])
        await asyncio.sleep(1 / UPDATES_PER_SECOND)
    return number


async def measure(database_url: str, folder: Path, clients: int, seconds: float) -> tuple[list[float], int, float]:
    """The times of all updates, how many there were, and processor seconds of the gateway."""
    async with open_house(database_url, folder) as house:
        streams(house).most_of_one = clients
        name, device = await house.person()
        asked = {"name": name, "password": "a long enough password", "given_to": "program"}
        token = (await device.post("/api/auth/login", asked)).body["tokens"]["access_token"]
        opening = 5 + clients / 50
        until = time.time() + opening + seconds
        with ProcessPoolExecutor(1) as pool:
            listening = asyncio.get_running_loop().run_in_executor(
                pool, partial(listen, house.url, token, clients, until)
            )
            await asyncio.sleep(opening)
            before = time.process_time()
            count = await _publish(house, until - 0.5)
            spent = time.process_time() - before
            return sorted(await listening), count, spent


def main() -> None:
    clients = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    print(f"load average of the machine before: {psutil.getloadavg()[0]:.1f}")
    with TemporaryDirectory() as folder:
        database = Database(Path(folder) / "postgres")
        database.start()
        try:
            times, count, spent = asyncio.run(measure(database.url, Path(folder), clients, seconds))
        finally:
            database.stop()
    table = Table("clients", "updates", "heard", "p50 ms", "p99 ms", "most ms", "CPU s of the gateway", box=None)
    shown = [f"{1000 * times[int(len(times) * share) if share < 1 else -1]:.0f}" for share in (0.5, 0.99, 1)]
    heard = f"{len(times) / max(1, clients * count):.1%}"
    table.add_row(str(clients), str(count), heard, *shown, f"{spent:.1f} of {seconds:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
