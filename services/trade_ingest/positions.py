"""Which symbols somebody holds a position in, from trading.position.v1: what is missing of theirs is asked for first."""

import asyncio

from libs.contracts.codec import decode
from libs.contracts.topics import POSITION
from libs.contracts.trading import PositionChanged
from libs.kit.errors import BadMessage, UserError
from libs.kit.logging import get_logger
from libs.streaming.records import Record
from libs.streaming.tail import FROM_BEGINNING, TailConsumer

RETRY_SECONDS = 30.0


class OpenPositions:
    """The topic holds the latest state of each position, so its whole content is what is open now.

    Without it (no topic, no broker) no symbol comes before another; trades are complete all the same.
    """

    def __init__(self) -> None:
        self._open: dict[bytes, str] = {}

    def symbols(self) -> frozenset[str]:
        """The symbols of every account's open positions."""
        return frozenset(self._open.values())

    def absorb(self, record: Record) -> None:
        """One record, newest last; a deleted position is none, and one that cannot be read leaves what was known."""
        key = record.key or b""
        try:
            event = decode(record.value, record.headers, POSITION.events) if record.value else None
        except BadMessage as error:
            get_logger("positions").warning("a position cannot be read", place=record.place, reason=error.reason)
            return
        if isinstance(event, PositionChanged) and event.quantity:
            self._open[key] = event.symbol
        else:
            self._open.pop(key, None)

    async def follow(self, bootstrap: str) -> None:
        """Read until cancelled."""
        while True:
            try:
                async with TailConsumer(bootstrap, [POSITION.name], back=FROM_BEGINNING) as tail:
                    async for record in tail:
                        self.absorb(record)
            except UserError as error:
                get_logger("positions").warning("open positions are not known", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
