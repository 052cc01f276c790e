"""Ids of our orders: read back as they were made, never longer than the venue takes, and nobody else's is taken for ours."""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.trading.execution.client_ids import (
    ACCOUNT_LETTERS,
    INSTALLATION_LETTERS,
    MOST_GENERATIONS,
    SIGNAL_LETTERS,
    Leg,
    OrderTag,
    Sender,
    letters_of,
    read_client_id,
)

VENUE = re.compile(r"[\.A-Z\:/a-z0-9_-]{1,36}")
TAGS = st.builds(
    OrderTag,
    st.sampled_from(get_args(Sender)),
    st.text().map(lambda name: letters_of(name, ACCOUNT_LETTERS)),
    st.text().map(lambda name: letters_of(name, INSTALLATION_LETTERS)),
    st.text().map(lambda name: letters_of(name, SIGNAL_LETTERS)),
    st.sampled_from(get_args(Leg)),
    st.integers(0, MOST_GENERATIONS - 1),
)


@given(TAGS)
def test_an_id_says_what_it_was_made_of_and_the_venue_takes_it(tag: OrderTag) -> None:
    text = tag.client_id()
    assert VENUE.fullmatch(text)
    assert read_client_id(text) == tag


@given(TAGS, TAGS)
def test_two_intents_have_two_ids(one: OrderTag, other: OrderTag) -> None:
    assert (one.client_id() == other.client_id()) == (one == other)


@given(TAGS, st.data())
def test_an_id_that_was_changed_is_not_taken_for_another_of_the_same_leg(tag: OrderTag, data: st.DataObject) -> None:
    text = tag.client_id()
    place = data.draw(st.integers(0, len(text) - 1))
    changed = text[:place] + data.draw(st.characters(codec="ascii")) + text[place + 1 :]
    found = read_client_id(changed)
    assert found is None or found.client_id() == changed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web_abc",
        "autoclose-1",
        "p1-aaaa-aaaaaa-aaaaaaaaaaaa-en-00",
        "P1-aaaa",
        "p1-aaaa-aaaaaa-aaaaaaaaaaaa-en-1\n",
    ],
)
def test_what_others_send_is_not_ours(text: str) -> None:
    assert read_client_id(text) is None


def test_a_part_that_would_not_be_read_back_is_refused() -> None:
    tag = OrderTag("executor", "aaaa", "bbbbbb", "c" * 12, "entry", MOST_GENERATIONS)
    with pytest.raises(ValueError, match="generation"):
        tag.client_id()
    with pytest.raises(ValueError, match="letters"):
        OrderTag("executor", "a-aa", "bbbbbb", "c" * 12, "entry", 0).client_id()
