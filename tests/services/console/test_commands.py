"""The command line answers with help, JSON and exit codes that scripts can rely on, and never with a traceback."""

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from infra.local.options import ROOT
from infra.local.ports import free_port
from infra.local.runfile import RunFile, creation_time, read_run_file, write_run_file
from libs.kit.errors import ConfigurationError
from libs.kit.service import VERSION
from services.console import launching
from services.console.app import app
from services.console.launching import StartFailed, wait_until
from services.console.recordings import symbols_of
from services.console.watch import screen
from tests.services.console.running import run_console


def _commands() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [(name,)] if below is None else [(name, part) for part in below]
    return found


@pytest.mark.parametrize("path", _commands(), ids=" ".join)
def test_every_command_explains_itself_with_an_example(path: tuple[str, ...]) -> None:
    command = get_command(app)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    assert command.help
    assert f"perpstream {' '.join(path)}" in (command.epilog or "")


def test_version_as_json() -> None:
    done = run_console("version", "--json")
    assert (done.returncode, json.loads(done.stdout)["perpstream"]) == (0, VERSION)


@pytest.mark.parametrize("command", ["status", "down", "watch"])
def test_asking_for_a_stack_that_is_not_there_exits_with_three(command: str, tmp_path: Path) -> None:
    done = run_console(command, "--state-dir", str(tmp_path))
    assert done.returncode == 3
    assert done.stderr == f"perpstream: no stack is running ({tmp_path}): start one with `perpstream up`\n"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("up", "--speed", "fast"), "neither a positive number nor max"),
        (("up", "--port", "door=1"), "'door' is no server of the stack"),
        (("up", "--port", "kafka=many"), "is not NAME=NUMBER"),
        (("up", "--venue", "nowhere"), "nowhere"),
        (("up", "--recording", "missing.gz"), "the recording does not exist (--recording missing.gz)"),
        (("up", "--symbols", "BTC/USDT", "--kafka", "127.0.0.1:1"), "is no symbol"),
        (("topics", "tail", "market"), "could be"),
        (("data", "verify", "BTCUSDT", "--to", "0001-01-01"), "--to: it is no time between 1970 and 2100"),
        (("data", "verify", "BTCUSDT", "--from", "0001-01-01", "--to", "9999-12-31"), "--from: it is no time"),
        (("data", "verify", "BTCUSDT", "--to", "9999-12-31"), "--to: it is no time between 1970 and 2100"),
        (("data", "verify", "BTCUSDT", "--from", "2024-01-02", "--to", "2024-01-02"), "it is not before --to"),
    ],
)
def test_wrong_usage_exits_with_two(arguments: tuple[str, ...], hint: str, tmp_path: Path) -> None:
    done = run_console(*arguments, PERPSTREAM_STATE_DIR=str(tmp_path / "state"))
    assert done.returncode == 2
    assert hint in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "line"),
    [
        (
            ("--detach", "--symbols", "BTCUSDT,DOGUSDT"),
            {},
            "the simulator lists no DOGUSDT; near: DOGEUSDT, DOTUSDT (--symbols): "
            "name listed ones, like BTCUSDT,ETHUSDT",
        ),
        (
            (),
            {"PERPSTREAM_SYMBOLS": "BTCUST"},
            "BTCUST is no USD-margined perpetual: its name must end in USDT or USDC; near: BTCUSDT, LTCUSDT, ETCUSDT "
            "(PERPSTREAM_SYMBOLS): name listed ones, like BTCUSDT,ETHUSDT",
        ),
        (
            ("--recording", "README.md"),
            {},
            "the recording cannot be read: the first line is neither a capture's nor a table's "
            f"(--recording {ROOT}/README.md): give raw captures (.raw.gz) or Binance aggTrades tables (.csv, .csv.gz, .zip)",
        ),
    ],
)
def test_what_the_simulator_cannot_play_is_one_line_before_anything_starts(
    arguments: tuple[str, ...], variables: dict[str, str], line: str, tmp_path: Path
) -> None:
    done = run_console("up", *arguments, PERPSTREAM_STATE_DIR=str(tmp_path / "state"), **variables)
    assert (done.returncode, done.stderr) == (2, f"perpstream: {line}\n")
    assert read_run_file(tmp_path / "state") is None


@pytest.mark.parametrize("arguments", [("db", "status"), ("topics", "list")])
def test_a_server_that_does_not_answer_exits_with_four(arguments: tuple[str, ...], tmp_path: Path) -> None:
    port = free_port()
    done = run_console(
        *arguments,
        PERPSTREAM_STATE_DIR=str(tmp_path),
        PERPSTREAM_KAFKA_BOOTSTRAP=f"127.0.0.1:{port}",
        PERPSTREAM_DATABASE_URL=f"postgresql+asyncpg://nobody@127.0.0.1:{port}/nothing",
    )
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "start a stack with `perpstream up`, or" in done.stderr


