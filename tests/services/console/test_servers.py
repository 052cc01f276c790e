"""Which servers a command works on: those that the environment names, each for itself, before those of the running stack."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from infra.local.runfile import RunFile, creation_time, read_run_file, write_run_file
from libs.exchanges.account import OrderAddresses, order_addresses
from libs.kit.settings import AccountSettings
from services.console.output import servers
from services.console.venues import venue_settings
from tests.services.console.running import run_console
from tests.support.servers import Database

STACK_DATABASE, STACK_KAFKA = "postgresql+asyncpg://perpstream@127.0.0.1:5432/perpstream", "127.0.0.1:9092"
RESEARCH = "postgresql+asyncpg://perpstream@127.0.0.1:5432/research"
ELSEWHERE = "postgresql+asyncpg://me:secret@db.example:5433/research"


def _stack(folder: Path, database_url: str = STACK_DATABASE, password_file: str = "of_stack") -> None:
    """A stack that runs in the folder, as far as its run file says: this process is its supervisor."""
    run = RunFile(
        version="",
        supervisor_pid=os.getpid(),
        supervisor_started_at=creation_time(os.getpid()) or 0.0,
        kafka_bootstrap=STACK_KAFKA,
        database_url=database_url,
        database_password_file=password_file,
    )
    write_run_file(folder, run)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DATABASE_URL", "DATABASE_PASSWORD_FILE", "KAFKA_BOOTSTRAP"):
        monkeypatch.delenv(f"PERPSTREAM_{name}", raising=False)
    _stack(tmp_path)
    return tmp_path


def test_without_variables_everything_is_the_stacks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = servers(folder)
    assert (given.kafka, given.database.database_url) == (STACK_KAFKA, STACK_DATABASE)
    assert given.database.database_password_file == Path("of_stack")
    assert capsys.readouterr().err == ""


def test_a_named_database_wins_and_the_broker_stays_the_stacks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERPSTREAM_DATABASE_URL", RESEARCH)
    given = servers(folder)
    assert (given.kafka, given.database.database_url) == (STACK_KAFKA, RESEARCH)
    assert given.database.database_password_file == Path("of_stack"), "it opens every database of that server"
    assert servers(folder) == given
    said = f"perpstream: the database is {RESEARCH} (PERPSTREAM_DATABASE_URL), not the running stack's\n"
    assert capsys.readouterr().err == said, "once a command"


def test_a_named_broker_wins_and_the_database_stays_the_stacks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERPSTREAM_KAFKA_BOOTSTRAP", "127.0.0.1:9999")
    given = servers(folder)
    assert (given.kafka, given.database.database_url) == ("127.0.0.1:9999", STACK_DATABASE)
    assert "the broker is 127.0.0.1:9999" in capsys.readouterr().err


def test_the_stacks_password_goes_to_no_other_server_and_none_is_shown(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERPSTREAM_DATABASE_URL", ELSEWHERE)
    assert servers(folder).database.database_password_file is None
    said = capsys.readouterr().err
    assert "postgresql+asyncpg://me@db.example:5433/research" in said
    assert "secret" not in said


@pytest.mark.integration
def test_a_second_database_of_the_stacks_server_is_made_named_and_used(own_postgres: Database, tmp_path: Path) -> None:
    url = own_postgres.url.replace(f":{own_postgres.password_file.read_text().strip()}@", "@")
    _stack(tmp_path, url, str(own_postgres.password_file))
    made = _run(tmp_path, "db", "create", "research", "--json")
    facts = json.loads(made.stdout)
    assert facts["url"] == f"{url.rpartition('/')[0]}/research"
    assert _run(tmp_path, "db", "create", "user", "--json").returncode == 0, "a word of SQL is a name like any other"
    for named in ("research", "user", "no-name", "Big"):
        refused = _run(tmp_path, "db", "create", named)
        assert (refused.returncode in (1, 2), len(refused.stderr.splitlines())) == (True, 1), refused.stderr
    assert _run(tmp_path, "db", "status").returncode == 1, "the stack's own database has no schema"
    status = _run(tmp_path, "db", "status", "--json", PERPSTREAM_DATABASE_URL=facts["url"])
    assert json.loads(status.stdout) == {
        "url": facts["url"],
        "revision": facts["revision"],
        "newest": facts["revision"],
        "current": True,
    }


def _run(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return run_console(*arguments, "--state-dir", str(folder), **variables)


def test_the_stacks_simulator_answers_for_every_host_and_its_orders_go_there(folder: Path) -> None:
    run = read_run_file(folder)
    assert run is not None
    run.simulator_url = "http://127.0.0.1:9123"
    write_run_file(folder, run)
    venue = venue_settings(folder)
    orders = order_addresses(AccountSettings(execution_mode="demo"), venue)
    assert orders == OrderAddresses("http://127.0.0.1:9123", "ws://127.0.0.1:9123", "http://127.0.0.1:9123")
    assert venue.coinbase_rest_url == "http://127.0.0.1:9123"
