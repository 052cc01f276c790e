"""Runs `perpstream` as people do, in a process of its own."""

import os
import subprocess
import sys

from infra.local.options import ROOT


def run_console(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """What `perpstream ARGUMENTS` says, without colours and 100 columns wide unless the variables say otherwise."""
    return subprocess.run(
        [sys.executable, "-m", "services.console", *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "100", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
