"""What a person should see of a change of what may trade: each value before and after, and names that nobody here knows."""

from collections.abc import Collection
from dataclasses import dataclass

from libs.streaming.strategies.log import read_standing
from libs.trading.execution.config import LiveConfig
from libs.trading.risk.rule import plain
from libs.trading.risk.rules.hold_time import RULE
from services.console.asking import Asking
from services.console.following import known
from services.console.output import ask, servers
from services.console.symbols import configured_symbols


@dataclass(frozen=True, slots=True)
class Names:
    """Strategies that are in force, and symbols that are followed."""

    strategies: frozenset[str]
    symbols: frozenset[str]


LOWER_IS_SAFER = (
    "risk_per_trade",
    "max_positions",
    "max_notional",
    "leverage",
    "signal_valid_seconds",
    "hold_minutes",
    "max_price_gap_bps",
)
HIGHER_IS_SAFER = ("cooldown_seconds", "min_liquidation_gap")


def only_lessens(before: LiveConfig, after: LiveConfig) -> bool:
    """Whether nothing of the change lets the account lose more; what cannot be told does."""
    compared = {*LOWER_IS_SAFER, *HIGHER_IS_SAFER, "strategies", "symbols", "blacklist", "version"}
    old, new = before.model_dump(exclude=compared), after.model_dump(exclude=compared)
    followed = not before.symbols or (bool(after.symbols) and set(after.symbols) <= set(before.symbols))
    return (
        old == new
        and followed
        and all(getattr(after, name) <= getattr(before, name) for name in LOWER_IS_SAFER)
        and all(getattr(after, name) >= getattr(before, name) for name in HIGHER_IS_SAFER)
        and set(after.strategies) <= set(before.strategies)
        and set(after.blacklist) >= set(before.blacklist)
    )


def known_names(asking: Asking) -> Names:
    """As the topics say now. Raises `UserError` when they cannot be read."""
    given = servers(asking.state_dir)
    standing = ask(given, read_standing(given.kafka))
    control = ask(given, known(given.kafka, configured_symbols(asking.state_dir)))
    in_force = frozenset(name for name, word in standing.last.items() if word.enabled)
    return Names(in_force, frozenset(control.in_force))


def doubts(config: LiveConfig, names: Names) -> list[str]:
    """A line for each kind of name that means nothing here: a slip of the pen would enter nothing, or leave nothing out; and
    for a hold that the guard, as shipped, ends before."""
    symbols = dict.fromkeys((*config.symbols, *config.blacklist, *config.overrides))
    return [
        *_unknown("not in force", config.strategies, names.strategies),
        *_unknown("not followed", symbols, names.symbols),
        *_longer_than_the_guard(config.hold_minutes),
    ]


def _longer_than_the_guard(minutes: int) -> list[str]:
    limit = RULE.defaults.breach
    if limit is None or minutes < limit:
        return []
    return [
        f"hold_minutes {minutes}: the guard closes after {plain(limit)} min, unless its PERPSTREAM_RISK_LIMITS say otherwise"
    ]


def _unknown(what: str, named: Collection[str], there_are: Collection[str]) -> list[str]:
    found = ", ".join(name for name in named if name not in there_are)
    return [f"{found}: {what} (there are {', '.join(sorted(there_are)) or 'none'})"] if found else []
