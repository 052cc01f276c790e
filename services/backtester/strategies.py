"""Strategy files of a request as configurations that count from the beginning of the data."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from libs.contracts.control import StrategyActivated
from libs.contracts.identity import digest
from libs.contracts.timeline import PlacedEvent
from libs.kit.errors import ConfigurationError
from libs.trading.strategy import Strategy, read_strategy

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
