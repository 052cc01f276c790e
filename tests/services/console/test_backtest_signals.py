"""A signal to `perpstream backtest` ends the run, whoever sends it: nothing is left behind, and the exit code tells it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.local.options import ROOT
from services.backtester.sweep.results import PARTS
from tests.services.backtester.market_days import Market, write_days
from tests.services.backtester.sweep.markets import DEFINITION

PATIENCE_S = 120.0
DAYS = ("--from", "2026-03-03", "--to", "2026-03-04", "--warm-up-hours", "24", "--allow-gaps", "--no-funding")
SPACE = "[parameters]\nthreshold = { low = 15, high = 45 }\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("signals")
    write_days(made, [Market("BTCUSDT", 60_000.0, 6_000, 1)], 2)
    (made / "swept.json").write_text(json.dumps(DEFINITION))
    (made / "space.toml").write_text(SPACE)
    return made


def started(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """The command in a session of its own, by which everything that it starts is known."""
    command = ("backtest", *arguments, *DAYS, "--parquet", str(folder), "--strategy", str(folder / "swept.json"))
    return subprocess.Popen(
        [sys.executable, "-m", "services.console", *command],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def of_session(session: int) -> list[str]:
    """The command lines of all that lives in the session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def await_run(process: "subprocess.Popen[str]") -> None:
    """Until the command has become the run, and asked to be told of SIGTERM."""
    await_caught(process, "services.backtester")


def await_caught(process: "subprocess.Popen[str]", module: str = "services.console") -> None:
    """Until the process runs that module, and asked to be told of SIGTERM."""
    wanted = 1 << (signal.SIGTERM - 1)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        caught = Path(f"/proc/{process.pid}/status").read_text().partition("SigCgt:")[2].split()[0]
        if module in Path(f"/proc/{process.pid}/cmdline").read_text() and int(caught, 16) & wanted:
            return
        time.sleep(0.005)  # what is awaited is a state of another process
    process.kill()
    raise AssertionError(f"{module} does not run")


def await_parts(process: "subprocess.Popen[str]", parts: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if any(parts.glob("*.parquet")):
            return
        time.sleep(0.01)  # what is awaited is a file of another process
    raise AssertionError(f"the sweep writes nothing: {process.communicate()}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_run_is_one_line_too(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = started(folder, "run", "--output", str(tmp_path / "report"))
    await_caught(process)
    process.send_signal(number)
    out, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (130, ""), errors
    assert re.fullmatch(r"perpstream: interrupted(; nothing was written)?\n", errors)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_command_ends_the_run(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = started(folder, "run", "--output", str(tmp_path / "report"))
    await_run(process)
    process.send_signal(number)
    out, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (130, ""), errors
    assert errors == "perpstream: interrupted; nothing was written\n"
    assert not (tmp_path / "report").exists(), "an interrupted run has written a report"
    assert not of_session(process.pid), "something was left behind"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_a_sweep_with_its_workers(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    space = ("--space", str(folder / "space.toml"), "--method", "random", "--count", "100000", "--workers", "2")
    process = started(folder, "sweep", *space, "--output", str(tmp_path / "sweep"))
    await_parts(process, tmp_path / "sweep" / PARTS)
    assert len(of_session(process.pid)) >= 3, "the command and its two workers were to run"
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_S)
    if number == signal.SIGTERM:
        assert process.returncode == 130, errors
        assert "start the same again to go on" in errors
    deadline = time.monotonic() + 20.0
    while left := of_session(process.pid):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.05)  # workers look once a second whether who started them still lives


def test_exit_code_and_output_are_those_of_the_run(folder: Path, tmp_path: Path) -> None:
    process = started(folder, "run", "--json", "--output", str(tmp_path / "report"))
    out, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert json.loads(out) == json.loads((tmp_path / "report" / "report.json").read_bytes())
    refused = started(folder, "run", "--symbols", "NOTHINGUSDT", "--output", str(tmp_path / "none"))
    out, errors = refused.communicate(timeout=PATIENCE_S)
    assert refused.returncode in (1, 2), errors
    assert out == ""
    assert errors.startswith("perpstream: ")
