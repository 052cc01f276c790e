"""A factor file that cannot be imported is one line for whoever typed a command: the file, the line in it, and the error."""

import os
import subprocess
import sys
from pathlib import Path

from infra.local.options import ROOT

# The folder of factors is a package: a second folder on its path is found like the first.
COMMAND = """
import sys
import libs.trading.factors
libs.trading.factors.__path__.append(sys.argv.pop(1))
from services.console.app import main
main()
"""


def test_a_bad_import_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "factors" / "mine.py"
    broken.parent.mkdir()
    broken.write_text('"""Mine."""\n\nimport nothing_of_that_name\n')
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(broken.parent), "strategy", "validate"],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1", "PERPSTREAM_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr == (
        "perpstream: the file cannot be imported: ModuleNotFoundError: No module named 'nothing_of_that_name' "
        f"({broken}:3): mend the file, or take it out of the folder\n"
    )
