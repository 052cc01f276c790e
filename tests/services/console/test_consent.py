"""What increases risk is done only when a person says so, who has seen what it may cost."""

import io
import sys
from decimal import Decimal

import pytest

from libs.kit.errors import ConfigurationError, UserError
from libs.trading.execution.config import LiveConfig, SymbolOverride
from services.console.consent import most_at_risk, require_yes
from services.console.live_change import only_lessens


class Terminal(io.StringIO):
    """A person who has typed this."""

    def isatty(self) -> bool:
        return True


def test_the_effect_is_shown_before_the_question_and_a_yes_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    require_yes("sure?", yes=False, effect=lambda: ["3 → 5 positions"])
    shown = capsys.readouterr()
    assert (shown.err + shown.out).index("3 → 5 positions") < (shown.err + shown.out).index("sure?")


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_anything_but_a_yes_sends_nothing(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    with pytest.raises(UserError, match="nothing was sent"):
        require_yes("sure?", yes=False)


def test_without_a_terminal_only_the_option_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(ConfigurationError, match="nothing was sent"):
        require_yes("sure?", yes=False)
    require_yes("sure?", yes=True)


def test_the_worst_case_is_every_position_at_the_largest_risk_that_a_symbol_has() -> None:
    assert most_at_risk(LiveConfig(max_positions=5, risk_per_trade=Decimal(10))) == 50
    own = {"BTCUSDT": SymbolOverride(risk_per_trade=Decimal(40)), "ETHUSDT": SymbolOverride(leverage=2)}
    assert most_at_risk(LiveConfig(max_positions=2, risk_per_trade=Decimal(10), overrides=own)) == 80


BEFORE = LiveConfig(strategies=("a", "b"), blacklist=("BTCUSDT",))


@pytest.mark.parametrize(
    ("after", "lessens"),
    [
        (BEFORE.model_copy(update={"max_positions": 2, "strategies": ("a",), "version": 1}), True),
        (BEFORE.model_copy(update={"cooldown_seconds": 900, "symbols": ("ETHUSDT",)}), True),
        (BEFORE.model_copy(update={"max_positions": 2, "leverage": 6}), False),
        (BEFORE.model_copy(update={"strategies": ("a", "c")}), False),
        (BEFORE.model_copy(update={"cooldown_seconds": 1}), False),
        (BEFORE.model_copy(update={"blacklist": ()}), False),
        (BEFORE.model_copy(update={"foreign_policy": "adopt"}), False),
        (BEFORE.model_copy(update={"overrides": {"XUSDT": SymbolOverride(leverage=1)}}), False),
    ],
)
def test_what_only_lessens_is_told_from_what_may_cost_more(after: LiveConfig, lessens: bool) -> None:
    assert only_lessens(BEFORE, after) is lessens


def test_symbols_that_are_added_may_cost_more_and_none_named_is_all() -> None:
    one = LiveConfig(symbols=("BTCUSDT",))
    assert not only_lessens(one, LiveConfig(symbols=("BTCUSDT", "ETHUSDT")))
    assert not only_lessens(one, LiveConfig())
    assert only_lessens(LiveConfig(), one)
