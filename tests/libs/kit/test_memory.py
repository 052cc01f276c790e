"""Freed arrays are used again: the system is not asked for the same pages twice."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROUNDS = """
import resource, sys
import numpy as np
from libs.kit.memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(2**22)
before = faults()
for _ in range(20):
    np.ones(2**22)
print(faults() - before)
"""


def faults(how: str) -> int:
    """Pages that the system gave to twenty arrays of 32 MiB, made one after the other."""
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS, how], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return int(done.stdout)


def test_an_array_takes_the_place_of_the_one_before() -> None:
    assert faults("kept") < faults("plain") / 10
