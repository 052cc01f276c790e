"""The supervisor keeps the stack alive, stops it in time, leaves nothing behind, and says in one line what is wrong."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.local.child import Child
from infra.local.ports import free_port, is_open
from infra.local.process import ProcessSpec
from tests.support.tiny_stack import FREE_PORTS, TinyStack, alive

pytestmark = pytest.mark.integration
Starter = Callable[..., TinyStack]


@pytest.fixture
def start(tmp_path: Path, kafka_bootstrap: str, database_url: str) -> Iterator[Starter]:
    """Start a stack of tiny services on the session's servers (`servers={}` asks for embedded ones)."""
    stacks: list[TinyStack] = []

    def starter(modes: dict[str, str], *, servers: dict[str, str] | None = None, **options: object) -> TinyStack:
        given = {"kafka": kafka_bootstrap, "database": database_url} if servers is None else servers
        stacks.append(TinyStack(tmp_path / "state", modes, {**given, **options}))
        return stacks[-1].start()

    yield starter
    for stack in stacks:
        stack.end()


def test_a_new_simulator_remembers_no_request_and_neither_does_its_stack(start: Starter, tmp_path: Path) -> None:
    earlier = tmp_path / "state" / "requests" / "binance-127.0.0.1_9000-0"
    earlier.parent.mkdir(parents=True)
    earlier.touch()
    start({"exchange_simulator": "good"}).until_ready()
    assert not earlier.exists()


def test_a_killed_service_is_started_again_and_its_last_lines_are_shown(start: Starter) -> None:
    stack = start({"alpha": "good", "beta": "good"}).until_ready()
    first = stack.entry("alpha").pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    stack.until(lambda: stack.entry("alpha").restarts == 1 and alive(stack.entry("alpha").pid), "a second alpha")
    assert stack.entry("alpha").pid != first
    assert stack.entry("beta").restarts == 0
    assert "alpha ended with SIGKILL; starts again in 0.5 s" in stack.output
    assert "  alpha: alpha speaks first" in stack.output
    assert "alpha speaks first" in (stack.state_dir / "logs" / "alpha.log").read_text()


def test_services_share_one_session_so_that_nice_counts_between_them(start: Starter) -> None:
    stack = start({"alpha": "good", "beta": "good"}).until_ready()
    pids = [entry.pid for entry in stack.run.services]
    assert all(pid is not None and os.getpgid(pid) == pid for pid in pids)
    assert {os.getsid(pid or 0) for pid in pids} == {os.getsid(stack.process.pid)}


def test_a_service_that_keeps_crashing_is_started_more_and_more_slowly(start: Starter) -> None:
    stack = start({"alpha": "crashing"})
    stack.until(lambda: "starts again in 2 s" in stack.output, "the third delay")
    delays = [line for line in stack.output.splitlines() if "ended with exit code 70" in line]
    assert [line.split("again in ")[1].split(";")[0] for line in delays[:3]] == ["0.5 s", "1 s", "2 s"]
    assert stack.stop() < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_everything_within_ten_seconds(start: Starter, number: signal.Signals) -> None:
    stack = start({"alpha": "good", "beta": "good"}).until_ready()
    pids = [entry.pid for entry in stack.run.services]
    assert stack.stop(number) < 10
    assert stack.process.returncode == 0
    assert not any(alive(pid) for pid in pids)
    assert stack.run.state == "stopped"


