"""What each fault affected, in the order of happening: in memory for the API, and as JSON lines in the state folder.

An entry about trades names their aggregate ids as ranges, so that a test can compute what must have been lost, doubled or
late, and what not.
"""

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import msgspec

LEDGER_FILE = "faults.jsonl"
_MOST_IN_MEMORY = 100_000


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One effect. `fault` is the fault's number, 0 for what no fault did (connections that came and went).

    `ids`: [first, last] aggregate ids, both inclusive. `times`: event times (ms) of messages that are no trades. `told_ms`: venue
    time up to which the connection had been told all.
    """

    seq: int
    venue_ms: int
    fault: int
    kind: str
    connection: int | None = None
    path: str | None = None
    symbol: str | None = None
    stream: str | None = None
    ids: list[tuple[int, int]] = msgspec.field(default_factory=list)
    times: list[int] = msgspec.field(default_factory=list)
    count: int = 0
    told_ms: int | None = None
    detail: dict[str, Any] = msgspec.field(default_factory=dict)


class Ledger:
    """Appends entries; every line reaches the file before the next message is sent."""

    def __init__(self, folder: Path | None = None) -> None:
        self.entries: deque[Entry] = deque(maxlen=_MOST_IN_MEMORY)
        self._next = 1
        self._file: TextIO | None = None
        if folder is not None:
            path = folder / LEDGER_FILE
            if path.exists():
                with path.open("rb") as old:
                    self._next = 1 + sum(1 for _ in old)
            self._file = path.open("a", buffering=1)

    def add(self, venue_ms: int, fault: int, kind: str, **facts: Any) -> Entry:
        """Append one entry; `facts` are the fields of `Entry`."""
        entry = Entry(seq=self._next, venue_ms=venue_ms, fault=fault, kind=kind, **facts)
        self._next += 1
        self.entries.append(entry)
        if self._file is not None:
            self._file.write(msgspec.json.encode(entry).decode() + "\n")
        return entry

    def after(self, seq: int, limit: int) -> list[Entry]:
        """Up to `limit` entries with a greater number."""
        return [entry for entry in self.entries if entry.seq > seq][:limit]


def ranges(ids: Iterable[int]) -> list[tuple[int, int]]:
    """Ids in any order as ranges, both ends inclusive."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(ids)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
