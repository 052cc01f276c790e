"""A supervisor in the background: what it is told, and what every user of the machine can see of that."""

import time
from pathlib import Path
from typing import get_args

import psutil
import pytest

from infra.local.options import PortName
from infra.local.process import last_lines
from libs.kit.errors import ConfigurationError
from services.console.launching import end, start_supervisor, without_password
from tests.support.silent_postgres import silent_postgres

SECRET = "not for every eye"


@pytest.mark.parametrize("form", [["--database", "URL"], ["--database=URL"]])
def test_the_password_is_taken_out_of_the_arguments(form: list[str]) -> None:
    def arguments(url: str) -> list[str]:
        return ["up", *(item.replace("URL", url) for item in form), "--workers", "2"]

    kept, password = without_password(arguments("postgresql://me:p%40ss@host:5/db"))
    assert (kept, password) == (arguments("postgresql+asyncpg://me@host:5/db"), "p@ss")
    plain = arguments("postgresql://me@host/db")
    assert without_password(plain) == (plain, None)
    with pytest.raises(ConfigurationError, match="--database"):
        without_password(arguments("postgresql://me:secret@host:port/db"))


@pytest.mark.integration
@pytest.mark.parametrize("tied", [True, False])
def test_the_supervisor_gets_the_password_and_no_process_list_shows_it(
    kafka_bootstrap: str, tmp_path: Path, tied: bool
) -> None:
    with silent_postgres() as port:
        url = f"postgresql://me:{SECRET.replace(' ', '%20')}@127.0.0.1:{port}/db"
        ports = [word for name in get_args(PortName) for word in ("--port", f"{name}=0")]
        arguments = ["up", "--kafka", kafka_bootstrap, "--database", url, *ports, "--state-dir", str(tmp_path)]
        supervisor = start_supervisor(tmp_path, arguments, tied=tied)
        try:
            file = tmp_path / "database-password"
            until = time.monotonic() + 60
            while not (file.exists() and file.read_text()) and supervisor.poll() is None:
                seen = " ".join(psutil.Process(supervisor.pid).cmdline())
                assert "not%20for" not in seen
                assert time.monotonic() < until, "the password did not arrive"
                time.sleep(0.01)
            assert file.exists(), last_lines(tmp_path / "logs" / "supervisor.log")
            assert file.read_text() == SECRET
            assert file.stat().st_mode & 0o777 == 0o600
            for process in [psutil.Process(supervisor.pid), *psutil.Process(supervisor.pid).children(recursive=True)]:
                assert "not%20for" not in " ".join(process.cmdline())
                assert "not%20for" not in "".join(process.environ().values())
        finally:
            end(supervisor)
