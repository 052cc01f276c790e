"""No page in a browser drives the simulator; client libraries ask the venue under whatever name they have for it."""

from pathlib import Path
from typing import Any

import pytest

from tests.services.exchange_simulator.running import Running, running

JSON = {"Content-Type": "application/json"}
FAULT = b'{"kind": "silent"}'
SETTINGS: dict[str, Any] = {"symbols": ("BTCUSDT",), "rate": 1.0}


async def status(venue: Running, path: str, method: str = "GET", **headers: str) -> int:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with venue.http.request(
        method, venue.url + path, headers=names, data=FAULT if method == "POST" else None
    ) as answer:
        return answer.status


async def post(venue: Running, headers: dict[str, str]) -> int:
    async with venue.http.post(f"{venue.url}/sim/faults", headers=headers, data=FAULT) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (JSON, 201),
        (JSON | {"Host": "localhost:9000", "Origin": "http://localhost:9000"}, 201),
        (JSON | {"Host": "[::1]:9000", "Origin": "http://[::1]:9000"}, 201),
        (JSON | {"Host": "evil.example"}, 421),
        (JSON | {"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        (JSON | {"Origin": "http://evil.example"}, 403),
        (JSON | {"Origin": "http://127.0.0.1.evil.example"}, 403),
        (JSON | {"Origin": "http://127.0.0.1@evil.example"}, 403),
        (JSON | {"Origin": "http://[::1"}, 403),
        (JSON | {"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "text/plain; application/json"}, 415),
    ],
)
async def test_only_this_machine_arms_a_fault(tmp_path: Path, headers: dict[str, str], expected: int) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        assert await post(venue, headers) == expected
        assert len(await venue.get("/sim/faults")) == (expected == 201)


@pytest.mark.parametrize("path", ["/sim/status", "/sim/faults", "/sim/faults/ledger", "/%73im/status"])
async def test_only_this_machine_reads_what_it_does(tmp_path: Path, path: str) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        assert await status(venue, path) == 200
        assert await status(venue, path, Host="evil.example") == 421
        assert await status(venue, path, Origin="https://evil.example") == 403
        assert await status(venue, "/sim/faults", "DELETE", Origin="https://evil.example") == 403


async def test_the_venue_itself_answers_under_any_name(tmp_path: Path) -> None:
    async with running(tmp_path, **SETTINGS) as venue:
        assert await status(venue, "/fapi/v1/time", Host="fapi.binance.com", Origin="https://evil.example") == 200
        assert await status(venue, "/fapi/v1/listenKey", "POST", Host="venue", X_MBX_APIKEY=venue.api_key.key) == 200
        headers = {"Host": "fstream.binance.com"}
        async with venue.http.ws_connect(f"{venue.url}/market/ws/btcusdt@aggTrade", headers=headers) as socket:
            assert not socket.closed


async def test_a_port_that_is_open_to_others_answers_to_their_names_but_to_no_foreign_page(tmp_path: Path) -> None:
    async with running(tmp_path, host="0.0.0.0", **SETTINGS) as venue:  # as in a container
        assert await post(venue, JSON | {"Host": "exchange_simulator:9000"}) == 201
        assert await post(venue, JSON | {"Host": "sim:9000", "Origin": "http://SIM:9000"}) == 201
        assert await post(venue, JSON | {"Host": "192.0.2.7:9000", "Origin": "http://192.0.2.7:9000"}) == 201
        assert await post(venue, JSON | {"Host": "[2001:db8::7]:9000"}) == 201
        assert await post(venue, JSON | {"Host": "sim:9000", "Origin": "http://evil.example"}) == 403
        assert await post(venue, {"Host": "sim:9000", "Content-Type": "text/plain"}) == 415
        assert len(await venue.get("/sim/faults")) == 4


async def test_a_page_that_resolves_its_own_name_to_us_drives_no_container_either(tmp_path: Path) -> None:
    async with running(tmp_path, host="0.0.0.0", **SETTINGS) as venue:
        rebound = {"Host": "evil.example:9000", "Origin": "http://evil.example:9000"}
        assert await post(venue, JSON | rebound) == 421
        assert await post(venue, JSON | {"Host": "evil.example.:9000", "Origin": "http://evil.example.:9000"}) == 421
        assert await status(venue, "/sim/status", Host="evil.example:9000") == 421
        assert await venue.get("/sim/faults") == []
