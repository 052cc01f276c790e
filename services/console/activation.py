"""Strategy files: checked, and activated in the log when what they say differs from the last activation."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from libs.contracts.codec import decode
from libs.contracts.control import StrategyActivated
from libs.contracts.identity import digest
from libs.contracts.topics import STRATEGY_CONTROL
from libs.streaming.producer import EventProducer
from libs.streaming.records import LogReader
from libs.trading.strategy import Strategy
from services.console.strategy_files import read_files, strategy_files

ACTIVATED_BY = "perpstream up"


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
