"""Telling guard and executor from the command line: signed, answered, with exit codes that scripts can rely on."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import cast

import msgspec
import pytest

from libs.contracts.commands import CommandIssued
from libs.contracts.event import Event
from libs.contracts.topics import ALERT, COMMAND, EXECUTOR, RISK_STATE, Topic
from libs.contracts.trading import AlertRaised, ExecutorReported, RiskStateChanged
from libs.kit.keys import TrustedFolder, new_key
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.records import end_offset
from libs.trading import commands
from services.console.entry import QUICK, STACK, root
from services.console.stack import add_to
from tests.golden.samples import sample
from tests.services.console.running import call_console, run_console
from tests.support.obeying_service import ObeyingService

GUARD = cast(RiskStateChanged, sample(RiskStateChanged))
REPORT = cast(ExecutorReported, sample(ExecutorReported))


@dataclass
class Desk:
    """A broker with a guard and an executor that obey, and ada, who has a key and whom they trust."""

    bootstrap: str
    folder: Path
    guard: ObeyingService
    executor: ObeyingService

    async def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        own = {
            "PERPSTREAM_KAFKA_BOOTSTRAP": self.bootstrap,
            "PERPSTREAM_KEYS_DIR": str(self.folder / "mine"),
            "PERPSTREAM_COMMAND_KEYS": str(self.folder / "trusted"),
            "PERPSTREAM_STATE_DIR": str(self.folder / "state"),
        }
        return await asyncio.to_thread(call_console, *arguments, **own | variables)

    async def say(self, topic: Topic, *events: Event) -> None:
        producer = EventProducer(self.bootstrap, service="test")
        await producer.start()
        for event in events:
            await producer.send(topic, event, key="main", partition=0)
        await producer.stop()


@pytest.fixture(name="desk")
async def _desk(empty_kafka: str, tmp_path: Path) -> AsyncIterator[Desk]:
    await ensure_topics(empty_kafka, 1)
    trusted = TrustedFolder(tmp_path / "trusted")
    trusted.trust(new_key(tmp_path / "mine", "ada").public)
    guard, executor = (ObeyingService(empty_kafka, trusted, name) for name in ("risk_guard", "executor"))
    running = [asyncio.create_task(service.run()) for service in (guard, executor)]
    await asyncio.gather(guard.listening.wait(), executor.listening.wait())
    yield Desk(empty_kafka, tmp_path, guard, executor)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_the_guard_obeys_and_history_tells_who_said_what_and_why(desk: Desk) -> None:
    done = await desk.run("risk", "pause", "--reason", "news")
    assert (done.returncode, done.stdout.splitlines()[0], done.stderr) == (0, "pause is done", "")
    done = await desk.run("risk", "lock", "btcusdt", "--for", "2h", "--json")
    assert (done.returncode, json.loads(done.stdout)["accepted"]) == (0, True)
    pause, lock = desk.guard.obeyed
    assert pause == commands.Pause()
    assert isinstance(lock, commands.Lock)
    assert (lock.symbol, 0 < lock.until_ms - time.time() * 1000 <= 7_200_000) == ("BTCUSDT", True)
    alarm = sample(AlertRaised)
    await desk.say(ALERT, msgspec.structs.replace(alarm, source="risk_guard", title="Circuit break"), alarm)
    lines = json.loads((await desk.run("risk", "history", "--json")).stdout)
    told = [(line["who"], line["what"], line["outcome"], line["reason"]) for line in lines]
    assert sorted(told) == [
        ("ada", "lock", "accepted", ""),
        ("ada", "pause", "accepted", "news"),
        ("risk_guard", "Circuit break", "critical", ""),
    ]
    picture = (await desk.run("risk", "history")).stdout
    assert "pause is done (news)" in " ".join(picture.split())


async def test_what_anybody_wrote_moves_no_cursor_and_is_no_markup(desk: Desk) -> None:
    forged = cast(CommandIssued, sample(CommandIssued))
    await desk.say(COMMAND, msgspec.structs.replace(forged, issued_by="\x1b[2J[red]eve[/red]", reason="a\rb"))
    done = await desk.run("risk", "history")
    assert (done.returncode, "\x1b" in done.stdout, "\r" in done.stdout) == (0, False, False)
    assert "\\x1b[2J[red]eve" in done.stdout


async def test_what_is_refused_exits_with_one_and_says_why(desk: Desk) -> None:
    new_key(desk.folder / "mine", "eve")
    done = await desk.run("risk", "resume", "--yes", PERPSTREAM_KEY="eve")
    assert done.returncode == 1
    assert done.stderr.startswith("perpstream: the risk guard refused resume: no key of 'eve' is trusted here")
    done = await desk.run("risk", "resume", "--json", "--yes", PERPSTREAM_KEY="eve")
    assert (done.returncode, json.loads(done.stdout)["accepted"]) == (1, False)
    done = await desk.run("keys", "revoke", "ada")
    assert (done.returncode, done.stdout) == (0, "ada is not trusted any more\n")
    assert (await desk.run("risk", "resume", "--yes", PERPSTREAM_KEY="ada")).returncode == 1
    assert desk.guard.obeyed == []


async def test_flatten_asks_first(desk: Desk) -> None:
    done = await desk.run("risk", "flatten", "all")
    assert (done.returncode, desk.guard.obeyed) == (2, [])
    assert "nothing was sent: a person has to be asked, and here is no terminal: write --yes" in " ".join(
        done.stderr.split()
    )
    assert await end_offset(desk.bootstrap, COMMAND.name, 0) == 0
    assert (await desk.run("risk", "flatten", "all", "--yes")).returncode == 0
    assert (await desk.run("risk", "flatten", "ethusdt", "-y")).returncode == 0
    assert desk.guard.obeyed == [commands.Flatten(None), commands.Flatten("ETHUSDT")]


async def test_a_break_is_reset_by_its_number_and_there_has_to_be_one(desk: Desk) -> None:
    done = await desk.run("risk", "reset")
    assert (done.returncode, "the risk guard has never spoken" in done.stderr) == (1, True)
    await desk.say(RISK_STATE, msgspec.structs.replace(GUARD, level="warning"))
    done = await desk.run("risk", "reset")
    assert (done.returncode, "the circuit is not broken" in done.stderr) == (1, True)
    await desk.say(RISK_STATE, msgspec.structs.replace(GUARD, level="circuit_break", break_number=7))
    assert ((await desk.run("risk", "reset")).returncode, desk.guard.obeyed) == (2, [])
    assert (await desk.run("risk", "reset", "--reason", "understood", "--yes")).returncode == 0
    assert desk.guard.obeyed == [commands.Reset(7)]


async def test_status_and_test_say_what_the_guard_says_and_whether_it_lives(desk: Desk) -> None:
    done = await desk.run("risk", "status")
    assert (done.returncode, "risk guard  has never spoken" in done.stdout) == (1, True)
    broken = msgspec.structs.replace(GUARD, level="circuit_break", paused=True)
    await desk.say(RISK_STATE, msgspec.structs.replace(GUARD, account="other", level="normal"))
    await desk.say(RISK_STATE, *[broken] * 3, msgspec.structs.replace(GUARD, account="other", level="normal"))
    await desk.say(EXECUTOR, REPORT)
    done = await desk.run("risk", "status")
    text = " ".join(done.stdout.split())
    assert done.returncode == 0
    for words in (
        "risk guard circuit break, no entries break number 2: `perpstream risk reset` ends it paused:",
        "BTCUSDT trades are silent DOGEUSDT is locked until",
        "executor demo, no entries lease 3",
        "1 held",
    ):
        assert words in text
    facts = json.loads((await desk.run("risk", "status", "--json")).stdout)
    assert (facts["guard"]["said"]["break_number"], facts["executor"]["said"]["epoch"]) == (2, 3)
    done = await desk.run("risk", "test")
    assert (
        done.returncode,
        "market_data_age break age of trades of BTCUSDT is 31 s" in " ".join(done.stdout.split()),
    ) == (1, True)
    done = await desk.run("risk", "status", "--account", "nobody")
    assert (done.returncode, "has never spoken" in done.stdout) == (1, True)


async def test_a_command_on_a_position_is_for_the_trade_that_stands_there_now(desk: Desk) -> None:
    trade = REPORT.held[0]
    done = await desk.run("positions", "list")
    assert (done.returncode, done.stdout) == (1, "no executor has ever spoken of account main\n")
    await desk.say(EXECUTOR, REPORT)
    done = await desk.run("positions", "list")
    assert (done.returncode, "BTCUSDT ▼ short open 0.020" in " ".join(done.stdout.split())) == (0, True)
    assert (await desk.run("positions", "close", "btcusdt", "--part", "50%")).returncode == 0
    assert (await desk.run("positions", "close", "BTCUSDT", "--part", "0.005")).returncode == 0
    assert (await desk.run("positions", "move-stop", "BTCUSDT", "55400.5")).returncode == 0
    assert desk.executor.obeyed == [
        commands.Close("BTCUSDT", share=Decimal("0.5"), trade_id=trade.trade_id),
        commands.Close("BTCUSDT", quantity=Decimal("0.005"), trade_id=trade.trade_id),
        commands.MoveStop("BTCUSDT", Decimal("55400.5"), trade.trade_id),
    ]
    done = await desk.run("positions", "close", "ETHUSDT")
    assert (done.returncode, "account main holds nothing in ETHUSDT" in done.stderr) == (1, True)


async def test_a_person_enters_cancels_and_syncs_by_hand(desk: Desk) -> None:
    entering = ("positions", "enter", "BTCUSDT", "long", "--stop", "60500", "--take-profit-1", "62000", "--risk", "5")
    assert ((await desk.run(*entering)).returncode, desk.executor.obeyed) == (2, [])
    assert (await desk.run(*entering, "--yes")).returncode == 0
    assert (await desk.run("positions", "cancel", "BTCUSDT")).returncode == 0
    done = await desk.run("positions", "sync")
    assert (done.returncode, done.stdout) == (0, "sync is done\n  nonces: 3\n")
    assert desk.executor.obeyed == [
        commands.Enter("BTCUSDT", "long", Decimal(60500), Decimal(62000), None, Decimal(5)),
        commands.Cancel("BTCUSDT"),
        commands.Sync(),
    ]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("risk", "lock", "BTCUSDT", "--for", "soon"), "is no time span"),
        (("risk", "lock", "BTCUSDT", "--for", "40d"), "more than 31 days"),
        (("risk", "unlock", "BTC/USDT"), "is no symbol"),
        (("positions", "enter", "BTCUSDT", "long", "--stop", "9", "--take-profit-1", "8"), "must rise"),
        (("positions", "enter", "BTCUSDT", "up", "--stop", "9"), "neither long nor short"),
        (("positions", "enter", "BTCUSDT", "long"), "Missing option '--stop'"),
        (("positions", "close", "BTCUSDT", "--part", "x%"), "neither a share like 50% nor a quantity"),
        (("keys", "new", "../ada"), "is no name of a key"),
        (("keys", "trust", "nowhere.pub"), "the public key cannot be read"),
        (("keys", "trust", "ada", "--only", "pause", "--everything"), "some commands only, or everything?"),
        (("live", "set", "leverage"), "is not KEY=VALUE"),
        (("live", "set", "leverage=1", "leverage=2"), "leverage is named twice"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_asked(
    arguments: tuple[str, ...], hint: str, tmp_path: Path
) -> None:
    new_key(tmp_path / "keys", "ada")
    places = {"PERPSTREAM_KEYS_DIR": str(tmp_path / "keys"), "PERPSTREAM_STATE_DIR": str(tmp_path / "state")}
    done = call_console(*arguments, PERPSTREAM_KAFKA_BOOTSTRAP="127.0.0.1:1", **places)
    assert done.returncode == 2, done.stderr
    assert hint in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_without_a_key_or_a_broker_it_says_what_to_do(tmp_path: Path) -> None:
    places = {"PERPSTREAM_KEYS_DIR": str(tmp_path / "keys"), "PERPSTREAM_STATE_DIR": str(tmp_path / "state")}
    done = run_console("risk", "pause", **places)
    assert (done.returncode, "you have no key to sign commands with" in done.stderr) == (2, True)
    assert "perpstream keys new" in done.stderr
    done = run_console("keys", "new", "--trust", "--json", **places)
    made = json.loads(done.stdout)
    assert (done.returncode, made["trusted"], made["public"].split()[0]) == (0, True, "ed25519")
    assert (tmp_path / "state/command-keys" / f"{made['name']}.pub").read_text() == f"{made['public']}\n"
    listed = json.loads(run_console("keys", "list", "--json", **places).stdout)
    assert (listed["own"], listed["trusted"], listed["trouble"]) == ([made["name"]], [made["name"]], None)
    done = call_console("risk", "flatten", "all", "-y", PERPSTREAM_KAFKA_BOOTSTRAP="127.0.0.1:1", **places)
    assert (done.returncode, "with --direct it needs nothing but the venue" in done.stderr) == (4, True)
    done = call_console("risk", "pause", PERPSTREAM_KAFKA_BOOTSTRAP="127.0.0.1:1", **places)
    assert (done.returncode, "Kafka does not answer" in done.stderr) == (4, True)


def test_each_command_of_the_stack_is_found_without_the_others() -> None:
    app = root()
    add_to(app)
    assert {one.callback.__name__ for one in app.registered_commands if one.callback} == set(STACK)


@pytest.mark.parametrize("group", QUICK)
def test_what_is_needed_in_a_hurry_waits_for_no_database_and_no_kernel(group: str) -> None:
    code = (
        f"import sys; sys.argv = ['perpstream', {group!r}, '--help']\n"
        "from services.console.entry import main\n"
        "try: main()\n"
        "except SystemExit: print(sorted({'sqlalchemy', 'numba', 'aiokafka', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
    assert f"perpstream {group}" in done.stdout
