"""The signals that were published, as they were recorded."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import text

from libs.contracts.codec import decode_as
from libs.contracts.signals import SignalScored
from libs.store.engine import Engine, read_session

_SIGNALS = text(
    "SELECT content::text FROM signal_logs WHERE event_time >= :start AND event_time < :stop"
    " AND (:every OR symbol = ANY(:symbols)) ORDER BY event_time, symbol, strategy, version"
)


async def recorded_signals(
    engine: Engine, start: dt.datetime, stop: dt.datetime, symbols: Sequence[str] = ()
) -> list[SignalScored]:
    """All in [start, stop), UTC, in order of time, symbol and strategy; of all symbols when none is named.

    Raises `BadMessage` for a row that is no signal.
    """
    asked = {"start": start, "stop": stop, "every": not symbols, "symbols": list(symbols)}
    async with read_session(engine) as session:
        rows = (await session.connection.execute(_SIGNALS, asked)).scalars().all()
    return [decode_as(SignalScored, row.encode()) for row in rows]