def test_a_service_that_does_not_listen_is_killed_before_the_deadline(start: Starter) -> None:
    stack = start({"alpha": "good", "stubborn": "deaf"}).until_ready()
    pid = stack.entry("stubborn").pid
    assert stack.stop() < 10
    assert not alive(pid)
    assert "stubborn did not stop in 5.5 s and was killed" in stack.output


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_works(start: Starter) -> None:
    stack = start({"alpha": "good"}, servers={}).until_ready()
    run = stack.run
    assert {entry.name for entry in run.services} == {"kafka", "postgres", "alpha"}
    family = psutil.Process(stack.process.pid).children(recursive=True)
    ports = [int(run.kafka_bootstrap.rpartition(":")[2]), int(run.database_url.rpartition(":")[2].partition("/")[0])]
    assert all(is_open(port) for port in ports)
    stack.process.send_signal(signal.SIGKILL)
    stack.process.wait(10)
    stack.until(lambda: not any(alive(child.pid) for child in family), "no orphan", seconds=8)
    # PostgreSQL's own children notice the loss of their parent by themselves, and hold its socket until then.
    stack.until(lambda: not any(is_open(port) for port in ports), "free ports", seconds=8)
    again = start({"alpha": "good"}, servers={}).until_ready()
    assert again.stop() < 10
    assert again.process.returncode == 0


def test_a_second_start_finds_the_first_and_says_so(start: Starter) -> None:
    first = start({"alpha": "good"}).until_ready()
    second = start({"alpha": "good"})
    assert second.process.wait(30) == 1
    line = second.output.splitlines()[-1]
    assert f"a stack is running already (process {first.process.pid}, API {first.run.gateway_url})" in line
    assert "perpstream down" in line
    assert alive(first.process.pid)


def test_a_stale_run_file_is_no_running_stack(start: Starter) -> None:
    first = start({"alpha": "good"}).until_ready()
    first.stop(signal.SIGKILL)
    assert first.run.state == "ready"
    second = start({"alpha": "good"}).until_ready()
    assert second.run.supervisor_pid == second.process.pid


def test_a_port_in_use_is_one_line_that_names_the_option(start: Starter) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = start({"alpha": "good"}, ports={**FREE_PORTS, "gateway": port})
        assert stack.process.wait(30) == 1
    assert stack.output.splitlines() == [
        f"perpstream: the port for gateway cannot be used: Address already in use (127.0.0.1:{port}): "
        "stop the program that listens there, or choose another port with --port gateway=NUMBER (0: any free one)"
    ]


def test_a_service_that_refuses_its_settings_ends_the_stack_with_its_line(start: Starter) -> None:
    stack = start({"alpha": "good", "choosy": "refusing"})
    assert stack.process.wait(30) == 2
    assert (
        "choosy refuses its configuration: a setting is wrong: there is no symbol NOPE" in stack.output.splitlines()[-1]
    )
    assert "Traceback" not in stack.output


@pytest.mark.parametrize("name", ["kafka", "database"])
def test_a_given_server_that_does_not_answer_is_named(start: Starter, name: str) -> None:
    port = free_port()
    given = {"kafka": f"127.0.0.1:{port}", "database": f"postgresql+asyncpg://me:secret@127.0.0.1:{port}/db"}
    stack = start({"alpha": "good"}, **{name: given[name]})
    assert stack.process.wait(30) == 4
    assert f"127.0.0.1:{port}" in stack.output
    assert "secret" not in stack.output
    assert len(stack.output.splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_one_line(start: Starter, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file is in the way")
    stack = start({"alpha": "good"})
    assert stack.process.wait(30) == 1
    assert f"the state folder is a file, not a folder ({tmp_path / 'state'})" in stack.output
    assert len(stack.output.splitlines()) == 1


def test_a_state_folder_serves_one_source_only(start: Starter) -> None:
    start({"alpha": "good"}, seed=1).until_ready().stop()
    stack = start({"alpha": "good"}, seed=2)
    assert stack.process.wait(30) == 2
    assert "another source (venue simulator, seed 1), not of venue simulator, seed 2" in stack.output.splitlines()[-1]


async def test_a_full_disk_stops_no_output_and_is_not_told_per_line(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []
    spec = ProcessSpec("talker", (sys.executable, "-c", "for n in range(200): print(n)"), {}, Path())
    child = Child(spec, Path("/dev/full"), lambda _, text: seen.append(text))
    await child.start()
    assert await child.ended() == 0
    child.close()
    assert len(seen) == 200
    assert "Traceback" not in capfd.readouterr().err
