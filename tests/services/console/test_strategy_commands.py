"""`perpstream strategy` as people type it: what is in force, what would change, who changed it, and why a signal came or not."""

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from libs.contracts.codec import encode_value
from libs.contracts.event import Event
from libs.contracts.signals import SignalScored
from libs.contracts.topics import PAPER, SIGNAL_SCORED, Topic
from libs.contracts.trading import PaperTradeChanged
from libs.kit.settings import DatabaseSettings
from libs.store.engine import create_engine, write_session
from libs.store.log_places import ActivationPlace, write_activations
from libs.store.migrate import upgrade
from libs.store.signals import Stored, write_signals
from libs.streaming.admin import ensure_topics
from libs.streaming.producer import EventProducer
from libs.streaming.strategies.activation import By, activation_of
from libs.trading.engine.core import Evaluation
from libs.trading.engine.features import indicator_event
from libs.trading.factor import Situation
from libs.trading.scoring import Memory, judge, short_score, signal_event
from libs.trading.strategy import Strategy
from services.console.app import app
from services.console.output import guarded
from tests.fakes.answering_engine import answering
from tests.golden.samples import sample
from tests.libs.trading.test_scoring import changed, strategy
from tests.services.console.test_strategies import edit, folder
from tests.suites.factor_suite import EVALUATION_MS, LONG_INPUTS, feature_row, readings

__all__ = ["folder"]
pytestmark = pytest.mark.integration
NOBODY = "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"


