"""Ids: the same facts give the same id for ever, different facts give different ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.identity import digest, indicator_id, liquidation_id, signal_id

PARTS = st.lists(st.text(st.characters(exclude_characters="|", codec="utf-8"), max_size=8), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_equal_parts_and_only_they_share_an_id(left: list[str], right: list[str]) -> None:
    assert (digest(*left) == digest(*right)) == (left == right)


def test_ids_never_change_between_versions() -> None:
    assert signal_id("v51", 1, "BTCUSDT", 1723075215000) == SIGNAL
    assert indicator_id("BTCUSDT", 1723075215000) == INDICATOR
    assert liquidation_id("BTCUSDT", "SELL", 1723075200700, "0.014", "55119.9") == LIQUIDATION


def test_each_part_counts() -> None:
    base = signal_id("v51", 1, "BTCUSDT", 15_000)
    others = [
        signal_id("v52", 1, "BTCUSDT", 15_000),
        signal_id("v51", 2, "BTCUSDT", 15_000),
        signal_id("v51", 1, "ETHUSDT", 15_000),
        signal_id("v51", 1, "BTCUSDT", 30_000),
        indicator_id("BTCUSDT", 15_000),
    ]
    assert len({base, *others}) == 6


def test_the_separator_is_refused() -> None:
    with pytest.raises(ValueError, match="must not contain"):
        digest("a|b")


SIGNAL = "71379f40ad2ea3d71979"
INDICATOR = "b45e2d9b48ce7b1c3f80"
LIQUIDATION = "e29e14f0633f09c37d11"
