"""strategies/schema.json is written by one command, which says when it is out of date and leaves it alone when it is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.options import ROOT
from services.console.strategy_schema import SCHEMA, schema_text

COMMAND = [sys.executable, "-m", "services.console.strategy_schema"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The product in another folder, so that nothing here is written."""
    for folder in ("libs", "services", "infra", "strategies"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, cwd=folder, env=environment, timeout=60, check=False
    )


def test_the_published_schema_is_what_the_command_writes() -> None:
    assert SCHEMA.read_text() == schema_text(), "run `make docs`: strategies/schema.json is out of date"


def test_a_new_factor_is_noticed_and_written(copy: Path) -> None:
    assert (run(copy, "--check").returncode, run(copy).stdout) == (0, "")
    factor = (
        (copy / "libs" / "trading" / "factors" / "basis.py").read_text().replace('name="basis"', 'name="basis_two"')
    )
    (copy / "libs" / "trading" / "factors" / "basis_two.py").write_text(factor)
    noticed = run(copy, "--check")
    assert (noticed.returncode, noticed.stdout) == (1, "")
    assert noticed.stderr == "strategies/schema.json is not what the factors and fields say: run `make docs`\n"
    assert run(copy).stdout == "wrote strategies/schema.json\n"
    assert '"basis_two"' in (copy / "strategies" / "schema.json").read_text()
    assert run(copy, "--check").returncode == 0
