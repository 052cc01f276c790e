"""Which configuration of each strategy counts, and which counted before: as the recorder found them in the timeline."""

from dataclasses import dataclass

from sqlalchemy import text

from libs.store.engine import ReadSession
from libs.store.instants import milliseconds

# Each partition of the timeline has its own copy of a word.
_WORDS = text("""
SELECT * FROM (
  SELECT DISTINCT ON (event_id) event_id, strategy, version, enabled, definition, activated_by, recorded_at, log_offset
  FROM strategy_activations WHERE CAST(:strategy AS text) IS NULL OR strategy = :strategy
  ORDER BY event_id, recorded_at, log_offset) AS words
ORDER BY recorded_at DESC, log_offset DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class ActivationWord:
    """What was said of a strategy: that this version counts from then on (`enabled`), or none any more."""

    event_id: str
    strategy: str
    version: int
    enabled: bool
    definition: str
    activated_by: str
    recorded_ms: int


async def activation_words(session: ReadSession, strategy: str | None = None, most: int = 1000) -> list[ActivationWord]:
    """Of all strategies or of one, newest first."""
    found = await session.connection.execute(_WORDS, {"strategy": strategy, "most": most})
    return [
        ActivationWord(
            row.event_id,
            row.strategy,
            row.version,
            row.enabled,
            row.definition,
            row.activated_by,
            milliseconds(row.recorded_at),
        )
        for row in found
    ]
