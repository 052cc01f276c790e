"""Strategy files: checked, and activated in the log when what they say differs from the last activation."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from libs.contracts.codec import decode
from libs.contracts.control import StrategyActivated
from libs.contracts.identity import digest
from libs.contracts.topics import STRATEGY_CONTROL
from libs.kit.errors import ConfigurationError
from libs.kit.settings import SettingsGroup, load_settings
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader
from libs.trading.strategy import Strategy, read_strategy

ACTIVATED_BY = "perpstream up"


class StrategySettings(SettingsGroup):
    """Where the strategy files are."""

    strategies_dir: Path = Path("strategies")


def strategies_dir() -> Path:
    """The folder of PERPSTREAM_STRATEGIES_DIR, by default `strategies`."""
    return load_settings(StrategySettings).strategies_dir


def strategy_files(folder: Path) -> list[Path]:
    """The strategy files of a folder by name; raises `ConfigurationError` when there are none."""
    files = sorted(path for path in folder.glob("*.json") if path.name != "schema.json")
    if not files:
        raise ConfigurationError(
            "there is no strategy file", where=str(folder), todo="set PERPSTREAM_STRATEGIES_DIR to the folder of *.json"
        )
    return files


def read_files(files: Sequence[Path]) -> dict[Path, Strategy]:
    """Every file as a validated strategy; raises `ConfigurationError` for an unreadable or wrong file, or a doubled name."""
    strategies: dict[Path, Strategy] = {}
    for path in files:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"the strategy file cannot be read: {error.strerror}", where=str(path), todo="check the path"
            ) from None
        strategy = read_strategy(text, str(path))
        if any(other.name == strategy.name for other in strategies.values()):
            raise ConfigurationError(
                f"two files define the strategy {strategy.name}", where=str(path), todo="rename one of them"
            )
        strategies[path] = strategy
    return strategies


def activation_of(strategy: Strategy, text: bytes) -> StrategyActivated:
    """The record that puts this file in force. Equal files give equal records: it carries no clock (its time is 0)."""
    definition = msgspec.json.encode(msgspec.json.decode(text))
    return _activation(strategy.name, strategy.version, definition, enabled=True)


def changes(wanted: Sequence[StrategyActivated], log: Sequence[StrategyActivated]) -> list[StrategyActivated]:
    """What must be appended so that the log's last word on each strategy is the wanted one; what is gone is withdrawn."""
    last = {event.strategy: event for event in log}
    news = [event for event in wanted if last.get(event.strategy) != event]
    names = {event.strategy for event in wanted}
    gone = [event for name, event in sorted(last.items()) if name not in names and event.enabled]
    return news + [_activation(e.strategy, e.version, bytes(e.definition), enabled=False) for e in gone]


async def publish_strategies(bootstrap: str, folder: Path) -> str:
    """Bring control.strategy.v1 up to date with the folder; returns one line for the log. Doing it twice adds nothing."""
    wanted = [activation_of(item, path.read_bytes()) for path, item in read_files(strategy_files(folder)).items()]
    news = changes(wanted, await _activations(bootstrap))
    if news:
        producer = EventProducer(bootstrap, service="console")
        await producer.start()
        for event in news:
            await producer.send(STRATEGY_CONTROL, event, key=event.strategy, partition=0)
        await producer.stop()
    names = ", ".join(f"{event.strategy}/{event.version}" for event in wanted)
    return f"strategies {names}; {len(news)} changes published"


async def _activations(bootstrap: str) -> list[StrategyActivated]:
    async with LogReader(bootstrap) as log:
        end = await log.end(STRATEGY_CONTROL.name, 0)
        events = [
            decode(record.value, record.headers, STRATEGY_CONTROL.events)
            async for batch in log.range(STRATEGY_CONTROL.name, 0, 0, end)
            for record in batch
        ]
    return [event for event in events if isinstance(event, StrategyActivated)]


def _activation(name: str, version: int, definition: bytes, *, enabled: bool) -> StrategyActivated:
    content = hashlib.blake2b(definition, digest_size=16).hexdigest()
    return StrategyActivated(
        event_id=digest("strategy", name, version, content, enabled),
        event_time_ms=0,
        strategy=name,
        version=version,
        enabled=enabled,
        definition=msgspec.Raw(definition),
        activated_by=ACTIVATED_BY,
    )
