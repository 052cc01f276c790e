"""What a run did wrong, each with its kind, its time and what is known about it."""

from dataclasses import dataclass
from typing import Literal

FindingKind = Literal[
    "duplicate_entry",
    "orphan",
    "lost_fill",
    "invented_fill",
    "wrong_fill",
    "funding",
    "signal_state",
    "bare_position",
    "open_at_the_end",
    "stalled",
    "crashed",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """`at_ms`: venue time; 0 for what was found at the end."""

    kind: FindingKind
    what: str
    at_ms: int = 0
