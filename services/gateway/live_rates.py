"""The newest mark price of each symbol in memory, from the topic; the database answers for what has not been seen yet."""

import asyncio
from dataclasses import dataclass, field

from libs.contracts.codec import decode
from libs.contracts.market import MarkPriceObserved
from libs.contracts.topics import MARKPRICE
from libs.kit.clock import Clock, SystemClock
from libs.kit.errors import BadMessage, UserError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.streaming.connection import BrokerError
from libs.streaming.records import Record
from libs.streaming.tail import TailConsumer

LIVE_RATES = "live rates"
_BACK = 600
_POLL_MS = 500
_FRESH_MS = 5_000
_RETRY_SECONDS = 1.0


@dataclass(slots=True)
class LiveRates:
    """The newest observation by symbol (greatest venue time); `following` is false while Kafka is away."""

    newest: dict[str, MarkPriceObserved] = field(default_factory=dict)
    following: bool = False
    clock: Clock = field(default_factory=SystemClock)

    def take(self, record: Record) -> None:
        """Keep what the record says if it is newer. Undecodable records are the sequencer's to report."""
        try:
            event = decode(record.value, record.headers, (MarkPriceObserved,))
        except BadMessage as error:
            get_logger("gateway").debug("record left out", place=record.place, why=str(error))
            return
        if isinstance(event, MarkPriceObserved):
            known = self.newest.get(event.symbol)
            if known is None or event.event_time_ms >= known.event_time_ms:
                self.newest[event.symbol] = event

    async def follow(self, bootstrap: str, context: ServiceContext) -> None:
        """Follow the topic until the service stops; Kafka's absence is waited for, the API goes on with what it has."""
        while not context.stopping.is_set():
            try:
                async with TailConsumer(bootstrap, [MARKPRICE.name], back=_BACK) as tail:
                    while not context.stopping.is_set():
                        batch = await tail.poll(_POLL_MS)
                        for record in batch:
                            self.take(record)
                        # Ready with the newest values, not with the first of the backlog.
                        if not batch or batch[-1].timestamp_ms >= self.clock.now_ms() - _FRESH_MS:
                            self.following = True
                            context.fulfil(LIVE_RATES)
            except (UserError, BrokerError) as error:
                self.following = False
                context.miss(LIVE_RATES, str(error))
                await asyncio.sleep(_RETRY_SECONDS)
