"""The simulated venue lists what it lists: a misspelt perpetual is refused, as a real venue would refuse it."""

import pytest

from services.exchange_simulator.symbols import generated_symbols, profile_of


@pytest.mark.parametrize("name", ["NOPEUSDT", "BTCEUR", "USDT", "BTC USDT", "C12USDT"])
def test_an_unlisted_name_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        profile_of(name)


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(ValueError, match="DOGEUSDT"):
        profile_of("DOGUSDT")


@pytest.mark.parametrize("name", ["BTCUSDT", "BTCUSDC", "NEARUSDT", *generated_symbols(400)[-3:]])
def test_listed_and_generated_names_have_rules(name: str) -> None:
    assert profile_of(name).rules.symbol == name
