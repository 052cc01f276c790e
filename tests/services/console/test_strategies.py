"""Strategy files reach the log once: equal files add nothing, a version says one thing, and people outrank the folder."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from msgspec import UNSET, UnsetType

from infra.local.options import ROOT
from libs.contracts.control import StrategyActivated, StrategyAnswered
from libs.kit.errors import ConfigurationError
from libs.streaming.admin import ensure_topics
from libs.streaming.strategies.activation import FOLDER, By, Files, Plan, activate_folder, plan_of, withdrawal
from libs.streaming.strategies.answers import answers_of
from libs.streaming.strategies.files import read_files, read_texts, strategy_files
from libs.streaming.strategies.log import AT_START, Standing, standing_of
from libs.trading.factors import all_factors
from libs.trading.strategy import StrategyInvalid
from services.console.strategy_state import diffs, lines_of, rows

BY_FOLDER, BY_HAND = By(FOLDER), By("ada", "a test", by_hand=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("v51.json", "v52.json", "schema.json"):
        (tmp_path / name).write_bytes((ROOT / "strategies" / name).read_bytes())
    return tmp_path


def edit(path: Path, **fields: object) -> None:
    """Write the file again with other fields."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def plan(folder: Path, log: list[StrategyActivated], by: By = BY_FOLDER) -> Plan:
    """What the whole folder changes after these records."""
    return plan_of(Files(read_texts(strategy_files(folder)), folder, whole=True), standing_of((e, 7) for e in log), by)


def said(folder: Path, log: list[StrategyActivated], by: By = BY_FOLDER) -> list[StrategyActivated]:
    """The log after the folder's changes."""
    found = plan(folder, log, by)
    assert not found.problems
    return [*log, *found.news]


def test_only_what_differs_from_the_log_is_published(folder: Path) -> None:
    log = said(folder, [])
    assert [(event.strategy, event.file, event.activated_by) for event in log] == [
        ("v51", "v51.json", FOLDER),
        ("v52", "v52.json", FOLDER),
    ]
    assert plan(folder, log) == Plan()
    edit(folder / "v52.json", version=99, threshold=50)
    found = plan(folder, log)
    assert [(event.strategy, event.version, event.enabled) for event in found.news] == [("v52", 99, True)]
    assert found.changes == ("v52 version 2 -> 99; threshold 45 -> 50",)
    assert plan(folder, [*log, *found.news]) == Plan()


def test_an_activation_is_the_same_fact_whoever_says_it(folder: Path) -> None:
    first, second = plan(folder, []).news, plan(folder, [], By("ada", "why", by_hand=True)).news
    assert [event.event_id for event in first] == [event.event_id for event in second]
    assert [event.reason for event in second] == ["why", "why"]


def test_formatting_order_and_defaults_are_no_change(folder: Path) -> None:
    log = said(folder, [])
    data = dict(reversed(json.loads((folder / "v51.json").read_text()).items()))
    del data["min_coverage"]
    (folder / "v51.json").write_text(json.dumps(data, indent=9))
    assert plan(folder, log) == Plan()


def test_other_content_needs_a_higher_version_and_other_files_count_meanwhile(folder: Path) -> None:
    log = said(folder, [])
    edit(folder / "v51.json", threshold=65)
    edit(folder / "v52.json", version=3, threshold=50)
    found = plan(folder, log)
    assert [event.strategy for event in found.news] == ["v52"], "a wrong file keeps another one out"
    assert plan(folder, log, BY_HAND).news == (), "what a person asks for counts whole or not at all"
    assert found.problems == (
        f"{folder / 'v51.json'}: $.version: raise version above 2: the content is not that of version 2 in the log "
        "(threshold 60 -> 65) (found 2)",
    )
    edit(folder / "v51.json", version=1)
    assert "raise version above 2" in plan(folder, log).problems[0]
    edit(folder / "v51.json", version=3)
    assert [event.strategy for event in plan(folder, log).news] == ["v51", "v52"]


def test_a_version_is_not_used_again_after_a_lower_one_came_into_force(folder: Path) -> None:
    """Logs from before this rule: version 5, then version 3. Another version 5 would share ids with the first."""
    log = said(folder, [])
    for version, threshold in ((5, 61), (3, 62)):
        edit(folder / "v51.json", version=version, threshold=threshold)
        log += [event for event in plan(folder, []).news if event.strategy == "v51"]
    edit(folder / "v51.json", version=5, threshold=63)
    assert "raise version above 5" in plan(folder, log).problems[0]


