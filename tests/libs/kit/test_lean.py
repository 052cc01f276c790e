"""What is left out of an import is there for everybody else."""

import subprocess
import sys

import pytest

from libs.kit.lean import without


def test_a_module_is_missing_for_as_long_as_that_lasts() -> None:
    sys.modules.pop("this", None)
    with without("this"), pytest.raises(ModuleNotFoundError):
        __import__("this")
    assert "this" not in sys.modules


def test_a_module_that_is_there_stays() -> None:
    with without("pytest"):
        assert sys.modules["pytest"] is pytest
    assert sys.modules["pytest"] is pytest


def test_services_log_without_rich_and_the_command_line_has_it() -> None:
    code = "import sys, libs.kit.service; assert 'rich' not in sys.modules; import rich.table; assert rich.table.Table"
    subprocess.run([sys.executable, "-c", code], check=True)
