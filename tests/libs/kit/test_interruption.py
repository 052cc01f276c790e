"""An interrupted command ends with exit code 130, wherever in it the signal came."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.options import ROOT

MODULE = """
import signal, sys
from libs.kit.interruption import interruptible

def work():
    {work}

sys.exit(interruptible(work))
"""
RAISES = "signal.raise_signal(signal.{name})"
IN_TEXT = f"exec('{RAISES}', globals())"
MINDED = f"""try:
        {IN_TEXT}
    except KeyboardInterrupt:
        sys.stderr.write("perpstream: interrupted\\n")
        return 130"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    "work", [RAISES, IN_TEXT, MINDED], ids=["code", "compiled text", "compiled text, minded by the work"]
)
def test_an_interrupted_command_ends_with_its_exit_code(tmp_path: Path, work: str, name: str) -> None:
    (tmp_path / "command.py").write_text(MODULE.format(work=work.format(name=name)))
    # As our commands are run: only a module ends by the interpreter's own last word.
    command = [sys.executable, "-m", "command"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "perpstream: interrupted\n")
