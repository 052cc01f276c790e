"""Configuration as records of the log: strategies in force behind nobody's back, and symbols with a trail of who changed them."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec

from libs.contracts.event import Event


class StrategyActivated(Event, frozen=True, kw_only=True):
    """A strategy's complete configuration counts from this record's place in the timeline.

    `definition` is the strategy file as validated (see strategies/schema.json); `enabled` false withdraws the strategy.
    `event_id` is a digest of strategy, version, definition and enabled: the same activation twice is the same fact. `reason` is
    what the person said who did it. `file`: the name of the file in the strategies' folder that says so, or has gone from there;
    without it a person has decided, and the folder does not undo that. Older records have neither.
    """

    SCHEMA: ClassVar[str] = "strategy_activated/1"

    strategy: str
    version: int
    enabled: bool
    definition: msgspec.Raw
    activated_by: str
    reason: str | msgspec.UnsetType = msgspec.UNSET
    file: str | msgspec.UnsetType = msgspec.UNSET


class StrategyAnswered(Event, frozen=True, kw_only=True):
    """An engine has met an activation at its place in one partition of the timeline, and taken or refused it.

    `activation_id` is the `event_id` of the `StrategyActivated`; `partition` and `offset` are the place. Refused, it changed
    nothing: what was in force before stays, and `reason` says why. An engine that replays the place answers again: the same
    answer has the same id, another one (other code knows more factors) counts instead. `event_time_ms` is the activation's.
    `factors`: all that this engine knows, so that nobody says in the log what it would refuse; not there in the first records.
    """

    SCHEMA: ClassVar[str] = "strategy_answered/1"

    strategy: str
    version: int
    activation_id: str
    taken: bool
    partition: int
    offset: int
    reason: str = ""
    factors: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class SymbolFollowed(Event, frozen=True, kw_only=True):
    """A symbol is followed from now on; with `followed` false it is not any more, wherever it came from.

    `event_time_ms` is when a person decided so, by the clock of their machine. `event_id` is a digest of symbol, followed and
    that time: who changes their mind twice has said three things.
    """

    SCHEMA: ClassVar[str] = "symbol_followed/1"

    symbol: str
    followed: bool
    changed_by: str
    reason: str = ""


def symbols_in_force(configured: Sequence[str], words: Iterable[SymbolFollowed]) -> tuple[str, ...]:
    """The configured symbols, then those that were added, oldest first: of each symbol the newest of `words` counts, and
    without one the configuration."""
    newest: dict[str, bool] = {}
    for word in words:
        newest.pop(word.symbol, None)
        newest[word.symbol] = word.followed
    kept = [symbol for symbol in configured if newest.get(symbol, True)]
    added = [symbol for symbol, followed in newest.items() if followed and symbol not in configured]
    return (*kept, *added)
