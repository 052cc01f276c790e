"""A broker that hangs is noticed by what it does not say, and ordinary waits are no alarm."""

from libs.streaming.liveness import Silence, unacknowledged


def test_a_record_that_waits_longer_than_ten_seconds_is_a_reason() -> None:
    assert unacknowledged(0.0) is None
    assert unacknowledged(10.0) is None
    assert unacknowledged(12.3) == "a record has waited 12 s for its acknowledgement"


def test_silence_counts_from_the_last_answer_whatever_it_said() -> None:
    silence = Silence()
    assert silence.why(0, 1000.0) is None, "a reader that has just begun is not late"
    assert silence.why(5, 1009.0) is None
    assert silence.why(5, 1019.0) is None
    assert silence.why(5, 1020.5) == "Kafka has not answered for 12 s"
    assert silence.why(6, 1030.0) is None
    assert silence.why(4, 1041.0) is None, "a wall clock that was set back is an answer too"
