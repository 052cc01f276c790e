"""The service shell in a real process: health, readiness, signals, exit codes, and a stop that has a deadline."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from libs.kit.gate import GATE_VARIABLE
from libs.kit.service import EXIT_CRASH, ServiceContext
from libs.kit.settings import ProcessSettings

PATIENCE_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def child(mode: str, port: int, **settings: str) -> Iterator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERPSTREAM_")}
    environment |= {"PERPSTREAM_HEALTH_PORT": str(port), "PERPSTREAM_LOG_FORMAT": "json", **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.libs.kit.child", mode],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return 0, ""


def until(port: int, path: str, good: Callable[[int, str], bool]) -> tuple[int, str]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        status, body = get(port, path)
        if good(status, body):
            return status, body
        time.sleep(0.02)
    raise AssertionError(f"{path} never became what was expected: {get(port, path)}")


def readiness(port: int, status: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(until(port, "/readyz", lambda code, body: code == status and bool(body))[1])
    return found


def test_alive_then_ready_then_not_then_stopped() -> None:
    port = free_port()
    with child("ready", port) as process:
        assert process.stdin is not None
        assert until(port, "/healthz", lambda status, _: status == 200)[0] == 200
        until(port, "/readyz", lambda _, body: "database" not in body and '"source"' in body)
        assert readiness(port, 503)["missing"] == {"source": "not yet"}
        process.stdin.write("fulfil\n")
        process.stdin.flush()
        assert readiness(port, 200) == {"service": "child", "ready": True, "missing": {}, "details": {}}
        assert 'perpstream_ready{service="child"} 1.0' in get(port, "/metrics")[1]
        process.stdin.write("gone again\n")
        process.stdin.flush()
        assert readiness(port, 503)["missing"] == {"source": "gone again"}
        assert 'perpstream_ready{service="child"} 0.0' in get(port, "/metrics")[1]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0


def _status_for(port: int, head: str) -> int:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        return int(connection.recv(64).split()[1])


def test_a_page_elsewhere_that_resolves_its_name_to_us_is_refused() -> None:
    port = free_port()
    with child("ready", port):
        until(port, "/healthz", lambda status, _: status == 200)
        for path in ("/healthz", "/readyz", "/metrics"):
            for host in ("evil.example", f"evil.example:{port}", "10.0.0.7"):
                assert _status_for(port, f"GET {path} HTTP/1.1\r\nHost: {host}") == 421
        for host in ("localhost", f"127.0.0.1:{port}", "[::1]:9"):
            assert _status_for(port, f"GET /metrics HTTP/1.1\r\nHost: {host}") == 200
        assert _status_for(port, "GET /healthz HTTP/1.0") == 200, "how a container's health check asks"


def test_a_port_that_is_opened_to_others_is_asked_by_their_name_for_it() -> None:
    port = free_port()
    with child("ready", port, PERPSTREAM_HEALTH_HOST="0.0.0.0"):
        until(port, "/healthz", lambda status, _: status == 200)
        assert _status_for(port, "GET /metrics HTTP/1.1\r\nHost: trade_ingest:9100") == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("mode", ["hang", "block"])
def test_whatever_hangs_is_cut_off_at_the_deadline(mode: str, number: signal.Signals) -> None:
    port = free_port()
    with child(mode, port, PERPSTREAM_STOP_DEADLINE_SECONDS="0.3") as process:
        until(port, "/healthz", lambda status, _: status == 200)
        process.send_signal(number)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == EXIT_CRASH
        assert "the stop deadline has passed" in log


def test_a_service_that_was_stuck_before_the_signal_came_ends_too() -> None:
    with child("stuck", free_port(), PERPSTREAM_STOP_DEADLINE_SECONDS="0.3") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stuck\n"
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == EXIT_CRASH
        assert "the stop deadline has passed" in log


def _ends(mode: str, port: int = 0, settings: dict[str, str] | None = None) -> tuple[int, str]:
    with child(mode, port, **(settings or {})) as process:
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, log


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, log = _ends("ready", port)
    assert code == 1
    assert len(log.splitlines()) == 1
    assert f"127.0.0.1:{port}" in log
    assert "PERPSTREAM_HEALTH_PORT" in log


@pytest.mark.parametrize(
    ("mode", "settings", "code", "words"),
    [
        ("unreachable", {}, 4, "child: the broker does not answer (127.0.0.1:1): start it"),
        ("unreachable_in_a_group", {}, 4, "child: the broker does not answer (127.0.0.1:1): start it"),
        ("ready", {"PERPSTREAM_LOG_LEVEL": "loud"}, 2, "PERPSTREAM_LOG_LEVEL"),
    ],
)
def test_what_a_person_can_mend_is_one_line(mode: str, settings: dict[str, str], code: int, words: str) -> None:
    found, log = _ends(mode, settings=settings)
    assert found == code
    assert words in log
    assert len(log.splitlines()) == 1


def test_a_crash_is_logged_for_developers_without_secrets() -> None:
    for mode in ("crash", "crash_in_a_group"):
        _check_crash(*_ends(mode))


def _check_crash(code: int, log: str) -> None:
    assert code == EXIT_CRASH
    line = json.loads(log.splitlines()[-1])
    assert "RuntimeError" in line["exception"]
    assert "hunter2" not in log


def test_a_service_that_has_nothing_left_to_do_leaves_cleanly() -> None:
    assert _ends("returns") == (0, "")


def test_a_service_without_conditions_is_not_ready() -> None:
    context = ServiceContext("x", ProcessSettings())
    assert not context.ready
    context.expect("a", "b")
    context.fulfil("a")
    assert not context.ready
    context.fulfil("b")
    context.expect("a")
    assert context.ready


def test_a_service_at_its_gate_begins_nothing_until_it_is_opened() -> None:
    port = free_port()
    gate, opener = os.pipe()
    os.set_inheritable(gate, True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERPSTREAM_")}
    environment |= {"PERPSTREAM_HEALTH_PORT": str(port), GATE_VARIABLE: str(gate)}
    command = [sys.executable, "-m", "tests.libs.kit.child", "ready"]
    process = subprocess.Popen(command, env=environment, pass_fds=(gate,), stderr=subprocess.DEVNULL)
    os.close(gate)
    try:
        reader_waits = f"/proc/{process.pid}/wchan"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "pipe" not in Path(reader_waits).read_text() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert get(port, "/healthz")[0] == 0
        os.close(opener)
        until(port, "/healthz", lambda status, _: status == 200)
    finally:
        process.kill()
        process.wait()


def test_what_is_no_request_is_refused_in_one_line() -> None:
    port = free_port()
    with child("ready", port) as process:
        until(port, "/healthz", lambda status, _: status == 200)
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n")
            assert connection.recv(12).startswith(b"HTTP/1.")
        assert get(port, "/healthz")[0] == 200
        process.terminate()
        log = process.communicate(timeout=PATIENCE_SECONDS)[1]
    assert "a request cannot be read" in log
    assert "Traceback" not in log
