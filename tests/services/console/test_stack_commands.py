"""The whole stack through the command line: in the background, asked, watched, and stopped."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from infra.local.options import ROOT, PortName
from infra.local.runfile import RunFile, read_run_file
from tests.support.tiny_stack import alive

pytestmark = pytest.mark.e2e


class CommandLine:
    """`perpstream` with one state folder."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir

    def run(self, *arguments: str, seconds: float = 300.0) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "services.console", *arguments, "--state-dir", str(self.state_dir)],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def up(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        ports = [word for name in get_args(PortName) for word in ("--port", f"{name}=0")]
        return self.run("up", "--detach", *ports, *arguments)


@pytest.fixture
def perpstream(tmp_path: Path) -> Iterator[CommandLine]:
    command_line = CommandLine(tmp_path / "state")
    yield command_line
    command_line.run("down")


def test_up_status_watch_and_down(perpstream: CommandLine) -> None:
    started = perpstream.up("--symbols", "BTCUSDT")
    assert started.returncode == 0, started.stderr
    steps = started.stdout.splitlines()
    assert [step.split(" after ")[0] for step in steps] == [
        f"starting in the background; log in {perpstream.state_dir / 'logs' / 'supervisor.log'}",
        "ready",
    ], started.stdout
    again = perpstream.up("--symbols", "BTCUSDT")
    assert again.returncode == 1
    assert "a stack is running already" in again.stderr
    status = perpstream.run("status", "--json")
    report = json.loads(status.stdout)
    assert (status.returncode, report["ready"]) == (0, True), status.stdout
    assert {"kafka", "postgres", "sequencer", "signal_engine"} <= {row["name"] for row in report["services"]}
    assert report["memory_mb"] < 1500
    screen = perpstream.run("watch", "--once")
    assert screen.returncode == 0, screen.stderr
    assert "SIMULATOR" in screen.stdout
    assert "BTCUSDT" in screen.stdout
    assert "BTCUSDT" in perpstream.run("watch").stdout, "into a pipe it prints one frame and leaves"
    _check_questions_to_the_database(perpstream)
    run = read_run_file(perpstream.state_dir)
    assert run is not None
    _check_that_hanging_servers_are_shown(perpstream, run)
    down = perpstream.run("down", seconds=12)
    assert down.returncode == 0, down.stderr
    assert not any(alive(entry.pid) for entry in run.services)
    assert perpstream.run("status").returncode == 3


def _check_questions_to_the_database(perpstream: CommandLine) -> None:
    verified = perpstream.run("data", "verify", "btcusdt", "--json")
    facts = json.loads(verified.stdout)
    assert (verified.returncode, facts["sound"], facts["gaps"]) == (0, True, []), verified.stderr
    assert facts["days"][0]["rows"] > 0
    assert "100.0000" in perpstream.run("data", "verify", "BTCUSDT").stdout
    assert perpstream.run("data", "verify", "ETHUSDT").returncode == 1
    asked = perpstream.run(
        "db", "query", "SELECT symbol, 1.50::numeric AS n, now() < now() AS no FROM agg_trades_meta", "--json"
    )
    assert json.loads(asked.stdout) == [{"symbol": "BTCUSDT", "n": "1.50", "no": False}], asked.stderr
    assert "BTCUSDT" in perpstream.run("db", "query", "SELECT symbol FROM agg_trades_meta").stdout
    for statement, words in (
        ("DELETE FROM agg_trades_meta", "read-only"),
        ("SELEC", "syntax"),
        ("SET x.y = 1", "refuses"),
    ):
        refused = perpstream.run("db", "query", statement)
        assert refused.returncode == 1, statement
        assert words in refused.stderr
        assert len(refused.stderr.splitlines()) == 1


def _check_that_hanging_servers_are_shown(perpstream: CommandLine, run: RunFile) -> None:
    servers = [entry.pid for entry in run.services if entry.name in ("kafka", "postgres") and entry.pid]
    assert len(servers) == 2
    try:
        for pid in servers:
            os.kill(pid, signal.SIGSTOP)
        shown = perpstream.run("status").stdout
    finally:
        for pid in servers:
            os.kill(pid, signal.SIGCONT)
    assert shown.count("server: does not answer") == 2, shown
    assert f"of {len(run.services)} not ready" in shown


def test_a_broken_strategy_file_is_said_before_anything_starts(
    perpstream: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    (folder / "broken.json").write_text("{ nope")
    monkeypatch.setenv("PERPSTREAM_STRATEGIES_DIR", str(folder))
    started = perpstream.up("--symbols", "BTCUSDT")
    assert started.returncode == 2, started.stderr
    assert started.stderr.startswith("perpstream: ")
    assert "broken.json: $: not JSON" in started.stderr
    assert not perpstream.state_dir.exists(), "nothing was started"
    assert "topics" not in started.stderr


def test_another_folder_than_the_stacks_is_not_answered_by_other_servers(perpstream: CommandLine) -> None:
    for arguments in (("topics", "list"), ("db", "status")):
        asked = perpstream.run(*arguments)
        assert (asked.returncode, "no stack is running" in asked.stderr) == (3, True), asked.stderr


def test_an_unknown_symbol_is_one_line_before_anything_starts(perpstream: CommandLine) -> None:
    started = perpstream.up("--symbols", "BTCEUR")
    assert started.returncode == 2, started.stderr
    assert len(started.stderr.splitlines()) == 1
    assert "BTCEUR" in started.stderr
    assert "--symbols" in started.stderr
    assert read_run_file(perpstream.state_dir) is None
