"""On paper nothing of a venue is loaded: the executor stays as light as the stack's memory bound wants it."""

import subprocess
import sys

WIRING = "import services.executor.app, services.executor.on_paper, sys; print('numba' in sys.modules, 'numpy' in sys.modules)"


def test_on_paper_nothing_compiled_is_loaded() -> None:
    found = subprocess.run([sys.executable, "-c", WIRING], capture_output=True, text=True, check=True)
    assert found.stdout.split()[0] == "False"
