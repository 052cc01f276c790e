"""A slow input without an engine around it."""

from decimal import Decimal
from typing import NamedTuple


class FakeReading(NamedTuple):
    """A value and the instant (ms) it describes."""

    value: Decimal
    as_of_ms: int
