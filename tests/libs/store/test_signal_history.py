"""Recorded signals come back as they were published: a drift check compares bytes."""

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from libs.contracts.codec import encode, encode_value
from libs.contracts.signals import SignalScored
from libs.store.engine import write_session
from libs.store.instants import instant
from libs.store.signal_history import recorded_signals
from libs.store.signals import Stored, write_signals
from tests.services.backtester.test_drift import signal


def published() -> list[SignalScored]:
    """Real signals of two symbols, with numbers that a database might be tempted to write in another way."""
    odd = {"5m": 1.0, "30m": 1e-7, "4h": 0.1 + 0.2}
    first, second, third = signal(0), signal(1), signal(2)
    return [
        msgspec.structs.replace(first, score=75.0, coverage=first.coverage | odd),
        msgspec.structs.replace(second, symbol="ETHUSDT"),
        third,
    ]


async def test_what_was_recorded_comes_back_byte_for_byte(engine: AsyncEngine) -> None:
    events = published()
    rows = [Stored(event, encode(event).value, f"signals:0:{place}") for place, event in enumerate(events)]
    async with write_session(engine) as session:
        await write_signals(session, rows)
    start, stop = instant(events[0].event_time_ms), instant(events[2].event_time_ms)
    found = await recorded_signals(engine, start, stop)
    assert [encode_value(event) for event in found] == [encode_value(event) for event in events[:2]]
    assert [event.symbol for event in await recorded_signals(engine, start, stop, ["ETHUSDT"])] == ["ETHUSDT"]
    assert await recorded_signals(engine, start, start) == []
