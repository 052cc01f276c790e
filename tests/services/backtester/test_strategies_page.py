"""docs/strategies.md is enough: its steps, taken from the page, make a factor and a strategy that are traded in a backtest."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.backtester.market_days import Market, write_days

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "strategies.md"
STEPS = "## A factor and a strategy of your own, step by step"
SUITE = """
from libs.trading.factors import all_factors
from tests.suites.factor_suite import SUITE
for check in SUITE:
    check("vwap_reversion", all_factors()["vwap_reversion"])
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The product as somebody has it who has just cloned it, with a folder of exported data."""
    for folder in ("libs", "services", "infra", "strategies", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "golden", "e2e"))
    write_days(tmp_path / "export", [Market("BTCUSDT", 90_000.0, 40_000, 1, 3)], 1)
    return tmp_path


def written_files(page: str, folder: Path) -> list[Path]:
    """Each block that the page names a file for, written there."""
    found = re.findall(r"One file in `([^`]+)`, `([^`]+)`[^`]*```\w+\n(.*?)```", page, re.DOTALL)
    for place, name, content in found:
        (folder / place / name).write_text(content)
    return [folder / place / name for place, name, _ in found]


def run(command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, timeout=280, check=False
    )


def test_the_steps_of_the_page_end_in_a_report(copy: Path) -> None:
    page = PAGE.read_text().partition(STEPS)[2]
    assert [path.name for path in written_files(page, copy)] == ["vwap_reversion.py", "reversion.json"]
    checked = run([sys.executable, "-c", SUITE], copy)
    assert checked.returncode == 0, checked.stderr
    commands = re.findall(r"^perpstream (.+)$", page, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        done = run([sys.executable, "-m", "services.console", *shlex.split(command)], copy)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    report = json.loads((copy / "backtests" / "latest" / "report.json").read_text())
    assert {signal["strategy"] for signal in report["signals"]} == {"reversion"}
    assert report["trades"]
