"""What PostgreSQL tells of people whose rights have changed, whoever changed them: the triggers of the tables notify `people`."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from libs.store.engine import Engine, explained

CHANNEL = "people"
_STILL_THERE = text("SELECT 1")
_CHECK_SECONDS, _ANSWER_SECONDS = 2.0, 5.0


async def follow_people(engine: Engine, changed: Callable[[str], None], listening: Callable[[bool], None]) -> None:
    """Call `changed` with the id of each person whose rights have changed, from when `listening(True)` was called until
    `listening(False)`. Returns never; raises `UnreachableError` and `TimeoutError` when the connection is lost, after
    `listening(False)`. The engine needs one connection for this alone.
    """

    def told(_: Any, __: int, ___: str, payload: Any) -> None:
        changed(str(payload))

    async with explained(engine), engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        raw = (await alone.get_raw_connection()).driver_connection
        assert raw is not None, "a connection that is open"
        await raw.add_listener(CHANNEL, told)
        try:
            listening(True)
            while True:
                await asyncio.sleep(_CHECK_SECONDS)
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await alone.execute(_STILL_THERE)
        finally:
            listening(False)
            await connection.invalidate()
