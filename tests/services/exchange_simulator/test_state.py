"""The state folder, the frames' bytes and the process as a whole."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.errors import ConfigurationError
from services.exchange_simulator.app import open_simulation
from services.exchange_simulator.frames import AggTradeEncoder
from services.exchange_simulator.market import TradeColumns, TradeWindow
from services.exchange_simulator.payloads import decimal_text
from services.exchange_simulator.settings import MarketSettings
from services.exchange_simulator.symbols import SymbolRules
from tests.services.exchange_simulator.running import AFTER_MIDNIGHT, SLICE


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"seed": 8}, "seed was 7, asked for 8"),
        ({"rate": 61.0}, "rate was 60.0, asked for 61.0"),
        ({"symbols": ("BTCUSDT",)}, "symbols was"),
        ({"start_time": 1_763_712_000_000}, "start_time was null"),
        ({"speed": 2.0}, "speed was 1.0, asked for 2.0"),
        ({"recording": (SLICE,)}, 'source was "synthetic", asked for "recording"'),
    ],
)
def test_another_market_is_refused(tmp_path: Path, other: dict[str, Any], named: str) -> None:
    first = open_simulation(MarketSettings(state_dir=tmp_path))
    again = open_simulation(MarketSettings(state_dir=tmp_path))
    assert again.state.anchor == first.state.anchor
    with pytest.raises(ConfigurationError) as refusal:
        open_simulation(MarketSettings(state_dir=tmp_path, **other))
    assert named in str(refusal.value)
    assert refusal.value.exit_code == 2


def test_another_recording_is_refused(tmp_path: Path) -> None:
    open_simulation(MarketSettings(state_dir=tmp_path, recording=(SLICE,)))
    with pytest.raises(ConfigurationError, match="files was"):
        open_simulation(MarketSettings(state_dir=tmp_path, recording=(AFTER_MIDNIGHT,)))


def test_a_damaged_state_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "simulator.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"damaged.*simulator\.json"):
        open_simulation(MarketSettings(state_dir=tmp_path))


numbers = st.integers(0, 10**15)


@given(
    rows=st.lists(
        st.tuples(numbers, numbers, numbers, st.integers(-1, 10**9), numbers, st.booleans()), min_size=1, max_size=9
    ),
    decimals=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    name=st.sampled_from(["AUSDT", "BTCUSDT", "币安人生USDT", "VERYLONGNAMEOFATOKENUSDT"]),
    combined=st.booleans(),
)
def test_compiled_frames_are_the_messages_that_json_would_give(
    rows: list[tuple[int, int, int, int, int, bool]], decimals: tuple[int, int], name: str, combined: bool
) -> None:
    rules = SymbolRules(name, "A", "USDT", decimals[0], 1, decimals[1], 1)
    a, p, q, nq, f, maker = (list(column) for column in zip(*rows, strict=True))
    columns: list[Any] = [np.array(column, np.int64) for column in (a, p, q, nq, f, f, f, f)]
    trades = TradeColumns(*[*columns, np.array(maker, np.bool_)])
    window = TradeWindow(trades, np.zeros(len(rows), np.int32))
    data = AggTradeEncoder([rules], combined).frames(window, np.ones(1, np.bool_))
    expected = b""
    for row in rows:
        body: dict[str, Any] = {
            "e": "aggTrade",
            "E": row[4],
            "s": name,
            "a": row[0],
            "p": decimal_text(row[1], decimals[0]),
        }
        body["q"] = decimal_text(row[2], decimals[1])
        if row[3] >= 0:
            body["nq"] = decimal_text(row[3], decimals[1])
        body |= {"f": row[4], "l": row[4], "T": row[4], "m": row[5]} | ({"st": 1} if row[3] >= 0 else {})
        message: Any = {"stream": f"{name.lower()}@aggTrade", "data": body} if combined else body
        payload = json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()
        size = bytes((len(payload),)) if len(payload) < 126 else b"\x7e" + len(payload).to_bytes(2, "big")
        expected += b"\x81" + size + payload
    assert data == expected


async def start(folder: Path, **variables: str) -> tuple[subprocess.Popen[str], int]:
    """A simulator process and its port, when it listens."""
    environment = os.environ | {
        "PERPSTREAM_SIM_STATE_DIR": str(folder),
        "PERPSTREAM_SIM_PORT": "0",
        "PERPSTREAM_LOG_FORMAT": "json",
        **variables,
    }
    command = [sys.executable, "-m", "services.exchange_simulator"]
    process = await asyncio.to_thread(subprocess.Popen, command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while line := await asyncio.to_thread(process.stderr.readline):
        if line.startswith("{") and json.loads(line)["event"] == "listening":
            return process, int(json.loads(line)["port"])
    raise AssertionError(f"the simulator ended with {process.wait()}")


async def test_a_killed_process_goes_on_without_a_hole(tmp_path: Path) -> None:
    async def newest(port: int, **parameters: object) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{port}/fapi/v1/aggTrades"
        query = {"symbol": "BTCUSDT", **{key: str(value) for key, value in parameters.items()}}
        async with aiohttp.ClientSession() as http, http.get(url, params=query) as answer:
            rows: list[dict[str, Any]] = await answer.json()
            return rows

    process, port = await start(tmp_path)
    before = await newest(port, limit=3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process, port = await start(tmp_path)
    try:
        after = await newest(port, fromId=before[0]["a"], limit=1000)
        assert after[:3] == before
        assert [row["a"] for row in after] == list(range(before[0]["a"], before[0]["a"] + len(after)))
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert process.stderr is not None
        process.stderr.close()


async def test_a_stop_does_not_wait_for_clients(tmp_path: Path) -> None:
    process, port = await start(tmp_path)
    async with aiohttp.ClientSession() as http:
        address = f"http://127.0.0.1:{port}"
        async with (
            http.ws_connect(address + "/coinbase"),
            http.ws_connect(address + "/market/ws/btcusdt@aggTrade") as socket,
        ):
            await socket.receive(timeout=20)
            process.terminate()
            assert await asyncio.to_thread(process.wait, 7) == 0
    assert process.stderr is not None
    process.stderr.close()


def test_the_process_refuses_another_market_with_one_line(tmp_path: Path) -> None:
    open_simulation(MarketSettings(state_dir=tmp_path))
    environment = os.environ | {"PERPSTREAM_SIM_STATE_DIR": str(tmp_path), "PERPSTREAM_SIM_SEED": "8"}
    command = [sys.executable, "-m", "services.exchange_simulator"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "belongs to another market: seed was 7, asked for 8" in ended.stderr
    assert "Traceback" not in ended.stderr