def test_a_removed_file_withdraws_its_strategy_once_and_brings_it_back(folder: Path) -> None:
    log = said(folder, [])
    text = (folder / "v51.json").read_bytes()
    (folder / "v51.json").unlink()
    gone = plan(folder, log)
    assert [(event.strategy, event.enabled, event.file) for event in gone.news] == [("v51", False, "v51.json")]
    assert gone.changes == ("v51 version 2 is withdrawn: its file has gone",)
    log += gone.news
    assert plan(folder, log) == Plan()
    (folder / "v51.json").write_bytes(text)
    back = plan(folder, log)
    assert [(event.strategy, event.enabled) for event in back.news] == [("v51", True)]
    assert back.changes == ("v51 version 2 is back in force",)


def test_what_a_person_withdrew_stays_until_a_person_or_a_higher_version_says_otherwise(folder: Path) -> None:
    log = said(folder, [])
    log += withdrawal(standing_of((event, 7) for event in log).last["v52"], BY_HAND).news
    found = plan(folder, log)
    assert found.news == ()
    assert "v52 stays withdrawn, as ada said (a test)" in found.notes[0]
    assert [event.strategy for event in plan(folder, log, BY_HAND).news] == ["v52"]
    edit(folder / "v52.json", version=3)
    assert [event.strategy for event in plan(folder, log).news] == ["v52"]


def test_what_a_person_put_in_force_from_elsewhere_is_not_withdrawn_by_the_folder(folder: Path, tmp_path: Path) -> None:
    log, elsewhere = said(folder, []), tmp_path / "elsewhere" / "v53.json"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes((folder / "v52.json").read_bytes())
    edit(elsewhere, name="v53")
    standing = standing_of((event, 7) for event in log)
    by_hand = plan_of(Files({elsewhere: elsewhere.read_bytes()}, folder, whole=False), standing, BY_HAND)
    assert [(event.strategy, event.file) for event in by_hand.news] == [("v53", msgspec.UNSET)]
    assert plan(folder, [*log, *by_hand.news]) == Plan()


def test_records_from_before_files_were_named_belong_to_the_folder(folder: Path) -> None:
    old = [msgspec.structs.replace(e, activated_by=AT_START, file=msgspec.UNSET) for e in said(folder, [])]
    assert plan(folder, old) == Plan()
    (folder / "v51.json").unlink()
    assert [event.strategy for event in plan(folder, old).news] == ["v51"]


def test_a_record_that_the_engine_refuses_is_not_in_force(folder: Path) -> None:
    log = said(folder, [])
    broken = msgspec.structs.replace(log[0], version=9, definition=msgspec.Raw(b'{"name":"v51"}'))
    standing = standing_of((event, 7) for event in [*log, broken])
    assert standing.last["v51"].event.version == 2
    edit(folder / "v51.json", version=9)
    assert "raise version above 9" in plan(folder, [*log, broken]).problems[0]


def test_all_problems_of_all_files_are_said_together(folder: Path) -> None:
    (folder / "v51.json").write_text("{")
    edit(folder / "v52.json", threshold=0, hold_minutes=0)
    found = plan(folder, [])
    assert found.news == ()
    assert [problem.partition(": ")[0] for problem in found.problems] == [
        str(folder / "v51.json"),
        str(folder / "v52.json"),
        str(folder / "v52.json"),
    ]


def test_two_files_of_one_name_are_refused_and_what_is_in_force_stays(folder: Path) -> None:
    log = said(folder, [])
    (folder / "copy.json").write_bytes((folder / "v51.json").read_bytes())
    edit(folder / "v52.json", version=3)
    found = plan(folder, log)
    assert [(event.strategy, event.enabled) for event in found.news] == [("v52", True)]
    assert len(found.problems) == 2
    assert all("two files define the strategy v51" in problem for problem in found.problems)
    with pytest.raises(StrategyInvalid, match="two files define the strategy v51"):
        read_files(strategy_files(folder))


def test_a_wrong_file_withdraws_nothing_and_keeps_no_other_edit_out(folder: Path) -> None:
    log = said(folder, [])
    good = (folder / "v51.json").read_bytes()
    (folder / "v51.json").write_text('{"name": "v51",')
    edit(folder / "v52.json", version=3, threshold=50)
    found = plan(folder, log)
    assert [(event.strategy, event.enabled) for event in found.news] == [("v52", True)], "v51 is not to be withdrawn"
    assert [problem.partition(": ")[0] for problem in found.problems] == [str(folder / "v51.json")]
    (folder / "v52.json").unlink()
    gone = plan(folder, [*log, *found.news])
    assert [(event.strategy, event.enabled) for event in gone.news] == [("v52", False)], (
        "its file has gone all the same"
    )
    (folder / "v51.json").write_bytes(good)
    assert plan(folder, [*log, *found.news, *gone.news]).problems == ()