def test_a_second_stack_is_refused_without_touching_the_log_of_the_first(tmp_path: Path) -> None:
    running = RunFile(version="", supervisor_pid=os.getpid(), supervisor_started_at=creation_time(os.getpid()) or 0.0)
    write_run_file(tmp_path, running)
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "supervisor.log"
    log.write_text("of the first")
    done = run_console("up", "--detach", PERPSTREAM_STATE_DIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"perpstream: a stack is running already (process {os.getpid()}, ")
    assert "nothing was left running" not in done.stderr
    assert log.read_text() == "of the first"


@pytest.mark.parametrize(
    ("last_line", "said"),
    [
        ("perpstream: the disk is full (/x): free 300 MB", "the disk is full (/x): free 300 MB"),
        ("Segmentation fault", "Segmentation fault ({log}): see that log"),
    ],
)
def test_the_last_line_of_a_failed_start_is_passed_on(last_line: str, said: str, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "supervisor.log"
    log.parent.mkdir()
    log.write_text(f"starting\n{last_line}\n")
    with pytest.raises(StartFailed) as caught:
        wait_until(tmp_path, subprocess.Popen(["false"]), ("ready",))
    assert str(caught.value.advice) == said.format(log=log)


def test_leaving_the_screen_says_once_that_the_state_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    supervisor = subprocess.Popen(["sleep", "60"])

    async def interrupted(_: Path, *, once: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launching, "start_supervisor", lambda *_, **__: supervisor)
    monkeypatch.setattr(launching, "wait_until", lambda *_: None)
    monkeypatch.setattr(screen, "run_watch", interrupted)
    launching.run_watched(tmp_path, [])
    assert supervisor.returncode is not None
    assert capsys.readouterr().out.count(f"stopped; state kept in {tmp_path}\n") == 1


@pytest.mark.integration
def test_migrate_topics_and_their_questions(empty_kafka: str, database_url: str, tmp_path: Path) -> None:
    variables = {
        "PERPSTREAM_STATE_DIR": str(tmp_path),
        "PERPSTREAM_KAFKA_BOOTSTRAP": empty_kafka,
        "PERPSTREAM_DATABASE_URL": database_url,
    }
    assert run_console("db", "status", **variables).returncode == 1
    assert run_console("db", "migrate", **variables).returncode == 0
    assert json.loads(run_console("db", "status", "--json", **variables).stdout)["current"] is True
    partitions = json.loads(run_console("db", "partitions", "--ahead", "5", "--json", **variables).stdout)["partitions"]
    assert len(partitions) >= 6
    assert run_console("topics", "create", **variables).returncode == 0
    again = run_console("topics", "create", **variables).stdout
    assert again.startswith("0 topics created")
    rows = json.loads(run_console("topics", "list", "--json", **variables).stdout)
    assert {row["topic"] for row in rows} >= {"market.aggtrade.v1", "signal.scored.v1"}
    assert all(row["partitions"] for row in rows)
    described = json.loads(run_console("topics", "describe", "timeline", "--json", **variables).stdout)
    assert described["config"]["message.timestamp.type"] == "LogAppendTime"


def test_the_symbols_of_a_recording_are_read_from_it(tmp_path: Path) -> None:
    raw = tmp_path / "capture.raw.gz"
    with gzip.open(raw, "wt") as file:
        file.write('1 {"e":"aggTrade","s":"ETHUSDT"}\n2 {"e":"aggTrade","s":"BTCUSDT"}\n')
    archive = tmp_path / "SOLUSDT-aggTrades-2024-08-08.zip"
    archive.touch()
    assert symbols_of([raw]) == ("BTCUSDT", "ETHUSDT")
    assert symbols_of([archive]) == ("SOLUSDT",)
    assert symbols_of([]) == ()
    nameless = tmp_path / "trades.csv"
    nameless.touch()
    with pytest.raises(ConfigurationError, match="--symbols"):
        symbols_of([nameless])
    broken = tmp_path / "cut.gz"
    broken.write_bytes(raw.read_bytes()[:20])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        symbols_of([broken])


def test_a_key_that_others_may_read_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    key = tmp_path / "accounts" / "main" / "key.json"
    key.parent.mkdir(parents=True)
    key.write_text('{"key": "k", "secret": "s"}')
    key.chmod(0o644)
    state = tmp_path / "state"
    where = {"PERPSTREAM_STATE_DIR": str(state), "PERPSTREAM_ACCOUNT_DIR": str(tmp_path / "accounts")}
    done = run_console("up", "--detach", PERPSTREAM_EXECUTION_MODE="demo", **where)
    assert (done.returncode, "others may read the API key: its file has mode 644" in done.stderr) == (2, True)
    assert not (state / "logs").exists()
