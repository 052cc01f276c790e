"""A factor file that cannot be imported is one line for whoever typed a command: the file, the line in it, and the error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.options import ROOT

# The folder of factors is a package: a second folder on its path is found like the first.
COMMAND = """
import sys
import libs.trading.factors
libs.trading.factors.__path__.append(sys.argv.pop(1))
from services.console.entry import main
main()
"""


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_bad_import_is_one_line(tmp_path: Path, options: tuple[str, ...]) -> None:
    broken = tmp_path / "factors" / "mine.py"
    broken.parent.mkdir()
    broken.write_text('"""Mine."""\n\nimport nothing_of_that_name\n')
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(broken.parent), "strategy", "validate", *options],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1", "PERPSTREAM_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = (
        "the file cannot be imported: ModuleNotFoundError: No module named 'nothing_of_that_name' "
        f"({broken}:3): mend the file, or take it out of the folder"
    )
    assert (done.returncode, done.stderr) == (2, f"perpstream: {told}\n")
    rows = json.loads(done.stdout) if options else []
    assert bool(rows) == bool(options), done.stdout
    assert all(row["problems"] == [told] for row in rows), rows