def test_a_file_older_than_what_a_person_activated_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    log = said(folder, [])
    elsewhere = tmp_path / "elsewhere" / "v51.json"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes((folder / "v51.json").read_bytes())
    edit(elsewhere, version=5, threshold=70)
    standing = standing_of((event, 7) for event in log)
    log += plan_of(Files({elsewhere: elsewhere.read_bytes()}, folder, whole=False), standing, BY_HAND).news
    edit(folder / "v52.json", version=3)
    found = plan(folder, log)
    assert [event.strategy for event in found.news] == ["v52"]
    assert "raise version above 5" in found.problems[0]
    assert "ada has activated version 5: copy its file here to keep it" in found.problems[0]
    listed = {row.strategy: row for row in rows(folder, standing_of((event, 7) for event in log))}
    assert listed["v51"].file_state == "blocked"
    assert listed["v51"].problems == list(found.problems)
    shown = diffs(Files(read_texts(strategy_files(folder)), folder, whole=True), standing_of((e, 7) for e in log))
    assert [row.state for row in shown] == ["blocked", "differs"]
    assert any("it waits: " in line and "copy its file here" in line for line in lines_of(shown[0]))


def answer(
    event: StrategyActivated, partition: int, refused: str = "", factors: tuple[str, ...] | UnsetType = UNSET
) -> StrategyAnswered:
    """What the engine of a partition says of an activation, and what it knows."""
    return StrategyAnswered(
        event_id=f"{event.event_id}:{partition}:{refused}",
        event_time_ms=0,
        strategy=event.strategy,
        version=event.version,
        activation_id=event.event_id,
        taken=not refused,
        partition=partition,
        offset=4,
        reason=refused,
        factors=factors,
    )


def test_what_the_engine_would_refuse_is_not_said_in_the_log(folder: Path) -> None:
    """Else a replay, whose code knows the factor, would take it at a place where the engine did not."""
    log = said(folder, [])
    edit(folder / "v52.json", version=3)
    standing = standing_of((event, 7) for event in log)
    knows = tuple(all_factors())
    standing.answers = answers_of(2, [answer(log[0], 0, "", knows), answer(log[0], 1, "", knows)])
    files = Files(read_texts(strategy_files(folder)), folder, whole=True)
    assert [event.version for event in plan_of(files, standing, BY_FOLDER).news] == [3]

    older = tuple(name for name in knows if name != "basis")
    standing.answers = answers_of(2, [answer(log[0], 0, "", knows), answer(log[0], 1, "", older)])
    for by in (BY_FOLDER, BY_HAND):
        found = plan_of(files, standing, by)
        (line,) = found.problems if by.by_hand else found.waits
        assert found.news == ()
        assert "v52.json: $.factors: the running engine does not know basis" in line
        assert "perpstream down" in line
    listed = {row.strategy: row for row in rows(folder, standing)}
    assert "does not know basis" in listed["v52"].problems[0]

    log = said(folder, log)
    standing = standing_of((event, 7) for event in log)
    standing.answers = answers_of(2, [answer(log[0], 0, "", older), answer(log[0], 2, "", ())])
    assert plan_of(files, standing, BY_FOLDER) == Plan(), "what the log says already waits for its engine, not for us"
    edit(folder / "v51.json", version=4)
    files = Files(read_texts(strategy_files(folder)), folder, whole=True)
    assert plan_of(files, standing, BY_FOLDER).news, "a partition that is no more keeps edits out"


def test_a_refused_version_takes_no_answer_from_the_one_before(folder: Path) -> None:
    """An engine without a factor refuses the newer word; where nobody can read that, the older one is what counts."""
    log = said(folder, [])
    standing = standing_of((event, 7) for event in log)
    newer = msgspec.structs.replace(log[0], version=9, event_id="newer")
    taken, other = answer(log[0], 0), answer(log[1], 0)
    standing.answers = answers_of(1, [taken, other, answer(newer, 0, "unknown factor mine")])
    assert {row.strategy: row.state for row in rows(folder, standing)} == {"v51": "in force", "v52": "in force"}


