"""The base of every event and the registry of schemas.

An event's value is a pure function of what happened: wall-clock readings of our own processes travel in headers
(`observed-at`), so that a replay produces the same bytes.
"""

from typing import ClassVar, Literal

import msgspec

ContentType = Literal["application/json", "application/msgpack"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact (past tense) or a command (imperative).

    `SCHEMA` is "name/version". `event_id` is deterministic: the same fact has the same id in every replay. `event_time_ms`
    is the venue's time, milliseconds since the epoch (UTC). `POSITIVE` names numbers that are above zero in every such fact
    (see `libs.contracts.plausible`).
    """

    SCHEMA: ClassVar[str] = ""
    CONTENT_TYPE: ClassVar[ContentType] = "application/json"
    POSITIVE: ClassVar[frozenset[str]] = frozenset()

    event_id: str
    event_time_ms: int


def schemas() -> dict[str, type[Event]]:
    """Every schema by "name/version", of the event modules imported so far; `libs.contracts.topics` imports all of them."""
    return {kind.SCHEMA: kind for kind in Event.__subclasses__()}
