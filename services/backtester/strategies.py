"""The configurations that count: strategy files of a request from the beginning of the data, or recorded ones where they did."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from libs.contracts.control import StrategyActivated
from libs.contracts.identity import digest
from libs.contracts.timeline import PlacedEvent
from libs.kit.errors import ConfigurationError
from libs.trading.strategy import Strategy, read_strategy
from services.backtester.sources import Span

BEGINNING = -1


def read_strategy_files(files: Sequence[Path]) -> list[tuple[Strategy, PlacedEvent]]:
    """Each file's strategy and its activation. Raises `ConfigurationError` for a file that is none, or a name that is twice."""
    found: dict[str, tuple[Strategy, PlacedEvent]] = {}
    for path in files:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"the strategy file cannot be read: {error.strerror}", where=str(path), todo="check the path"
            ) from None
        strategy = read_strategy(text, str(path))
        if strategy.name in found:
            raise ConfigurationError(
                f"two files define the strategy {strategy.name}", where=str(path), todo="leave one of them out"
            )
        definition = msgspec.json.encode(msgspec.json.decode(text))
        found[strategy.name] = strategy, PlacedEvent(BEGINNING, activation(strategy, definition))
    return [found[name] for name in sorted(found)]


def in_force(placed: Sequence[PlacedEvent], span: Span) -> list[StrategyActivated]:
    """The configurations that counted at an evaluation of the span, by name, then in their order: each that was not withdrawn,
    from the first evaluation after its place up to the place of the next one of its strategy. The same one again is told once."""
    found: dict[tuple[str, str], StrategyActivated] = {}
    until_ms: dict[str, int] = {}
    for each in reversed(placed):
        event = each.event
        assert isinstance(event, StrategyActivated)
        last_ms = min(until_ms.get(event.strategy, span.end_ms - 1), span.end_ms - 1)
        until_ms[event.strategy] = each.effective_at_ms
        if event.enabled and max(each.effective_at_ms + 1, span.start_ms) <= last_ms:
            found.pop((event.strategy, event.event_id), None)  # its first place counts
            found[event.strategy, event.event_id] = event
    oldest_first = list(found.values())[::-1]
    return sorted(oldest_first, key=lambda event: event.strategy)


def activation(strategy: Strategy, definition: bytes) -> StrategyActivated:
    """The record that would put a definition in force."""
    return StrategyActivated(
        event_id=digest("strategy", strategy.name, strategy.version, content_digest(definition), True),
        event_time_ms=0,
        strategy=strategy.name,
        version=strategy.version,
        enabled=True,
        definition=msgspec.Raw(definition),
        activated_by="backtest",
    )


def content_digest(definition: bytes) -> str:
    """What tells two definitions apart."""
    return hashlib.blake2b(definition, digest_size=16).hexdigest()
