"""Events on their topics, in the order in which they were told; of what only the newest counts, the newest alone waits."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.contracts.commands import CommandAnswered
from libs.contracts.event import Event
from libs.contracts.topics import ALERT, COMMAND_RESULT, EXECUTOR, ORDER, POSITION, TRADE, Topic
from libs.contracts.trading import AlertRaised, ExecutorReported, LiveTradeChanged, OrderChanged, PositionChanged
from libs.streaming.producer import Publisher

_Key = Callable[[Any], str]
_TOPICS: dict[type[Event], tuple[Topic, _Key]] = {
    OrderChanged: (ORDER, lambda event: str(event.client_order_id)),
    LiveTradeChanged: (TRADE, lambda event: str(event.trade_id)),
    PositionChanged: (POSITION, lambda event: f"{event.account}:{event.symbol}"),
    ExecutorReported: (EXECUTOR, lambda event: str(event.account)),
    CommandAnswered: (COMMAND_RESULT, lambda event: str(event.command_id)),
    AlertRaised: (ALERT, lambda event: str(event.event_id)),
}


@dataclass(slots=True)
class KafkaOutlet:
    """Keeps what is told until a broker takes it. `run` sends; before it runs, and while the broker is away, things wait."""

    _waiting: dict[tuple[str, str], tuple[Topic, str, Event]] = field(default_factory=dict)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            topic, key_of = _TOPICS[type(event)]
            key = key_of(event)
            place = (topic.name, key if topic.cleanup == "compact" else event.event_id)
            self._waiting.pop(place, None)
            self._waiting[place] = (topic, key, event)
        self._more.set()

    async def run(self, producer: Publisher) -> None:
        """Send until cancelled."""
        while True:
            while self._waiting:
                place = next(iter(self._waiting))
                topic, key, event = self._waiting[place]
                await producer.send(topic, event, key=key, partition=0)
                if self._waiting.get(place, (None, None, None))[2] is event:
                    del self._waiting[place]
            self._more.clear()
            await self._more.wait()
