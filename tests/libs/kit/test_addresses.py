"""Addresses of brokers as people write them."""

import pytest

from libs.kit.addresses import broker_addresses


def test_names_numbers_lists_and_brackets() -> None:
    assert broker_addresses("kafka:9092") == [("kafka", 9092)]
    assert broker_addresses("127.0.0.1:1, [::1]:2,[fe80::1]:3") == [("127.0.0.1", 1), ("::1", 2), ("fe80::1", 3)]


@pytest.mark.parametrize("wrong", ["", "kafka", "kafka:", "kafka:many", "kafka:70000", "a:1,,b:2", ":9092"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        broker_addresses(wrong)
