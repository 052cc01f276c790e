"""Backtests over the API: one at a time, watched, cancelled, read, and known after a restart of the gateway."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from libs.store.audit import AuditFilter, audit_rows
from libs.store.engine import read_session
from services.gateway.backtest_runs import NICENESS, BacktestRuns
from tests.services.gateway.house import Device, House, open_house
from tests.services.processes import eventually

ASKED = {"symbols": ["BTCUSDT"], "start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z"}
# A run stands back behind everything else on the machine.
PATIENCE_SECONDS = 600
# Stands for the backtester: it says how far it is, waits for a word, and writes a report.
PROGRAM = """
import json, pathlib, sys, time
asked = json.loads(pathlib.Path(sys.argv[1]).read_text())
pathlib.Path(asked["progress"]).write_text('{"phase": "reading", "done": 0.25}')
go = pathlib.Path(sys.argv[1]).with_name("go")
while not go.exists():
    time.sleep(0.02)
if go.read_text() == "fail":
    sys.exit("perpstream: there are no trades in this range")
report = pathlib.Path(asked["output"])
report.mkdir()
(report / "report.json").write_text(json.dumps({"symbols": asked["symbols"]}))
(report / "report.html").write_text("<h1>report</h1>")
"""


@pytest.fixture
async def house(module_database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    async with open_house(module_database_url, tmp_path) as opened:
        runs = BacktestRuns(tmp_path / "backtests", (sys.executable, str(program)))
        opened.application.state.backtests = runs
        yield opened
        for run in runs.all():
            runs.cancel(run)


def say(house: House, backtest_id: str, word: str) -> None:
    """Let the run go on."""
    runs: BacktestRuns = house.application.state.backtests
    path = runs.folder / backtest_id / "go"
    path.with_suffix(".draft").write_text(word)
    path.with_suffix(".draft").replace(path)


def niceness(house: House, backtest_id: str) -> int:
    """How far the run stands back behind others."""
    runs: BacktestRuns = house.application.state.backtests
    return psutil.Process(json.loads((runs.folder / backtest_id / "run.json").read_text())["pid"]).nice()


async def until(device: Device, backtest_id: str, **wanted: Any) -> dict[str, Any]:
    """The answer once it says this."""
    found: list[dict[str, Any]] = []

    async def says() -> bool:
        found.append((await device.get(f"/api/backtests/{backtest_id}")).body)
        return all(found[-1][name] == value for name, value in wanted.items())

    await eventually(says, PATIENCE_SECONDS, lambda: f"it stays {found[-1]}")
    return found[-1]


async def test_a_run_is_watched_and_its_report_read_also_by_a_gateway_that_starts_meanwhile(house: House) -> None:
    name, device = await house.person("trader")
    _, viewer = await house.person()
    assert (await viewer.post("/api/backtests", ASKED)).status == 403
    started = await device.post("/api/backtests", ASKED)
    assert started.status == 200, started.body
    backtest_id = started.body["backtest_id"]
    running = await until(viewer, backtest_id, phase="reading")
    assert niceness(house, backtest_id) >= NICENESS, "guard and executor go first"
    assert (running["state"], running["done"], running["started_by"]) == ("running", 0.25, name)
    assert (await viewer.get(f"/api/backtests/{backtest_id}/report")).status == 404
    assert (await device.post("/api/backtests", ASKED)).status == 409
    before: BacktestRuns = house.application.state.backtests
    house.application.state.backtests = BacktestRuns(before.folder, before.command)
    say(house, backtest_id, "go")
    assert (await until(viewer, backtest_id, state="done"))["done"] == 1.0
    assert (await viewer.get(f"/api/backtests/{backtest_id}/report")).body == {"symbols": ["BTCUSDT"]}
    page = await viewer.get(f"/api/backtests/{backtest_id}/report.html")
    assert "sandbox" in page.headers["content-security-policy"]
    assert [row["backtest_id"] for row in (await viewer.get("/api/backtests")).body["rows"]] == [backtest_id]
    async with read_session(house.engine) as session:
        assert (await audit_rows(session, AuditFilter(who=name)))[0].action == "backtest.start"


async def test_a_run_is_cancelled_and_one_that_fails_says_why(house: House) -> None:
    _, device = await house.person("trader")
    first = (await device.post("/api/backtests", ASKED)).body["backtest_id"]
    await until(device, first, phase="reading")
    assert (await device.post(f"/api/backtests/{first}/cancel")).status == 200
    await until(device, first, state="cancelled")
    second = (await device.post("/api/backtests", ASKED)).body["backtest_id"]
    say(house, second, "fail")
    failed = await until(device, second, state="failed")
    assert failed["detail"] == "perpstream: there are no trades in this range"


@pytest.mark.parametrize(
    "wrong",
    [
        {"end": "2026-11-01T00:00:00Z"},
        {"start": "2020-01-01T00:00:00Z"},
        {"start": "2026-11-01T00:00:00"},
        {"output": "/etc"},
        {"path": "/etc"},
        {"symbols": ["../etc"]},
        {"risk_per_trade": "NaN"},
    ],
)
async def test_what_makes_no_sense_or_names_a_path_starts_nothing(house: House, wrong: dict[str, Any]) -> None:
    _, device = await house.person("trader")
    assert (await device.post("/api/backtests", {**ASKED, **wrong})).status == 422
    assert (await device.get("/api/backtests/..%2F..%2Fsecret")).status in (404, 422)
    assert house.application.state.backtests.all() == []


async def test_the_real_backtester_takes_what_we_write_and_says_why_it_cannot(
    house: House, module_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERPSTREAM_DATABASE_URL", module_database_url)
    runs: BacktestRuns = house.application.state.backtests
    house.application.state.backtests = BacktestRuns(runs.folder)
    definition = json.loads((Path(__file__).parents[3] / "strategies" / "v51.json").read_text())
    _, device = await house.person("trader")
    started = await device.post("/api/backtests", {**ASKED, "strategies": [definition], "ideal": True})
    failed = await until(device, started.body["backtest_id"], state="failed")
    assert failed["detail"].startswith("perpstream: "), failed
    assert "request" not in failed["detail"], failed