class Done(NamedTuple):
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def command(
    empty_kafka: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """`perpstream strategy …` over a folder of its own and a broker with the product's topics; in this process, which is seconds
    faster for each command."""
    asyncio.run(ensure_topics(empty_kafka, 1))
    monkeypatch.setenv("PERPSTREAM_STRATEGIES_DIR", str(folder))
    monkeypatch.setenv("PERPSTREAM_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*arguments: str, database: str = NOBODY, kafka: str = empty_kafka) -> Done:
        monkeypatch.setenv("PERPSTREAM_KAFKA_BOOTSTRAP", kafka)
        monkeypatch.setenv("PERPSTREAM_DATABASE_URL", database)
        capsys.readouterr()
        try:
            code = guarded(lambda: app(["strategy", *arguments]))
        except SystemExit as left:
            code = int(left.code or 0)
        return Done(code, *capsys.readouterr())

    return run


def test_files_are_compared_put_in_force_and_withdrawn(command: Command, folder: Path) -> None:
    assert command("diff").returncode == 1
    asked = command("activate")
    assert (asked.returncode, "add --yes" in asked.stderr) == (2, True)
    assert "v51 version 2 is new: signals from 60, 4 factors" in asked.stdout
    done = command("activate", "--yes", "--reason", "a test")
    assert done.returncode == 0, done.stderr
    assert command("diff").returncode == 0
    assert "nothing to change" in command("activate").stdout

    edit(folder / "v51.json", threshold=65)
    for verb in (("validate",), ("activate", "--yes")):
        refused = command(*verb)
        assert refused.returncode == 2
        assert "$.version: raise version above 2" in refused.stderr
    edit(folder / "v51.json", version=3)
    found = command("diff", "v51", "--json")
    assert found.returncode == 1
    assert [(item["field"], item["before"], item["after"]) for item in json.loads(found.stdout)[0]["differences"]] == [
        ("version", 2, 3),
        ("threshold", 60.0, 65.0),
    ]
    assert command("publish").returncode == 0
    assert command("activate", "--withdraw", "v52", "--yes", "--reason", "too loud").returncode == 0
    listed = {row["strategy"]: row for row in json.loads(command("list", "--json").stdout)}
    assert (listed["v51"]["version"], listed["v51"]["state"], listed["v51"]["file_state"]) == (3, "unanswered", "same")
    assert (listed["v52"]["state"], listed["v52"]["reason"]) == ("withdrawn", "too loud")
    assert listed["v52"]["activated_by"]
    table = command("list").stdout
    assert "withdrawn" in table
    assert "too loud" in table
    assert "no engine has said yet that it counts" in table
    again = command("activate", "--withdraw", "v52", "--yes")
    assert (again.returncode, "v52 is not in force: name one of v51" in again.stderr) == (1, True)
    wrong = command("diff", "v99")
    assert (wrong.returncode, "there is no strategy v99" in wrong.stderr) == (2, True)


def test_validate_tells_programs_what_is_wrong(command: Command, folder: Path) -> None:
    edit(folder / "v52.json", threshold=145)
    found = command("validate", "--json")
    rows = {Path(row["file"]).name: row for row in json.loads(found.stdout)}
    assert found.returncode == 2
    assert (rows["v51.json"]["strategy"], rows["v51.json"]["problems"]) == ("v51", [])
    assert rows["v52.json"]["problems"] == [f"{folder / 'v52.json'}: $.threshold: must be at most 100 (found 145)"]
    assert "must be at most 100" in found.stderr
    edit(folder / "v52.json", threshold=45)
    assert command("validate", "--json").returncode == 0


def test_a_wrong_file_hides_no_other_in_list_and_diff(command: Command, folder: Path) -> None:
    (folder / "v51.json").write_text("{")
    shown = command("diff")
    assert shown.returncode == 2
    assert "it is no strategy" in shown.stdout
    assert "v52 (" in shown.stdout
    listed = command("list")
    assert (listed.returncode, "v51.json: $: not JSON" in listed.stdout) == (0, True)


@pytest.mark.parametrize("columns", ["60", "80", "100"])
def test_the_list_fits_the_screen(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    assert command("activate", "--yes", "--reason", "x").returncode == 0
    monkeypatch.setenv("COLUMNS", columns)
    lines = command("list").stdout.splitlines()
    heads = [line for line in lines if line.startswith(("v51", "v52"))][:2]
    assert all("unanswered" in line for line in heads), lines
    table = lines[: lines.index(heads[1]) + 2]
    assert max(map(len, table)) <= max(80, int(columns)), table


def test_activation_is_told_as_the_engine_answers(command: Command, empty_kafka: str, folder: Path) -> None:
    """An engine beside that takes v51 and does not know a factor of v52; the timeline moves while it lives."""
    with answering(empty_kafka, {"v52": "v52: $: unknown factor mine; known are basis"}):
        done = command("activate", "--yes")
    assert done.returncode == 1, done.stdout
    assert "taken by the engine: v51" in done.stdout
    assert done.stderr.startswith(
        "perpstream: not in force: v52 version 2: the engine has refused it: v52: $: unknown factor"
    )
    assert "perpstream down" in done.stderr
    listed = {row["strategy"]: row for row in json.loads(command("list", "--json").stdout)}
    assert (listed["v51"]["state"], listed["v52"]["state"]) == ("in force", "refused")
    assert "unknown factor mine" in listed["v52"]["problems"][0]
    assert "unknown factor mine" in command("list").stdout
    with answering(empty_kafka, {}):
        again = command("activate", "--yes", "--json")
    told = json.loads(again.stdout)["answers"]
    assert (again.returncode, told) == (0, {"v52": {"state": "taken", "reason": ""}}), again.stderr


def test_what_cannot_be_told_is_one_line(command: Command) -> None:
    unknown = command("explain", "abcdef")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.splitlines()[-1].startswith("perpstream: there is no signal abcdef")
    no_id = command("explain", "v51")
    assert (no_id.returncode, "'v51' is no signal id" in no_id.stderr) == (2, True)
    never = command("activate", "--withdraw", "v99", "--yes")
    assert (never.returncode, "v99 is not in force" in never.stderr) == (2, True)


def three_signals() -> list[tuple[Situation, SignalScored]]:
    """An emitted one, one that coverage held back, and one in the cooldown: 15 seconds apart."""
    chosen, told = strategy("v52"), []
    for number, memory in enumerate((Memory(), Memory(), Memory(EVALUATION_MS, "long"))):
        row = feature_row(1, coverage=0.93 if number == 1 else 1.0)
        row = changed(row, evaluation_time_ms=EVALUATION_MS + 15_000 * number, atr_coverage=1.0)
        situation = Situation(row, readings(LONG_INPUTS))
        told.append((situation, signal_event(chosen, situation, judge(chosen, situation, memory))))
    return told


async def _publish(bootstrap: str, topic: Topic, *events: Event) -> None:
    producer = EventProducer(bootstrap, service="test")
    await producer.start()
    for event in events:
        await producer.send(topic, event, key="test", partition=0)
    await producer.stop()


async def _store(database_url: str, strategy_used: Strategy, told: list[tuple[Situation, SignalScored]]) -> None:
    engine = create_engine(DatabaseSettings(database_url=database_url))
    try:
        await upgrade(engine)
        async with write_session(engine) as session:
            for situation, signal in told:
                score = short_score(strategy_used, judge(strategy_used, situation, Memory()))
                row = indicator_event(Evaluation(situation, (score,), [signal], "frame", []), 15_000)
                await write_signals(session, [Stored(e, encode_value(e), "a:0:1") for e in (row, signal)])
            definition = msgspec.json.encode(strategy_used.model_dump(mode="json"))
            event = activation_of(strategy_used, definition, By("ada"))
            places = [
                ActivationPlace(event, 0, 7, {"ETHUSDT": 5}),
                ActivationPlace(event, 1, 9, {"BTCUSDT": EVALUATION_MS - 30_000}),
            ]
            await write_activations(session, "a log", places)
    finally:
        await engine.dispose()


def _explained(command: Command, signal_id: str, **options: str) -> dict[str, Any]:
    done = command("explain", signal_id, "--json", **options)
    assert done.returncode == 0, done.stderr
    story: dict[str, Any] = json.loads(done.stdout)
    return story


def test_a_signal_of_the_topic_is_explained_without_a_database(command: Command, empty_kafka: str) -> None:
    assert command("activate", "--yes").returncode == 0
    (_, first), (_, second), (_, third) = three_signals()
    asyncio.run(_publish(empty_kafka, SIGNAL_SCORED, first, second, third, second))
    story = _explained(command, second.event_id[:12])
    assert (story["source"], story["signal"]["event_id"]) == ("topic", second.event_id)
    assert story["signal"]["reason"] == "coverage"
    assert story["signal"]["ungated_score"] > story["signal"]["threshold"] > story["signal"]["score"]
    assert [story[name]["event_id"] for name in ("before", "after")] == [first.event_id, third.event_id]
    assert story["configuration"]["version"] == 2
    assert story["became"]["words"] == "no order: the signal was refused"
    assert any("not from PostgreSQL" in note for note in story["notes"])
    shown = command("explain", second.event_id).stdout
    assert shown.startswith(second.sentence[:60])
    assert "without its gates" in " ".join(shown.split())
    common = next(n for n in range(1, 20) if first.event_id[:n] != second.event_id[:n]) - 1
    if common:
        assert "more than one signal begins with" in command("explain", first.event_id[:common]).stderr


def test_the_whole_story_stands_in_the_tables(command: Command, empty_kafka: str, database_url: str) -> None:
    assert command("activate", "--yes", "--reason", "first try").returncode == 0
    told = three_signals()
    asyncio.run(_store(database_url, strategy("v52"), told))
    first = told[0][1]
    story = _explained(command, first.event_id, database=database_url)
    assert (story["source"], story["notes"]) == ("database", [])
    assert story["became"]["words"].startswith("not traded yet")
    assert story["before"] is None
    assert story["after"]["event_id"] == told[1][1].event_id
    assert (story["configuration"]["reason"], len(story["configuration"]["definition"])) == ("first try", 32)
    assert story["configuration"]["after_evaluation_ms"] == EVALUATION_MS - 30_000
    contributions = {part["factor"]: part["contribution"] for part in story["signal"]["contributions"]}
    assert story["evaluation"]["scores"][0]["contributions"] == {
        name: value
        for name, value in contributions.items()
        if name in story["evaluation"]["scores"][0]["contributions"]
    }
    assert {gate["state"] for gate in story["gates"][:-1]} == {"passed"}
    trade = sample(PaperTradeChanged)
    assert isinstance(trade, PaperTradeChanged)
    trade = msgspec.structs.replace(trade, signal_id=first.event_id)
    asyncio.run(_publish(empty_kafka, PAPER, trade))
    told_again = _explained(command, first.event_id, database=database_url)
    assert "paper position" in told_again["became"]["words"]
    shown = command("explain", first.event_id, database=database_url).stdout
    order = ["score", "contributions", "inputs", "gates", "bracket", "configuration", "what became of it", "neighbours"]
    places = [shown.index(f"\n{title}") for title in order]
    assert places == sorted(places)
    assert "cvd_momentum" in shown
    alone = _explained(command, first.event_id, database=database_url, kafka="127.0.0.1:1")
    assert (alone["configuration"]["activated_by"], alone["became"]["words"]) == ("ada", "unknown: Kafka does not say")
    assert {gate["state"] for gate in alone["gates"][:-1]} == {"passed"}
