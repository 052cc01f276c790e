"""The checklist: what is not in order or not known forbids entries, and says what a person can do."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from libs.trading.execution.checklist import (
    AccountFacts,
    CheckName,
    Rights,
    StrategyState,
    SymbolFacts,
    checklist,
    is_in_order,
)
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.findings import Finding
from libs.trading.filters import SymbolFilters

BTC = "BTCUSDT"
FILTERS = SymbolFilters(BTC, Decimal("0.1"), Decimal("0.001"), Decimal("0.001"), min_notional=Decimal(100))
SYMBOL = SymbolFacts(
    status="TRADING",
    filters=FILTERS,
    leverage=5,
    margin_type="CROSSED",
    data_price=Decimal(100_000),
    data_price_age_ms=500,
    order_price=Decimal(100_010),
)
GOOD = AccountFacts(
    mode="production",
    clock_error_ms=3,
    may_trade=True,
    is_hedged=False,
    is_multi_assets=False,
    rights=Rights(may_trade=True, may_withdraw=False, may_transfer=False, is_bound_to_addresses=True),
    symbols={BTC: SYMBOL},
    findings=(),
)
CONFIG = LiveConfig(strategies=("v51",))


def state(facts: AccountFacts, name: CheckName, config: LiveConfig = CONFIG) -> str:
    [check] = [one for one in checklist(facts, config) if one.name == name]
    assert check.sentence
    assert check.todo or check.state == "passed"
    return check.state


def symbol(**changes: Any) -> AccountFacts:
    return replace(GOOD, symbols={BTC: replace(SYMBOL, **changes)})


def found(name: Any, about: str = BTC) -> AccountFacts:
    return replace(GOOD, findings=(Finding(name, about, "figures"),))


def rights(**changes: bool) -> AccountFacts:
    assert GOOD.rights is not None
    return replace(GOOD, rights=replace(GOOD.rights, **changes))


def test_an_account_that_is_in_order() -> None:
    checks = checklist(GOOD, CONFIG)
    assert {check.state for check in checks} == {"passed"}
    assert is_in_order(checks)


@pytest.mark.parametrize(
    ("facts", "name", "expected"),
    [
        (replace(GOOD, production_trouble="no file"), "production", "failed"),
        (replace(GOOD, mode="demo", production_trouble="no file"), "production", "passed"),
        (replace(GOOD, clock_error_ms=None), "clock", "failed"),
        (replace(GOOD, clock_error_ms=-501), "clock", "failed"),
        (replace(GOOD, clock_error_ms=-500), "clock", "passed"),
        (replace(GOOD, may_trade=False), "trading_allowed", "failed"),
        (replace(GOOD, may_trade=None), "trading_allowed", "failed"),
        (replace(GOOD, is_hedged=True), "one_way_mode", "failed"),
        (replace(GOOD, is_hedged=None), "one_way_mode", "failed"),
        (replace(GOOD, is_multi_assets=True), "single_asset_mode", "failed"),
        (replace(GOOD, is_multi_assets=None), "single_asset_mode", "failed"),
        (replace(GOOD, rights=None), "key_rights", "failed"),
        (replace(GOOD, rights=None, mode="demo"), "key_rights", "warning"),
        (rights(may_withdraw=True), "key_rights", "failed"),
        (rights(may_transfer=True), "key_rights", "failed"),
        (rights(may_trade=False), "key_rights", "failed"),
        (rights(is_bound_to_addresses=False), "key_rights", "warning"),
        (symbol(filters=None), "filters", "failed"),
        (symbol(status="SETTLING"), "filters", "failed"),
        (symbol(filters=replace(FILTERS, min_notional=Decimal(10_001))), "filters", "failed"),
        (replace(GOOD, symbols={}), "filters", "failed"),
        (symbol(leverage=20), "terms", "warning"),
        (symbol(leverage=20, is_open=True), "terms", "failed"),
        (symbol(leverage=2, is_open=True), "terms", "warning"),
        (symbol(margin_type="ISOLATED"), "terms", "warning"),
        (symbol(margin_type="ISOLATED", is_open=True), "terms", "failed"),
        (symbol(leverage=None), "terms", "failed"),
        (replace(GOOD, findings=None), "reconciliation", "failed"),
        (found("foreign_order"), "reconciliation", "failed"),
        (found("books_lost"), "reconciliation", "failed"),
        (found("wrong_leverage"), "reconciliation", "warning"),
        (found("missed_fill"), "reconciliation", "warning"),
        (symbol(order_price=Decimal(101_000)), "prices", "failed"),
        (symbol(order_price=None), "prices", "failed"),
        (symbol(data_price=None), "prices", "failed"),
        (symbol(data_price_age_ms=10_001), "prices", "failed"),
        (symbol(data_price_age_ms=None), "prices", "failed"),
    ],
)
def test_each_line_of_the_list(facts: AccountFacts, name: CheckName, expected: str) -> None:
    assert state(facts, name) == expected
    assert is_in_order(checklist(facts, CONFIG)) == (expected != "failed")


def test_what_could_not_be_read_is_said() -> None:
    facts = replace(GOOD, rights=None, unread={"key_rights": "the host does not answer"})
    [check] = [one for one in checklist(facts, CONFIG) if one.name == "key_rights"]
    assert check.sentence == "what the API key may do is not known: the host does not answer"


def test_only_what_may_be_traded_has_to_be_in_order() -> None:
    """One symbol that does not trade, or is not known, is told and holds up none of the others."""
    facts = replace(GOOD, symbols={BTC: SYMBOL, "OLDUSDT": SymbolFacts(status="SETTLING")})
    assert is_in_order(checklist(facts, CONFIG))
    assert state(facts, "filters") == "warning"
    assert state(facts, "filters", CONFIG.model_copy(update={"blacklist": ("OLDUSDT",)})) == "passed"
    assert state(facts, "filters", CONFIG.model_copy(update={"symbols": (BTC,)})) == "passed"
    assert state(GOOD, "filters", CONFIG.model_copy(update={"symbols": (BTC, "NEWUSDT")})) == "warning"
    assert state(facts, "filters", CONFIG.model_copy(update={"symbols": ("OLDUSDT",)})) == "failed"


def test_foreign_things_are_only_told_where_the_account_lives_with_them() -> None:
    ignoring = CONFIG.model_copy(update={"foreign_policy": "ignore"})
    assert state(found("foreign_order"), "reconciliation", ignoring) == "warning"
    assert state(found("other_installation", ""), "reconciliation", ignoring) == "failed"


def test_no_strategy_is_a_warning_and_no_hindrance() -> None:
    assert state(GOOD, "strategies", LiveConfig()) == "warning"
    assert is_in_order(checklist(GOOD, LiveConfig()))


@pytest.mark.parametrize(
    ("strategies", "expected", "word"),
    [
        ({"v51": "in force", "v52": "withdrawn"}, "passed", "in force: v51"),
        ({"v52": "in force"}, "failed", "v51: no strategy has this name"),
        ({"v51": "withdrawn"}, "failed", "v51: withdrawn"),
        ({"v51": "disabled"}, "failed", "v51: disabled"),
        ({"v51": "unanswered"}, "warning", "v51: unanswered"),
    ],
)
def test_a_strategy_that_can_never_enter_is_named(
    strategies: dict[str, StrategyState], expected: str, word: str
) -> None:
    facts = replace(GOOD, strategies=strategies)
    assert state(facts, "strategies_in_force") == expected
    [check] = [one for one in checklist(facts, CONFIG) if one.name == "strategies_in_force"]
    assert word in check.sentence
    if expected == "failed":
        assert ", ".join(name for name, one in strategies.items() if one == "in force") in check.todo


def test_whoever_does_not_ask_for_strategies_is_not_held_up_by_them() -> None:
    """The executor: one unknown name must not keep the signals of the others from being entered."""
    assert "strategies_in_force" not in [one.name for one in checklist(GOOD, CONFIG)]
    unread = replace(GOOD, unread={"strategies_in_force": "no broker answers"})
    assert state(unread, "strategies_in_force") == "failed"
    assert "strategies_in_force" not in [one.name for one in checklist(unread, LiveConfig())]


def test_a_symbol_that_the_venue_does_not_have_is_told_in_its_words() -> None:
    facts = replace(GOOD, symbols={BTC: SYMBOL, "BTCUSD": SymbolFacts(unknown="the venue has no symbol BTCUSD")})
    [check] = [one for one in checklist(facts, CONFIG) if one.name == "filters"]
    assert (check.state, check.sentence) == ("warning", "the venue has no symbol BTCUSD")
