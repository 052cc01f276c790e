"""Questions about one signal: the signal itself by the beginning of its id, its evaluation, and its neighbours."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import text

from libs.store.engine import ReadSession
from libs.store.instants import instant, milliseconds

# Ids are hexadecimal digits, so that everything that begins with one lies between it and it with a "g" behind, in any collation.
_BEGINNING = text(
    "SELECT content FROM signal_logs WHERE event_id >= :first AND event_id < :last ORDER BY event_id LIMIT :most"
)
_EVALUATION = text("SELECT content FROM signal_indicators WHERE symbol = :symbol AND event_time = :at")
_BEFORE = text("""
SELECT content FROM signal_logs WHERE strategy = :strategy AND symbol = :symbol AND event_time < :at
ORDER BY event_time DESC, event_id DESC LIMIT 1
""")
_AFTER = text("""
SELECT content FROM signal_logs WHERE strategy = :strategy AND symbol = :symbol AND event_time > :at
ORDER BY event_time, event_id LIMIT 1
""")
_CONFIGURATION = text("""
SELECT definition, activated_by, recorded_at, watermarks ->> :symbol AS watermark FROM strategy_activations
WHERE strategy = :strategy AND version = :version AND enabled AND (watermarks = '{}'::jsonb OR watermarks ->> :symbol IS NOT NULL)
ORDER BY recorded_at, log_offset LIMIT 1
""")
Content = dict[str, Any]


class StoredConfiguration(NamedTuple):
    """A configuration as the timeline had it: `watermark_ms` is the symbol's at its place (None: it had none yet), so that it
    counts for later evaluations. `recorded_ms`: when the recorder wrote it."""

    definition: bytes
    activated_by: str
    recorded_ms: int
    watermark_ms: int | None


async def signals_beginning(session: ReadSession, beginning: str, most: int) -> list[Content]:
    """The first `most` signals whose id begins with these hexadecimal digits, each as its event was."""
    wanted = {"first": beginning, "last": f"{beginning}g", "most": most}
    return [row.content for row in await session.connection.execute(_BEGINNING, wanted)]


async def evaluation_of(session: ReadSession, symbol: str, time_ms: int) -> Content | None:
    """The feature row of a symbol at an evaluation, as its event was; None when it is not stored."""
    found = await session.connection.execute(_EVALUATION, {"symbol": symbol, "at": instant(time_ms)})
    content: Content | None = found.scalar_one_or_none()
    return content


async def configuration_of(session: ReadSession, signal: Mapping[str, Any]) -> StoredConfiguration | None:
    """The first place of a signal's strategy and version in the timeline of its symbol; None when the table has none."""
    wanted = {name: signal[name] for name in ("strategy", "version", "symbol")}
    row = (await session.connection.execute(_CONFIGURATION, wanted)).one_or_none()
    if row is None:
        return None
    watermark = None if row.watermark is None else int(row.watermark)
    return StoredConfiguration(row.definition.encode(), row.activated_by, milliseconds(row.recorded_at), watermark)


async def neighbours(session: ReadSession, signal: Mapping[str, Any]) -> tuple[Content | None, Content | None]:
    """The signals of the same strategy and symbol before and after this one."""
    place = {
        "strategy": signal["strategy"],
        "symbol": signal["symbol"],
        "at": instant(signal["event_time_ms"]),
    }
    before = (await session.connection.execute(_BEFORE, place)).scalar_one_or_none()
    after = (await session.connection.execute(_AFTER, place)).scalar_one_or_none()
    return before, after
