"""A state folder may hold anything: what is no run file is no running stack, and never waited for."""

import os
from pathlib import Path

import pytest

from infra.local.runfile import RUN_FILE, read_run_file


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "huge"])
def test_what_is_no_run_file_is_not_read(tmp_path: Path, kind: str) -> None:
    place = tmp_path / RUN_FILE
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        place.symlink_to("/dev/zero")
    elif kind == "folder":
        place.mkdir()
    else:
        place.write_bytes(b" " * 2_000_000)
    assert read_run_file(tmp_path) is None
