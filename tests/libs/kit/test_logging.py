"""Logs of a real process: one line per event in either format, no secrets, and no colours when nobody wants them."""

import json
import os
import pty
import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys
from libs.kit.logging import configure_logging, get_logger
configure_logging("demo", "info", sys.argv[1])
log = get_logger("part")
log.info("started", count=3, database_password="hunter2", nested={"api_key": "hunter2", "open": 1},
         url="postgresql://user:hunter2@host/db", webhook_url="hunter2",
         several=[{"api_key": "hunter2"}, ("postgresql://user:hunter2@host/db", 1)])
log.debug("too quiet")
logging.getLogger("library").warning("from a library at redis://:hunter2@cache/0")
logging.getLogger("aiokafka.client").info("chatter")
class GroupCoordinatorNotAvailableError(Exception): ...
class KafkaConnectionError(Exception): ...
for kind in (GroupCoordinatorNotAvailableError, KafkaConnectionError):
    logging.getLogger("aiokafka.consumer.group_coordinator").error("Group Coordinator Request failed: %s", kind("now"))
for attempt in range(500):
    logging.getLogger("aiokafka.conn").warning("Unable connect to node %s", attempt)
try:
    raise ValueError("cannot reach amqp://me:hunter2@queue")
except ValueError:
    log.exception("failed")
log.warning("the mirror waits", why="(postgresql://127.0.0.1:1/x?password=hunter2&user=u): start it")
"""


def run(log_format: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, log_format],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    return done.stderr


def on_a_terminal(**environment: str) -> str:
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", PROGRAM, "console"],
        env={**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, **environment},
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    return os.read(ours, 65536).decode()


def test_json_lines() -> None:
    lines = [json.loads(line) for line in run("json").splitlines()]
    started, library, expected, unexpected, absent, failed, waits = lines
    assert absent["event"] == "Unable connect to node 0", "what a library repeats is said once in ten seconds"
    assert [line["level"] for line in (expected, unexpected)] == ["info", "error"]
    assert expected["event"] == "Group Coordinator Request failed: now"
    assert started["event"] == "started"
    assert started["level"] == "info"
    assert started["service"] == "demo"
    assert started["component"] == "part"
    assert started["count"] == 3
    assert started["nested"] == {"api_key": "***", "open": 1}
    assert started["several"] == [{"api_key": "***"}, ["postgresql://user:***@host/db", 1]]
    assert started["url"] == "postgresql://user:***@host/db"
    assert started["timestamp"].endswith("Z")
    assert library["event"] == "from a library at redis://:***@cache/0"
    assert waits["why"] == "(postgresql://127.0.0.1:1/x?password=***&user=u): start it"
    assert "ValueError: cannot reach amqp://me:***@queue" in failed["exception"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_and_no_chatter_in_any_format(log_format: str) -> None:
    text = run(log_format)
    assert "hunter2" not in text
    assert "too quiet" not in text
    assert "chatter" not in text
    assert "\x1b" not in text


def test_colours_only_on_a_terminal_that_wants_them() -> None:
    assert "\x1b[" in on_a_terminal(TERM="xterm")
    assert "\x1b[" not in on_a_terminal(TERM="xterm", NO_COLOR="1")
