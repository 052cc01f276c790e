"""The limits of paper accounts are settings, and contradictory ones are one line for a person."""

from decimal import Decimal

import pytest

from libs.kit.errors import ConfigurationError
from libs.kit.settings import load_settings
from libs.trading.portfolio import PortfolioRules
from services.paper_trader.settings import PaperSettings


def test_without_settings_paper_accounts_are_those_of_a_backtest() -> None:
    assert load_settings(PaperSettings).rules() == PortfolioRules()


def test_the_guard_of_each_account_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WARNING_R", "1"), ("CIRCUIT_BREAK_R", "2.5"), ("COOLDOWN_MINUTES", "7"), ("FLATTEN", "true")):
        monkeypatch.setenv(f"PERPSTREAM_PAPER_{name}", value)
    rules = load_settings(PaperSettings).rules()
    assert (rules.warning_r, rules.circuit_break_r) == (Decimal(1), Decimal("2.5"))
    assert (rules.cooldown_minutes, rules.flatten) == (7, True)


def test_a_warning_above_the_break_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERPSTREAM_PAPER_WARNING_R", "7")
    with pytest.raises(ConfigurationError, match="PERPSTREAM_PAPER_WARNING_R must not be above"):
        load_settings(PaperSettings)
