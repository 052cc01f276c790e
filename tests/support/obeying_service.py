"""A service of the tests that obeys every command that counts, and answers each."""

import asyncio
from dataclasses import dataclass, field

from libs.contracts.commands import CommandIssued, CommandTarget, answered
from libs.contracts.topics import COMMAND, COMMAND_RESULT
from libs.kit.clock import SystemClock
from libs.kit.errors import BadMessage
from libs.kit.keys import TrustedFolder
from libs.streaming.commands import CommandReader
from libs.streaming.producer import EventProducer
from libs.trading.command_check import CommandRefused, check_command
from libs.trading.commands import Command


@dataclass
class ObeyingService:
    """`obeyed`: what counted, in order; `bad`: how many records nobody could read."""

    bootstrap: str
    keys: TrustedFolder
    target: CommandTarget
    obeyed: list[Command] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    bad: int = 0
    listening: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until cancelled."""
        producer = EventProducer(self.bootstrap, service="test")
        await producer.start()
        try:
            async with CommandReader(self.bootstrap, COMMAND) as commands:
                self.listening.set()
                while True:
                    for record in await commands.poll():
                        await self._take(producer, record.said)
        finally:
            await producer.stop()

    async def _take(self, producer: EventProducer, said: CommandIssued | BadMessage) -> None:
        if isinstance(said, BadMessage):
            self.bad += 1
        elif said.target == self.target:
            await self._obey(producer, said)

    async def _obey(self, producer: EventProducer, event: CommandIssued) -> None:
        now_ms = SystemClock().now_ms()
        found = check_command(event, self.keys, self.nonces, now_ms)
        refused = isinstance(found, CommandRefused)
        if not isinstance(found, CommandRefused):
            self.nonces.add(event.nonce)
            self.obeyed.append(found)
        result = found.sentence if isinstance(found, CommandRefused) else f"{event.command} is done"
        answer = answered(event, result, now_ms, accepted=not refused, details={"nonces": str(len(self.nonces))})
        await producer.send(COMMAND_RESULT, answer, key=answer.command_id, partition=0)
