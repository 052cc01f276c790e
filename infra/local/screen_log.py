"""Prefixed, coloured log lines of many processes in one terminal, in honcho's format."""

import os
import sys
from datetime import UTC, datetime
from typing import TextIO

from honcho.printer import Message, Printer

_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
SYSTEM = "perpstream"


class ScreenLog:
    """Prints lines as `HH:MM:SS name | text`; each name keeps its colour. NO_COLOR and pipes get plain text."""

    def __init__(self, names: list[str], output: TextIO | None = None) -> None:
        self._colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}
        width = max(len(name) for name in [SYSTEM, *names])
        self._printer = Printer(
            output or sys.stdout, time_format="%H:%M:%SZ", width=width, colour="NO_COLOR" not in os.environ
        )

    def line(self, name: str, text: str) -> None:
        """Print one line of one process."""
        self._printer.write(Message("line", text or " ", datetime.now(UTC), name, self._colours.get(name)))

    def system(self, text: str) -> None:
        """Print a line of the supervisor itself."""
        self._printer.write(Message("line", text, datetime.now(UTC), SYSTEM, "1"))
