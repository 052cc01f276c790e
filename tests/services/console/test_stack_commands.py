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
    run = read_run_file(perpstream.state_dir)
    assert run is not None
    _check_that_hanging_servers_are_shown(perpstream, run)
    down = perpstream.run("down", seconds=12)
    assert down.returncode == 0, down.stderr
    assert not any(alive(entry.pid) for entry in run.services)
    assert perpstream.run("status").returncode == 3


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
    assert "of 10 not ready" in shown


def test_an_unknown_symbol_is_one_line_before_anything_starts(perpstream: CommandLine) -> None:
    started = perpstream.up("--symbols", "BTCEUR")
    assert started.returncode == 2, started.stderr
    assert len(started.stderr.splitlines()) == 1
    assert "BTCEUR" in started.stderr
    assert "--symbols" in started.stderr
    assert read_run_file(perpstream.state_dir) is None
