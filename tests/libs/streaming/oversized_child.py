"""Sends a record that no broker takes, with the default failure rule."""

import asyncio
import sys
from pathlib import Path

from libs.contracts.codec import Encoded
from libs.streaming.producer import EventProducer


async def main(bootstrap: str, topic: str) -> None:
    producer = EventProducer(bootstrap, service="test")
    await producer.start()
    await producer.send_encoded(topic, Encoded(b"x" * 2_000_000, []), key=None, partition=0)


asyncio.run(main(*sys.argv[2:]))
Path(sys.argv[1]).write_text("survived")