def test_only_what_the_engine_has_taken_is_in_force(folder: Path) -> None:
    """The log says what should count; an engine that does not know a factor refuses it, and `list` must not say otherwise."""
    log = said(folder, [])
    standing = standing_of((event, 7) for event in log)

    def state(*answers: StrategyAnswered) -> tuple[str, list[str]]:
        standing.answers = answers_of(2, answers)
        row = next(row for row in rows(folder, standing) if row.strategy == "v51")
        return row.state, row.problems

    event = log[0]
    other = answer(log[1], 1)
    assert state() == ("unanswered", [])
    assert state(answer(event, 0), other) == ("unanswered", []), "the engine of one partition has not met it"
    assert state(answer(event, 0), answer(event, 1)) == ("in force", [])
    told = state(answer(event, 0), answer(event, 1, "unknown factor mine"))
    assert told[0] == "refused"
    assert "v51 version 2: the engine has refused it: unknown factor mine" in told[1][0]
    assert "perpstream down" in told[1][0], "what to do is not said"
    before = answer(msgspec.structs.replace(event, event_id="an older one"), 1)
    assert state(answer(event, 0), before) == ("unanswered", []), "an answer to another activation counts"
    again = state(answer(event, 0), answer(event, 1, "unknown factor mine"), answer(event, 1))
    assert again == ("in force", []), "an engine that knows more has answered since"


def test_a_diff_does_not_call_refused_what_is_in_force(folder: Path) -> None:
    standing = standing_of((event, 7) for event in said(folder, []))
    standing.answers = answers_of(1, [answer(word.event, 0, "unknown factor mine") for word in standing.words])
    (folder / "v52.json").unlink()
    first, second = diffs(Files(read_texts(strategy_files(folder)), folder, whole=True), standing)
    told = [*lines_of(first), *lines_of(second)]
    assert not any("in force" in line for line in told), told
    assert sum("the engine has refused it: unknown factor mine" in line for line in told) == 2, told


def test_a_person_may_say_again_what_the_engine_has_refused(folder: Path) -> None:
    log = said(folder, [])
    standing = standing_of((event, 7) for event in log)
    standing.answers = answers_of(1, [answer(log[0], 0, "unknown factor mine")])
    files = Files(read_texts(strategy_files(folder)), folder, whole=True)
    assert [event.event_id for event in plan_of(files, standing, BY_HAND).news] == [log[0].event_id]
    by_folder = plan_of(files, standing, BY_FOLDER)
    assert by_folder.news == (), "the folder would say it for ever"
    assert "the engine has refused it: unknown factor mine" in by_folder.notes[0]


def test_brackets_without_an_end_are_one_line(folder: Path) -> None:
    (folder / "v51.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ConfigurationError, match=r"v51\.json: \$: nested too deeply"):
        read_files(strategy_files(folder))


def test_a_folder_without_strategies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="PERPSTREAM_STRATEGIES_DIR"):
        strategy_files(tmp_path)


def test_the_list_says_how_each_file_is(folder: Path) -> None:
    log = said(folder, [])
    edit(folder / "v51.json", version=3)
    edit(folder / "v52.json", enabled=False, version=4, name="v53")
    (folder / "bad.json").write_text("nothing")
    log += withdrawal(standing_of((event, 7) for event in log).last["v52"], BY_HAND).news
    standing = standing_of((event, 7) for event in log)
    standing.answers = answers_of(1, [answer(event, 0) for event in log])
    found = {row.strategy: row for row in rows(folder, standing)}
    assert {name: (row.state, row.file_state, row.version) for name, row in found.items()} == {
        "bad": ("not in force", "invalid", None),
        "v51": ("in force", "differs", 2),
        "v52": ("withdrawn", "no file", 2),
        "v53": ("not in force", "new", 4),
    }
    assert (found["v51"].since_ms, found["v51"].activated_by, found["v52"].reason) == (7, FOLDER, "a test")
    assert found["bad"].problems[0].startswith(f"{folder / 'bad.json'}: $: not JSON")


def test_a_diff_says_what_a_file_would_change(folder: Path) -> None:
    standing = standing_of((event, 7) for event in said(folder, []))
    edit(folder / "v51.json", version=3, threshold=65)
    (folder / "v52.json").unlink()
    files = Files(read_texts(strategy_files(folder)), folder, whole=True)
    found = diffs(files, standing)
    assert [(row.strategy, row.state) for row in found] == [("v51", "differs"), ("v52", "no file")]
    assert lines_of(found[0])[1:] == ["  version 2 -> 3", "  threshold 60 -> 65"]
    assert [row.state for row in diffs(files, Standing())] == ["new"]


@pytest.mark.integration
async def test_publishing_twice_adds_nothing(empty_kafka: str, folder: Path) -> None:
    await ensure_topics(empty_kafka, 4)
    assert len((await activate_folder(empty_kafka, folder, BY_FOLDER)).news) == 2
    assert await activate_folder(empty_kafka, folder, BY_FOLDER) == Plan()
    edit(folder / "v51.json", version=77)
    found = await activate_folder(empty_kafka, folder, replace(BY_HAND, reason=""))
    assert [(event.strategy, event.version, event.reason) for event in found.news] == [("v51", 77, msgspec.UNSET)]
    assert await activate_folder(empty_kafka, folder, BY_FOLDER) == Plan()
