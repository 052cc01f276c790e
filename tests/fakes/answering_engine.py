"""An engine that only answers activations, beside a test: the timeline moves while it lives, as with a sequencer."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from libs.contracts.control import StrategyActivated, StrategyAnswered
from libs.contracts.timeline import TimelineHeartbeat
from libs.contracts.topics import STRATEGY_ANSWER, STRATEGY_CONTROL, TIMELINE
from libs.streaming.producer import EventProducer
from tests.golden.samples import sample
from tests.services.ingest_stack import events_of


@contextmanager
def answering(bootstrap: str, refused: Mapping[str, str]) -> Iterator[None]:
    """Meanwhile each new activation is taken, or refused with these words, for partition 0."""
    ready, stop = threading.Event(), threading.Event()
    engine = threading.Thread(target=lambda: asyncio.run(_answer(bootstrap, refused, ready, stop)))
    engine.start()
    try:
        assert ready.wait(30), "the engine does not begin"
        yield
    finally:
        stop.set()
        engine.join()


async def _answer(bootstrap: str, refused: Mapping[str, str], ready: threading.Event, stop: threading.Event) -> None:
    producer = EventProducer(bootstrap, service="test")
    await producer.start()
    met = len(await events_of(bootstrap, STRATEGY_CONTROL))
    ready.set()
    while not stop.is_set():
        await producer.send(TIMELINE, sample(TimelineHeartbeat), key="beat", partition=0)
        for place, event in enumerate((await events_of(bootstrap, STRATEGY_CONTROL))[met:], start=met):
            assert isinstance(event, StrategyActivated)
            why, met = refused.get(event.strategy, ""), place + 1
            answer = StrategyAnswered(
                event_id=f"answer:{place}",
                event_time_ms=0,
                strategy=event.strategy,
                version=event.version,
                activation_id=event.event_id,
                taken=not why,
                partition=0,
                offset=place,
                reason=why,
            )
            await producer.send(STRATEGY_ANSWER, answer, key=event.strategy, partition=0)
    await producer.stop()
