"""The truth about trading, in the order of happening: every signed request with its answer, every command that was carried out,
every event with the connections that it was handed to. In memory for /sim/trading/ledger, and as JSON lines beside the state."""

from collections import deque
from pathlib import Path
from typing import Any, Literal, TextIO

import msgspec

LEDGER_FILE = "trading.jsonl"
_MOST_IN_MEMORY = 100_000
_LARGEST_FILE = 64_000_000
Kind = Literal["request", "command", "event"]


class Entry(msgspec.Struct, kw_only=True):
    """`at`: venue time, ms. What `facts` hold depends on the kind, see services/exchange_simulator/README.md."""

    seq: int
    at: int
    kind: Kind
    account: str
    facts: dict[str, Any]


class TradingLedger:
    """A full file makes room for a new one and is kept beside it; the one before that goes."""

    def __init__(self, folder: Path | None = None) -> None:
        self.entries: deque[Entry] = deque(maxlen=_MOST_IN_MEMORY)
        self._path = None if folder is None else folder / LEDGER_FILE
        self._file: TextIO | None = None
        self._next = 1
        if self._path is not None:
            if self._path.exists():
                self._next = 1 + _last_number(self._path)
            self._file = self._path.open("a", buffering=1)

    def add(self, at: int, kind: Kind, account: str, facts: dict[str, Any]) -> None:
        """Append one entry; its line reaches the file before anybody is answered or told."""
        entry = Entry(seq=self._next, at=at, kind=kind, account=account, facts=facts)
        self._next += 1
        self.entries.append(entry)
        if self._file is not None and self._path is not None:
            self._file.write(msgspec.json.encode(entry).decode() + "\n")
            if self._next % 1000 == 0 and self._file.tell() > _LARGEST_FILE:
                self._file.close()
                self._path.replace(self._path.with_suffix(".1.jsonl"))
                self._file = self._path.open("a", buffering=1)

    def after(self, seq: int, limit: int) -> list[Entry]:
        """Up to `limit` entries with a greater number."""
        return [entry for entry in self.entries if entry.seq > seq][:limit]


def _last_number(path: Path) -> int:
    """Of the last whole line: one that a crash tore off has no number."""
    found = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                found += 1
    try:
        with path.open("rb") as file:
            return max(found, msgspec.json.decode(file.readline(), type=Entry).seq + found - 1)
    except msgspec.DecodeError:
        return found
