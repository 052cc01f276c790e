"""Runs `perpstream` as people do, in a process of its own, or in this one."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from infra.local.options import ROOT
from services.console.app import app
from services.console.output import guarded


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


def call_console(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The same in this process, in a tenth of the time: for tests that say many commands. One at a time."""
    written = io.BytesIO(), io.BytesIO()
    texts = [io.TextIOWrapper(one, encoding="utf-8", write_through=True) for one in written]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"NO_COLOR": "1", "COLUMNS": "100", **variables}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.StringIO())  # nobody is there to answer
        with contextlib.redirect_stdout(texts[0]), contextlib.redirect_stderr(texts[1]):
            try:
                code = guarded(lambda: app(list(arguments), prog_name="perpstream"))
            except SystemExit as ended:
                code = int(ended.code or 0)
    out, err = (one.getvalue().decode() for one in written)
    return subprocess.CompletedProcess(arguments, code, out, err)
