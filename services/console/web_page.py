"""The web page is built when it is missing, so that `perpstream up` has something to show; a stack works without it too."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path

from infra.local.options import ROOT
from infra.local.process import last_lines

DASHBOARD = ROOT / "services" / "dashboard"
_STEPS = (
    ("ci", "--no-fund", "--no-audit", "--loglevel=error"),
    ("run", "--silent", "build", "--", "--logLevel", "error"),
)


def find_npm() -> Path | None:
    """Node's package manager: the environment's own (the wheel that `make` installs), else the machine's."""
    own = Path(sys.executable).parent / "npm"
    found = str(own) if own.exists() else shutil.which("npm")
    return Path(found) if found else None


def ensure_page(npm: Path | None, say: Callable[[str], None], folder: Path = DASHBOARD) -> bool:
    """Build the page if there is none; whether there is one now. Whatever goes wrong is one line for the person, and no more."""
    page = folder / "dist" / "index.html"
    if page.is_file() or not (folder / "package.json").is_file():
        return page.is_file()
    if npm is None:
        say(
            "the web page is not built, and there is no Node to build it with: run `make dashboard`; the API works without"
        )
        return False
    try:
        return _built(npm, say, folder)
    except OSError as error:
        say(f"the web page cannot be built: {error.strerror}; run `make dashboard`; the API works without")
        return False


def _built(npm: Path, say: Callable[[str], None], folder: Path) -> bool:
    log = folder / "dist.log"
    # Two stacks that start at once build once.
    with log.open("a+b") as output:
        flock(output, LOCK_EX)
        if (folder / "dist" / "index.html").is_file():
            return True
        say("building the web page (once, a minute or two)")
        output.truncate(0)
        environment = os.environ | {"PATH": f"{npm.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
        for step in _STEPS:
            done = subprocess.run(  # noqa: S603 - npm with our own words
                (npm, *step),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
            if done.returncode != 0:
                say(f"the web page cannot be built ({last_lines(log, 1)}): see {log}; the API works without")
                return False
    return True
