"""What the guard says, on its topics: of its state only the newest waits for a broker, alerts and answers until it has them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.contracts.commands import CommandAnswered
from libs.contracts.event import Event
from libs.contracts.topics import ALERT, COMMAND_RESULT, RISK_STATE, Topic
from libs.contracts.trading import AlertRaised, RiskStateChanged
from libs.streaming.producer import Publisher

_TOPICS: dict[type[Event], tuple[Topic, Callable[[Any], str]]] = {
    RiskStateChanged: (RISK_STATE, lambda event: str(event.account)),
    AlertRaised: (ALERT, lambda event: str(event.event_id)),
    CommandAnswered: (COMMAND_RESULT, lambda event: str(event.command_id)),
}


@dataclass(slots=True)
class GuardOutlet:
    """`on_sent` hears of each event that a broker has. One record is under way at a time, so that a broker that comes back gets
    the state of now and not an hour of old ones."""

    on_sent: Callable[[Event], None] = lambda event: None
    _waiting: dict[tuple[str, str], Event] = field(default_factory=dict)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            topic, key_of = _TOPICS[type(event)]
            self._waiting[topic.name, key_of(event) if topic.cleanup == "compact" else event.event_id] = event
        self._more.set()

    async def run(self, producer: Publisher) -> None:
        """Send until cancelled. Raises what the broker's client raises for a record that cannot be delivered."""
        while True:
            while self._waiting:
                place = next((one for one in self._waiting if one[0] == RISK_STATE.name), None) or next(
                    iter(self._waiting)
                )
                event = self._waiting[place]
                topic, key_of = _TOPICS[type(event)]
                await (await producer.send(topic, event, key=key_of(event), partition=0))
                if self._waiting.get(place) is event:
                    del self._waiting[place]
                self.on_sent(event)
            self._more.clear()
            await self._more.wait()
