"""The queue between callbacks and Kafka: order, brake, and nothing lost by a cancelled send."""

import asyncio
from collections.abc import Sequence

from libs.contracts.codec import Encoded
from libs.contracts.event import Event
from libs.contracts.market import FeedStatusChanged
from libs.contracts.topics import FEEDSTATUS, Topic
from libs.streaming.ordered import FULL_AT, OrderedPublisher, Outgoing


class Stalling:
    """A publisher that takes nothing while `open` is not set."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.taken: list[str] = []

    async def send(
        self, topic: Topic, event: Event, *, key: str, partition: int, headers: Sequence[tuple[str, bytes]] = ()
    ) -> asyncio.Future[int]:
        await self.open.wait()
        self.taken.append(event.event_id)
        return asyncio.get_running_loop().create_future()

    async def send_encoded(
        self, topic_name: str, encoded: Encoded, *, key: bytes | None, partition: int
    ) -> asyncio.Future[int]:
        raise AssertionError("events only")

    async def flush(self) -> None:
        await self.open.wait()


def outgoing(number: int) -> Outgoing:
    event = FeedStatusChanged(
        event_id=str(number), event_time_ms=1, feed="f", symbol="S", state="silent", detail="", last_event_time_ms=-1
    )
    return Outgoing(FEEDSTATUS, event, "S", 0)


async def test_a_stalled_broker_brakes_the_source_once_and_a_cancelled_send_loses_nothing() -> None:
    stalling, brakes = Stalling(), list[bool]()
    publisher = OrderedPublisher(stalling, brakes.append)
    running = asyncio.create_task(publisher.run())
    for number in range(FULL_AT + 50):
        publisher.put(outgoing(number))
    await asyncio.sleep(0)
    assert brakes == [True]
    room = asyncio.create_task(publisher.room())
    await asyncio.sleep(0)
    assert not room.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    stalling.open.set()
    await publisher.drain()
    await room
    assert brakes == [True, False]
    assert stalling.taken == [str(number) for number in range(FULL_AT + 50)]


async def test_settled_waits_for_what_was_put_before_and_for_kafka() -> None:
    stalling = Stalling()
    publisher = OrderedPublisher(stalling, lambda _: None)
    running = asyncio.create_task(publisher.run())
    publisher.put(outgoing(1))
    settled = asyncio.create_task(publisher.settled())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not settled.done()
    stalling.open.set()
    await asyncio.wait_for(settled, 1)
    assert stalling.taken == ["1"]
    running.cancel()
