"""The stream's memory and who fills it: followers of the topics without a group, which wait for a broker that is away."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.contracts.codec import decode
from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE
from libs.kit.codes import random_id
from libs.kit.errors import BadMessage, UserError
from libs.kit.logging import get_logger
from libs.streaming.connection import BrokerError
from libs.streaming.records import Record
from libs.streaming.tail import FROM_BEGINNING, TailConsumer
from services.gateway.live_rates import LiveRates
from services.gateway.stream_bars import Bars
from services.gateway.stream_facts import RECENT, WHOLE, fact_of, new_channels, text_of
from services.gateway.stream_items import Following, MinuteBar
from services.gateway.stream_memory import Channel, Item, Waking
from services.gateway.stream_messages import ChannelName

_BACK = 300
_POLL_MS = 500
_RETRY_SECONDS = 1.0
_TOLD_SECONDS = 1.0
_BARS_KEPT = 2


@dataclass(slots=True)
class StreamFeed:
    """What all clients share. `epoch`: of this memory, whose sequences begin anew with each start of the gateway."""

    epoch: str = field(default_factory=lambda: random_id()[:16])
    channels: dict[ChannelName, Channel] = field(default_factory=new_channels)
    waking: Waking = field(default_factory=Waking)
    _bars: Bars = field(default_factory=Bars)
    _seen: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    _told: Following | None = None

    def take(self, records: Sequence[Record]) -> None:
        """Records in their order; clients are woken once for all of them."""
        changed: set[ChannelName] = set()
        for record in records:
            if self._is_new(record):
                changed |= self._take(record)
        self.waking.wake(changed)

    def _is_new(self, record: Record) -> bool:
        """Whoever connects again reads some records again; those of a log that was made anew are younger."""
        place, now = (record.topic, record.partition), (record.offset, record.timestamp_ms)
        offset, timestamp_ms = self._seen.get(place, (-1, -1))
        if record.offset <= offset and record.timestamp_ms <= timestamp_ms:
            return False
        self._seen[place] = now
        return True

    def _take(self, record: Record) -> set[ChannelName]:
        """The channels that it changes. What nobody can read is the recorder's and sequencer's to report."""
        try:
            event = decode(record.value, record.headers)
            if isinstance(event, AggTradeFrame):
                return self._take_bars(self._bars.take(event))
        except BadMessage as error:
            get_logger("gateway").debug("record left out", place=record.place, why=str(error))
            return set()
        fact = fact_of(event)
        if fact is None:
            return set()
        return {fact.channel} if self.channels[fact.channel].put(fact.key, fact.item) else set()

    def _take_bars(self, bars: Sequence[MinuteBar]) -> set[ChannelName]:
        """A key for this minute and one for the one before, so that the last state of a minute is not lost to the next."""
        for bar in bars:
            key = f"{bar.symbol}:{bar.open_time_ms // 60_000 % _BARS_KEPT}"
            self.channels["trades"].put(key, Item(text_of(bar), bar.symbol))
        return {"trades"} if bars else set()

    async def run(self, bootstrap: str, live: LiveRates) -> None:
        """Follow, and tell whether Kafka is heard, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.follow(bootstrap))
            group.create_task(self.tell(live))

    async def follow(self, bootstrap: str) -> None:
        """Read for ever; a broker that is away is waited for."""
        recent = [topic.name for topic in RECENT]
        whole = [topic.name for topic in WHOLE]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(bootstrap, [AGGTRADE.name], 0))
            group.create_task(self._follow(bootstrap, recent, _BACK))
            group.create_task(self._follow(bootstrap, whole, FROM_BEGINNING))

    async def _follow(self, bootstrap: str, topics: Sequence[str], back: int) -> None:
        while True:
            try:
                async with TailConsumer(bootstrap, topics, back=back) as tail:
                    while True:
                        self.take(await tail.poll(_POLL_MS))
            except (UserError, BrokerError) as error:
                get_logger("gateway").debug("the stream's topics cannot be read", topics=topics, why=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def tell(self, live: LiveRates) -> None:
        """Say in the channel `status` whether Kafka is heard, for ever."""
        while True:
            self.say(live.following)
            await asyncio.sleep(_TOLD_SECONDS)

    def say(self, following: bool) -> None:
        """Whether Kafka is heard now."""
        now = Following(following=following, detail="" if following else "Kafka is not heard: nothing here is news")
        if now != self._told:
            self._told = now
            self.channels["status"].put("kafka", Item(text_of(now)))
            self.waking.wake(["status"])
