"""The newest mark price of each symbol in memory, from the topic; the database answers for what has not been seen yet."""

import asyncio
import time
from dataclasses import dataclass, field

from libs.contracts.codec import decode
from libs.contracts.market import MarkPriceObserved
from libs.contracts.topics import MARKPRICE
from libs.kit.clock import BELIEVABLE_AHEAD_MS, END_OF_TIME_MS, Clock, SystemClock
from libs.kit.errors import BadMessage, UserError
from libs.kit.logging import get_logger
from libs.kit.service import ServiceContext
from libs.streaming.connection import BrokerError
from libs.streaming.liveness import CHECK_SECONDS, Silence, refused
from libs.streaming.records import Record
from libs.streaming.tail import TailConsumer

LIVE_RATES = "live rates"
_BACK = 600
_POLL_MS = 500
_FRESH_MS = 5_000
_RETRY_SECONDS = 1.0


@dataclass(slots=True)
class LiveRates:
    """The newest observation by symbol (greatest venue time); `following` is false while Kafka is away or hangs.

    `real_time`: the venue's clock runs as fast as ours. A recording played faster may be ahead of it, and is believed.
    """

    newest: dict[str, MarkPriceObserved] = field(default_factory=dict)
    following: bool = False
    clock: Clock = field(default_factory=SystemClock)
    real_time: bool = True
    _trouble: str | None = "the newest rates have not been read yet"
    _refused: str | None = None
    _answered_ms: int = 0
    _silence: Silence = field(default_factory=Silence)

    def latest_believable_ms(self) -> int:
        """The latest venue time (ms) that an observation can have: a later one would be the newest for ever."""
        return self.clock.now_ms() + BELIEVABLE_AHEAD_MS if self.real_time else END_OF_TIME_MS

    def take(self, record: Record) -> None:
        """Keep what the record says if it is newer. Undecodable records are the sequencer's to report."""
        try:
            event = decode(record.value, record.headers, (MarkPriceObserved,))
        except BadMessage as error:
            get_logger("gateway").debug("record left out", place=record.place, why=str(error))
            return
        if isinstance(event, MarkPriceObserved):
            if event.event_time_ms > self.latest_believable_ms():
                get_logger("gateway").warning("rate from the future left out", place=record.place, symbol=event.symbol)
                return
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
                        self._answered_ms = tail.answered_ms
                        # Ready with the newest values, not with the first of the backlog, nor with no answer at all.
                        current = not batch or batch[-1].timestamp_ms >= self.clock.now_ms() - _FRESH_MS
                        if self._answered_ms and current:
                            self._trouble = None
                        self._say(context)
            except (UserError, BrokerError) as error:
                self._trouble = str(error)
                self._say(context)
                await asyncio.sleep(_RETRY_SECONDS)

    async def watch(self, bootstrap: str, context: ServiceContext) -> None:
        """Say once a second whether Kafka answers `follow`, which itself may wait for a broker that hangs. Never returns.

        Judged by answers, not by mark prices: a market may be silent or over, and the API is as good as before.
        """
        while True:
            self._refused = await refused(bootstrap)
            self._say(context)
            await asyncio.sleep(CHECK_SECONDS)

    def _say(self, context: ServiceContext) -> None:
        why = self._refused or self._trouble or self._silence.why(self._answered_ms, time.monotonic())
        self.following = why is None
        if why is None:
            context.fulfil(LIVE_RATES)
        else:
            context.miss(LIVE_RATES, why)
