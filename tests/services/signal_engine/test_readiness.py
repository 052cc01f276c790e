"""Ready is only who hears the timeline: a partition without heartbeats is named."""

from services.signal_engine.agents import silent_partitions


def test_only_partitions_that_missed_their_heartbeats_are_silent() -> None:
    assert silent_partitions({0: 100.0, 1: 109.5}, 110.0) == {}
    assert silent_partitions({0: 100.0, 1: 109.5}, 112.0) == {0: 12.0}
