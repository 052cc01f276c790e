"""Every risk rule is one file here that defines `RULE`; dropping a file in adds it to the guard, its settings and its page."""

import sys
from collections.abc import Mapping
from functools import cache

from libs.kit.discovery import BrokenPlugin, discover
from libs.trading.risk.rule import ACTIONS, Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, those with the gravest action first, then by name.

    Raises `BrokenPlugin` for a file that is no rule, or whose rule has another name than the file.
    """
    return in_order(discover(sys.modules[__name__], "RULE", Rule))


def in_order(found: Mapping[str, Rule]) -> tuple[Rule, ...]:
    """The rules, by the names of their files, in the order of `all_rules`. Raises `BrokenPlugin` for another name."""
    for module, rule in found.items():
        if rule.name != module:
            raise BrokenPlugin(f"its rule must be named {module}, not {rule.name}", f"{__name__}.{module}")
    return tuple(sorted(found.values(), key=lambda rule: (ACTIONS.index(rule.action), rule.name)))
