"""docs/risk-rules.md, generated from the rules: `python -m tests.architecture.risk_rules_page` writes it."""

import inspect
import sys
from collections.abc import Iterator
from decimal import Decimal

from libs.trading.risk.limits import RiskLimits
from libs.trading.risk.rule import Rule, plain
from libs.trading.risk.rules import all_rules
from tests.architecture.settings_page import ROOT

PAGE = ROOT / "docs/risk-rules.md"
RULES = "| rule | warning | break | a break means | what it is for |\n|---|---|---|---|---|"
SETTINGS = "| setting | default | meaning |\n|---|---|---|"
TITLE = """# Risk rules

Generated from `libs/trading/risk/rules/` by `make docs`; a test fails when it drifts. These are the shipped thresholds; an
account may have others. A threshold that is reached is exceeded.

- **A break of a rule marked *stays*** breaks the circuit: no entries, and everything is closed where the rule says so. It stays
  over restarts and days until a person resets that break, or it resumes by itself: after the cooldown, with all inputs there
  and in order, reconciliation among them, flat if it was to be, and only so many times a UTC day. A loss that is still there
  breaks again after a reset: change the limit, or reset when the day is over. Losses in a row and slippage count anew from
  each break, resume and reset.
- **Any other break blocks entries as long as it lasts.** So does every input that is missing, NaN, stale or from the future.
  What is missing closes nothing, except a position without a stop, and everything once the account was silent for too long.
  What nobody has read yet of a position in its first two seconds is not missing: signals that come together do not keep each
  other out.
- **A position without a stop**: one stop must close all of it. Finished, smaller and opposite ones count as none. The guard
  places one itself; where the position's own figures are missing, nobody can say where it belongs, and the symbol is
  flattened. A position that is still without one after `bare_close_ms` is closed, at once where the venue refuses stops. Where
  no list of stops can be had for 3 s, the guard places one for every position that it has not seen protected: if there is one
  already, the venue refuses the second, and nothing has changed.
- **The guard's own silence is nobody's fault**: time in which its process stood still is not held against the account.

`PERPSTREAM_RISK_LIMITS` names a JSON file with what differs, for example
`{"rules": {"daily_loss_usd": {"warning": 100, "breach": 200}, "drawdown": {}}, "auto_resumes": 0}`; a rule without thresholds
is off. The guard reads it at its start. What every rule sees now: `perpstream risk test`.
"""
ACTION_WORDS = {
    "flatten_all": "close everything",
    "flatten_symbol": "flatten the symbol",
    "close_position": "close the position",
    "place_stop": "place a stop",
    "block_entries": "no entries",
}


def _limit(rule: Rule, limit: Decimal | None) -> str:
    side = "≤" if rule.is_floor else "≥"
    return "" if limit is None else f"{side} {plain(limit)} {rule.unit}"


def _row(rule: Rule) -> str:
    about = (inspect.getdoc(sys.modules[f"libs.trading.risk.rules.{rule.name}"]) or "").replace("\n", " ")
    return f"{row_without_words(rule)} {about} |"


def row_without_words(rule: Rule) -> str:
    """Its name, its shipped thresholds, and what a break does."""
    action = ACTION_WORDS[rule.action] + (", *stays*" if rule.latches else "")
    limits = f"{_limit(rule, rule.defaults.warning)} | {_limit(rule, rule.defaults.breach)}"
    return f"| `{rule.name}` | {limits} | {action} |"


def _settings() -> Iterator[str]:
    for name, field in RiskLimits.model_fields.items():
        default = "as above" if name == "rules" else f"`{field.default}`"
        yield f"| `{name}` | {default} | {field.description} |"


def risk_rules_page() -> str:
    """The page's text."""
    rules = "\n".join([RULES, *map(_row, all_rules())])
    settings = "\n".join([SETTINGS, *_settings()])
    return f"{TITLE}\n{rules}\n\n## What applies to all rules\n\n{settings}\n"


if __name__ == "__main__":
    PAGE.write_text(risk_rules_page())
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}\n")
