"""Which symbols a recording holds: read from its first part, so that nobody has to name them."""

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from libs.kit.errors import ConfigurationError

_IN_MESSAGE = re.compile(rb'"s":"([A-Z0-9]{5,20})"')
_IN_FILE_NAME = re.compile(r"(?:^|[_-])([A-Za-z0-9]{2,15}USD[TC])(?=[_.-]|$)")
_LINES = 20_000
# Nothing says how much a packed file holds: one line can be gigabytes.
_LONGEST_LINE = 1_000_000
_MOST_BYTES = 100_000_000


def symbols_of(recordings: Iterable[Path]) -> tuple[str, ...]:
    """The symbols in the recordings' messages, else in their file names, in order of appearance; () for no recording."""
    found: dict[str, None] = {}
    for path in recordings:
        names = _in_messages(path) or [match.upper() for match in _IN_FILE_NAME.findall(path.name)]
        if not names:
            raise ConfigurationError(
                "the recording does not say which symbol it is of",
                where=f"--recording {path}",
                todo="name it with --symbols",
            )
        found.update(dict.fromkeys(names))
    return tuple(found)


def _in_messages(path: Path) -> list[str]:
    if path.suffix != ".gz":
        return []
    try:
        with gzip.open(path) as file:
            matches = (match for line in _beginning(cast("IO[bytes]", file)) for match in _IN_MESSAGE.findall(line))
            return sorted({match.decode() for match in matches})
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigurationError(
            f"the recording cannot be read: {error}", where=f"--recording {path}", todo="check the file"
        ) from None


def _beginning(file: IO[bytes]) -> Iterator[bytes]:
    """The first lines, in pieces where they are long."""
    read = 0
    for _ in range(_LINES):
        line = file.readline(_LONGEST_LINE)
        read += len(line)
        if not line or read > _MOST_BYTES:
            return
        yield line
