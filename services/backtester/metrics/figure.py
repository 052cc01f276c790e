"""One figure of a report: its value, or the reason why there is none, and its confidence band."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CENT = 0.01
"""An account below it has nothing left: returns on such sums mean nothing."""
_DIGITS = 10


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is None where it cannot be known, and `reason` says why. `low` and `high`: the 90 % bootstrap band, None
    without one (an open end is None too)."""

    value: float | None
    reason: str = ""
    low: float | None = None
    high: float | None = None


def stable(value: float) -> float:
    """The value to ten significant digits: beyond them logarithms and long sums differ between machines, and a report's
    hash must not. Raises `ValueError` for what is no number: such a figure has a reason instead."""
    if not math.isfinite(value):
        raise ValueError(f"a figure cannot be {value}")
    return float(f"{value:.{_DIGITS}g}")


def known(value: float) -> Figure:
    return Figure(value=stable(value))


def unknown(reason: str) -> Figure:
    return Figure(value=None, reason=reason)


def ratio(numerator: float, denominator: float, reason: str) -> Figure:
    """The quotient; unknown for that reason where the denominator is 0."""
    return known(numerator / denominator) if denominator else unknown(reason)


def banded(figure: Figure, band: tuple[float | None, float | None]) -> Figure:
    """The figure with its band; an unknown one stays without."""
    if figure.value is None:
        return figure
    low, high = (None if end is None else stable(end) for end in band)
    return msgspec.structs.replace(figure, low=low, high=high)
