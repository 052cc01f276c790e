"""The commands that were carried out, one JSON line each: all that the trading half remembers over a restart."""

from pathlib import Path
from typing import TextIO

import msgspec

from libs.kit.errors import ConfigurationError
from services.exchange_simulator.trading.commands import AnyCommand

JOURNAL_FILE = "trading_journal.jsonl"


class Journal:
    """`past`: what the file held when it was opened. A line reaches the file before its command is carried out. Without a folder
    nothing outlives the process."""

    def __init__(self, folder: Path | None) -> None:
        self.past: list[AnyCommand] = []
        self._file: TextIO | None = None
        if folder is not None:
            path = folder / JOURNAL_FILE
            self.past = _read(path) if path.exists() else []
            self._file = path.open("a", buffering=1)

    def add(self, command: AnyCommand) -> None:
        if self._file is not None:
            self._file.write(msgspec.json.encode(command).decode() + "\n")


def _read(path: Path) -> list[AnyCommand]:
    """Raises `ConfigurationError` for a file that is no journal. A last line that a crash tore off is taken off."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    decoder = msgspec.json.Decoder(AnyCommand)
    try:
        return [decoder.decode(line) for line in whole.splitlines()]
    except msgspec.DecodeError as error:
        raise ConfigurationError(
            f"the journal of trading cannot be read: {error}",
            where=str(path),
            todo="remove it, and every account begins anew",
        ) from None
