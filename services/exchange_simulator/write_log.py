"""When which trades were handed to the network: for measurements of what comes after it."""

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray


class Written(NamedTuple):
    """One hand-over: the wall clock just before it (µs), and the newest id of each symbol in it."""

    at_us: int
    ids: dict[str, int]


class WriteLog:
    """A JSON line for each hand-over. Raises `OSError` when the file cannot be written."""

    def __init__(self, path: Path, symbols: tuple[str, ...]) -> None:
        self._file = path.open("wb", buffering=1 << 20)
        self._symbols = symbols

    def note(self, at_us: int, index: NDArray[np.integer], ids: NDArray[np.int64]) -> None:
        """These rows, in order, were written at `at_us`."""
        newest = dict(zip(index.tolist(), ids.tolist(), strict=True))
        entry = Written(at_us, {self._symbols[number]: agg_id for number, agg_id in newest.items()})
        self._file.write(msgspec.json.encode(entry) + b"\n")

    def close(self) -> None:
        """Write what waits."""
        self._file.close()


def read_write_log(path: Path) -> list[Written]:
    """The hand-overs of a file that was closed."""
    decode = msgspec.json.Decoder(Written).decode
    return [decode(line) for line in path.read_bytes().splitlines()]
