"""The process that `perpstream backtest sweep` starts: interrupted, killed, started again, and the same in the end."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from services.backtester.sweep.results import PARTS
from tests.services.backtester.market_days import FIRST_DAY, Market, write_days
from tests.services.backtester.sweep.markets import DEFINITION

ROOT = Path(__file__).parents[4]
PATIENCE_S = 120.0
SPACE = """
[parameters]
threshold = { low = 15, high = 45 }
cooldown_seconds = { low = 60, high = 3600, log = true }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sweep")
    write_days(made, [Market("BTCUSDT", 60_000.0, 6_000, 1)], 2)
    (made / "swept.json").write_text(json.dumps(DEFINITION))
    (made / "space.toml").write_text(SPACE)
    return made


def request(folder: Path, output: str, kind: str = "sweep", **plan: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "source": "parquet",
        "path": str(folder),
        "view": "repaired",
        "start": (FIRST_DAY + timedelta(days=1)).isoformat(),
        "end": (FIRST_DAY + timedelta(days=2)).isoformat(),
        "warm_up_hours": 24,
        "allow_gaps": True,
        "costs": {"funding": False},
        "strategies": [str(folder / "swept.json")],
        "plan": {"space": str(folder / "space.toml"), "method": "random", "count": 60, "workers": 2} | plan,
        "output": str(folder / output),
        "json": False,
    }


def started(asked: dict[str, Any]) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "services.backtester", "-"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asked).encode())
    process.stdin.close()
    process.stdin = None
    return process


def done(asked: dict[str, Any]) -> tuple[int, str, str]:
    process = started(asked)
    out, errors = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out.decode(), errors.decode()


def await_parts(folder: Path, more_than: int) -> int:
    """How many parts there are, once there are more than so many."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = len(list((folder / PARTS).glob("*.parquet")))
        if found > more_than:
            return found
        time.sleep(0.01)  # what is awaited is a file of another process
    raise AssertionError("the sweep writes nothing")


def test_ctrl_c_and_kill_leave_a_state_that_goes_on(folder: Path) -> None:
    asked = request(folder, "broken", count=1_000)
    process = started(asked)
    found = await_parts(folder / "broken", 0)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, errors.decode()
    assert "start the same again to go on" in errors.decode()
    process = started(asked)
    await_parts(folder / "broken", found)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    code, out, errors_now = done(asked)
    assert code == 0, errors_now
    assert "1000 configurations tried" in out
    code, _, _ = done(request(folder, "whole", count=1_000, workers=1))
    assert code == 0
    tables = [pq.read_table(folder / name / "results.parquet") for name in ("broken", "whole")]
    assert tables[0].equals(tables[1])
    assert (folder / "broken" / "sweep.html").stat().st_size < 5_000_000


def test_walk_forward_is_a_kind_of_its_own(folder: Path) -> None:
    plan = {"count": 5, "train_days": 0.25, "test_days": 0.25}
    code, out, errors = done(request(folder, "walk", "walk-forward", **plan))
    assert code == 0, errors
    assert "Out of sample" in out
    told = json.loads((folder / "walk" / "walk_forward.json").read_bytes())
    assert len(told["steps"]) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "swep"}, "unknown kind swep"),
        ({"strategies": []}, "a sweep changes one strategy"),
        ({"plan": {}}, "space is missing (plan)"),
        ({"plan": {"space": "missing.toml"}}, "the space cannot be read"),
    ],
)
def test_a_wrong_request_is_one_line(folder: Path, changes: dict[str, Any], words: str) -> None:
    code, out, errors = done(request(folder, "wrong") | changes)
    assert (code, out) == (2, "")
    assert words in errors.lower()
    assert errors.startswith("perpstream: ")


@pytest.mark.parametrize("source", ["parquet", "archive"])
def test_drift_is_not_asked_of_files_that_the_live_engine_never_saw(folder: Path, source: str) -> None:
    asked = request(folder, "drift", "drift") | {"source": source, "view": "as-seen"}
    del asked["plan"]
    code, out, errors = done(asked)
    assert (code, out) == (2, "")
    assert "a drift check replays what the live engine saw" in errors


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"plan": {"space": "SPACE", "method": "grid"}}, 2, "a grid needs steps"),
        (
            {
                "kind": "walk-forward",
                "plan": {"space": "SPACE", "method": "optuna", "train_days": 0.25, "test_days": 0.25},
            },
            2,
            "walk-forward takes a grid",
        ),
        ({"kind": "walk-forward", "plan": {"space": "SPACE", "train_days": 9}}, 2, "hold no 9 of training"),
        ({"plan": {"space": "SPACE", "count": "many"}}, 2, "count must be a whole number (plan)"),
        ({"path": "/nowhere/at/all"}, 2, "there is no such folder"),
        ({"end": "yesterday"}, 2, "end must be a time"),
        ({"filters": "/nowhere/at/all"}, 2, "the file cannot be read"),
        ({"symbols": ["NONEUSDT"]}, 1, "there are no trades of NONEUSDT"),
    ],
)
def test_wrong_input_is_told_apart_from_what_the_data_refuses(
    folder: Path, changes: dict[str, Any], code: int, words: str
) -> None:
    plan = changes.pop("plan", None)
    asked = request(folder, "told") | changes
    if plan is not None:
        asked["plan"] = plan | {"space": str(folder / "space.toml")}
    found, out, errors = done(asked)
    assert (found, out) == (code, ""), errors
    assert errors.startswith("perpstream: "), errors
    assert words in errors, errors
    assert errors.count("\n") == 1, errors
    assert "nput should" not in errors, errors
