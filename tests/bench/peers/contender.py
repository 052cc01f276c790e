"""What every side of the comparison is: a name, its rows, and rounds of which only the work is timed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from libs.indicators.kernel import LogRows
from tests.bench.bench_kernel import EVALUATION_MS

PRICE_DECIMALS, QUANTITY_DECIMALS = 1, 3
CVD_TOLERANCE = 10**-QUANTITY_DECIMALS / 2
"""Less than the smallest quantity, so that integers and sums of floats can be told apart from a trade too many."""
VWAP_TOLERANCE = 1e-9
"""Relative, of what floats may lose over a run; a missing trade moves a VWAP far more."""
Reading = list[tuple[float, float]]
"""CVD (base units) and VWAP (quote units) of each window at the last edge, shortest window first."""


@dataclass(frozen=True, slots=True)
class Contender:
    """`prepare` sets up one round, untimed, and returns the work that is timed. `goal`: how many times slower than the kernel
    it is expected to be at least, None where nothing is. `clock`: "wall" where it has several threads."""

    name: str
    rows: int
    prepare: Callable[[], Callable[[], Reading]]
    clock: Literal["processor", "wall"] = "processor"
    goal: int | None = None


class Spent(NamedTuple):
    """Seconds of one round: of this thread's processor, and by the wall."""

    processor: float
    wall: float


class Floats(NamedTuple):
    """Trades in units that people use, one array a column: ms, quote units, base units, whether a taker sold."""

    time_ms: NDArray[np.int64]
    price: NDArray[np.float64]
    quantity: NDArray[np.float64]
    sold: NDArray[np.bool_]


def floats_of(rows: LogRows) -> Floats:
    """The same trades for those who do not calculate with integers."""
    price, quantity = rows.price / 10**PRICE_DECIMALS, rows.quantity / 10**QUANTITY_DECIMALS
    return Floats(rows.time, price, quantity, rows.kind == 1)


def first_edge(rows: LogRows) -> int:
    """The first 15 s edge after the first trade (ms)."""
    return (int(rows.time[0]) // EVALUATION_MS + 1) * EVALUATION_MS


def timed(contender: Contender) -> tuple[Spent, Reading]:
    """One round."""
    work = contender.prepare()
    wall, processor = time.perf_counter(), time.thread_time()
    reading = work()
    return Spent(time.thread_time() - processor, time.perf_counter() - wall), reading


def agree(name: str, reading: Reading, expected: Reading) -> None:
    """Both sides computed the same thing. Raises `SystemExit` that names both values where they did not."""
    if len(reading) != len(expected):
        raise SystemExit(f"{name} read {len(reading)} windows, the kernel {len(expected)}")
    for number, ((cvd, vwap), (our_cvd, our_vwap)) in enumerate(zip(reading, expected, strict=True), 1):
        if not abs(cvd - our_cvd) < CVD_TOLERANCE:
            raise SystemExit(f"window {number}: {name} says a CVD of {cvd!r}, the kernel {our_cvd!r}")
        if not abs(vwap - our_vwap) <= VWAP_TOLERANCE * our_vwap:
            raise SystemExit(f"window {number}: {name} says a VWAP of {vwap!r}, the kernel {our_vwap!r}")
