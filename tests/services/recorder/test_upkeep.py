"""Readiness follows the timeline's heartbeats, whoever stops them: sequencer, broker or database."""

from libs.contracts.topics import SIGNAL_SCORED, TIMELINE
from libs.kit.service import ServiceContext
from libs.kit.settings import ProcessSettings
from services.recorder.upkeep import FLOWING, WRITING, Progress, say_flow


def test_a_partition_that_stands_is_named_with_its_seconds_until_it_moves() -> None:
    progress = Progress()
    assert progress.stuck({(TIMELINE.name, 0): 5, (TIMELINE.name, 1): 7}, 100.0) == {}
    assert progress.stuck({(TIMELINE.name, 0): 5, (TIMELINE.name, 1): 8}, 109.0) == {}
    assert progress.stuck({(TIMELINE.name, 0): 5, (TIMELINE.name, 1): 9}, 112.0) == {0: 12.0}
    assert progress.stuck({(TIMELINE.name, 0): 6, (TIMELINE.name, 1): 9}, 113.0) == {}


def test_a_topic_without_heartbeats_may_be_quiet_and_a_partition_taken_away_is_forgotten() -> None:
    progress = Progress()
    places = {(TIMELINE.name, 0): 5, (SIGNAL_SCORED.name, 0): 1}
    progress.stuck(places, 0.0)
    assert progress.stuck(places, 60.0) == {0: 60.0}
    assert progress.stuck({(SIGNAL_SCORED.name, 0): 1}, 61.0) == {}
    assert progress.stuck(places, 62.0) == {}


def test_a_database_that_is_away_is_named_and_not_the_timeline() -> None:
    context = ServiceContext("recorder", ProcessSettings())

    def missing() -> dict[str, str]:
        return {name: why for name, why in context.conditions.items() if why is not None}

    say_flow(context, {0: 16.0, 2: 12.0}, "the database does not answer")
    assert missing() == {WRITING: "the database does not answer; nothing recorded for 16 s from partitions [0, 2]"}
    say_flow(context, {0: 16.0}, None)
    assert missing() == {FLOWING: "nothing recorded for 16 s from partitions [0]"}
    say_flow(context, {}, "a deadlock, for a moment")
    assert missing() == {}
