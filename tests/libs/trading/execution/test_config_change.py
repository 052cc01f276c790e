"""A change of what may trade: the next version or a sentence, and never on top of somebody else's change."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.trading.commands import ChangeConfig, CommandInvalid
from libs.trading.execution.config import LiveConfig, SymbolOverride
from libs.trading.execution.config_change import changed_config, read_change, settings_names

BEFORE = LiveConfig(version=4, overrides={"ETHUSDT": SymbolOverride(leverage=2)})


def changed(**changes: str) -> LiveConfig:
    return changed_config(BEFORE, ChangeConfig(4, {name.replace("__", "."): text for name, text in changes.items()}))


def test_what_is_named_changes_and_everything_else_stays() -> None:
    after = changed(strategies="v51, v52,v51", risk_per_trade="12.5", margin_type="ISOLATED")
    assert after == BEFORE.model_copy(
        update={
            "version": 5,
            "strategies": ("v51", "v52"),
            "risk_per_trade": Decimal("12.5"),
            "margin_type": "ISOLATED",
        }
    )
    assert changed(strategies="").strategies == ()


def test_a_symbol_has_its_own_values_until_none_is_said() -> None:
    after = changed(overrides__BTCUSDT__leverage="3", overrides__ETHUSDT__risk_per_trade="5")
    assert (after.leverage_of("BTCUSDT"), after.leverage_of("ETHUSDT"), after.risk_of("ETHUSDT")) == (3, 2, Decimal(5))
    assert changed(overrides__ETHUSDT__leverage="none").overrides == {}


def test_a_change_of_an_older_version_is_refused() -> None:
    with pytest.raises(CommandInvalid, match="has version 4 by now, and the change is of version 3"):
        changed_config(BEFORE, ChangeConfig(3, {"leverage": "3"}))


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("version", "9", "version is no setting"),
        ("overrides", "{}", "overrides is no setting"),
        ("nonsense", "1", "nonsense is no setting"),
        ("leverage", "126", "leverage must be at most 125"),
        ("leverage", "", "leverage must be a whole number"),
        ("risk_per_trade", "NaN", "risk_per_trade must be"),
        ("risk_per_trade", "0", "risk_per_trade must be above 0"),
        ("strategies", "V51", "strategies"),
        ("foreign_policy", "hope", "foreign_policy must be"),
        ("overrides.BTCUSDT.hope", "1", "a symbol has risk_per_trade"),
        ("overrides.BTCUSDT", "1", "a symbol has risk_per_trade"),
        ("overrides.BTCUSDT.leverage.twice", "1", "a symbol has risk_per_trade"),
        ("overrides.", "1", "a symbol has risk_per_trade"),
        ("overrides.BTCUSDT.leverage", "0", "overrides.BTCUSDT.leverage must be at least 1"),
    ],
)
def test_what_cannot_count_is_refused_by_name(name: str, text: str, what: str) -> None:
    with pytest.raises(CommandInvalid, match=what):
        read_change({name: text}, BEFORE)


def test_the_arguments_of_a_change_say_of_which_version_it_is() -> None:
    assert read_change({"leverage": "3"}, BEFORE) == {"base_version": "4", "leverage": "3"}


NAMES = st.sampled_from([*settings_names(), "overrides.BTCUSDT.leverage"]) | st.text(max_size=12).map(
    "overrides.{}".format
)


@given(st.dictionaries(NAMES, st.text(max_size=12)))
def test_any_text_gives_the_next_version_or_a_sentence(changes: dict[str, str]) -> None:
    try:
        after = changed_config(BEFORE, ChangeConfig(4, changes))
    except CommandInvalid:
        return
    assert after.version == 5
    assert LiveConfig.model_validate_json(after.model_dump_json()) == after
