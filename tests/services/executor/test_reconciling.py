"""How often books and venue are compared while something goes on asking for it."""

from itertools import accumulate, takewhile

from services.executor.reconciling import SOONEST_SECONDS, next_rest

WEIGHT, LIMIT = 100, 2400
"""Of a thorough comparison (three lists, balances, terms), and what the venue allows in a minute (reference facts, 3.1)."""


def test_a_burst_of_wishes_leaves_most_of_the_request_budget() -> None:
    rests = [SOONEST_SECONDS]
    while sum(rests) < 60:
        rests.append(next_rest(rests[-1], True, 10.0))
    looks = len(list(takewhile(lambda at: at < 60, accumulate(rests))))
    assert looks * WEIGHT < LIMIT / 2
    assert max(rests) == 10.0


def test_after_a_quiet_while_the_next_wish_is_heard_at_once() -> None:
    assert next_rest(10.0, False, 10.0) == SOONEST_SECONDS
