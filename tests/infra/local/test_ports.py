"""A port is promised once: to one server of one stack, whatever starts beside it."""

import subprocess
import sys

import pytest

from infra.local.options import StackOptions, choose_ports
from infra.local.ports import free_port, promise, require_free
from infra.local.stack import health_ports
from libs.kit.errors import UserError

PROMISE = "import sys; from infra.local.ports import promise; print(promise(int(sys.argv[1])))"


def _another_process_is_promised(port: int) -> bool:
    answer = subprocess.run([sys.executable, "-c", PROMISE, str(port)], capture_output=True, text=True, check=True)
    return answer.stdout.strip() == "True"


def test_a_promised_port_is_given_to_nobody_else() -> None:
    port = free_port()
    assert not promise(port)
    assert not _another_process_is_promised(port)


def test_a_promise_ends_with_its_process() -> None:
    port = next(port for port in range(20_000, 32_000) if _another_process_is_promised(port))
    assert promise(port)


def test_health_ports_avoid_the_ports_of_the_stack_itself() -> None:
    first = next(port for port in range(20_000, 32_000) if promise(port))
    ports = choose_ports(StackOptions(ports={"health": 0, "gateway": first + 2, "kafka": 0, "simulator": 0}))
    taken = set(ports.values())
    given = health_ports(first)
    assert not taken & {next(given) for _ in range(6)}


def test_a_port_that_was_asked_for_is_promised_too() -> None:
    port = next(port for port in range(20_000, 32_000) if _another_process_is_promised(port))
    assert require_free(port, "kafka", "--port kafka=NUMBER") == port
    assert not _another_process_is_promised(port)
    with pytest.raises(UserError, match="another server"):
        require_free(port, "gateway", "--port gateway=NUMBER")
