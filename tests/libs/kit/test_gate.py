"""The gate at which a loaded service waits for what it needs: it opens when the other end of the pipe is closed."""

import os
import threading

import pytest

from libs.kit.gate import GATE_VARIABLE, wait_at_gate


def test_it_opens_with_the_other_end_and_stays_open_for_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, opener = os.pipe()
    monkeypatch.setenv(GATE_VARIABLE, str(gate))
    waiting = threading.Thread(target=wait_at_gate)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive(), "nobody has opened it"
    os.close(opener)
    waiting.join(5)
    assert not waiting.is_alive()
    assert GATE_VARIABLE not in os.environ, "children of ours have no such gate"


def test_without_a_gate_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(GATE_VARIABLE, raising=False)
    wait_at_gate()
