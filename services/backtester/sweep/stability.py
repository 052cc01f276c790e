"""Whether the best is a plateau or a spike: bins of each parameter, pairs of them, and what a configuration's neighbours earn."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from services.backtester.sweep.results import Row
from services.backtester.sweep.search import merit
from services.backtester.sweep.space import Axis, Space, Value

MOST_VALUES = 12
"""A list of more values is binned as numbers without steps are."""
BINS = 8
NEAR = 0.15
"""How far a neighbour may be on an axis without steps, as a share of it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Configurations of one bin, or of two bins that meet: how many, and the median and the best of their figure."""

    count: int
    median: float
    best: float


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Configurations at most one step (or a share of 0.15) away on every axis, without itself; None without any."""

    count: int
    median: float | None


def labels(axis: Axis) -> tuple[str, ...]:
    """The names of an axis' bins, in order."""
    listed = axis.listed()
    if listed is not None and len(listed) <= MOST_VALUES:
        return tuple(_text(value) for value in listed)
    edges = [axis.at(place / BINS) for place in range(BINS)]
    return tuple(f"from {_text(edge)}" for edge in edges)


def bin_of(axis: Axis, value: Value) -> int:
    """The bin that a value is in."""
    listed = axis.listed()
    if listed is not None and len(listed) <= MOST_VALUES:
        return listed.index(value)
    return min(BINS - 1, max(0, int(axis.place(value) * BINS + 1e-9)))


def by_bin(space: Space, rows: Sequence[Row], name: str, figure: str) -> list[Cell | None]:
    """A parameter's bins; None where nothing is known."""
    axis = space.axes[name]
    found: list[list[float]] = [[] for _ in labels(axis)]
    for row in rows:
        found[bin_of(axis, row[name])].append(row[figure])
    return [_cell(values, figure) for values in found]


def by_pair(space: Space, rows: Sequence[Row], names: tuple[str, str], figure: str) -> list[list[Cell | None]]:
    """Rows for the bins of the first parameter, columns for those of the second."""
    one, two = (space.axes[name] for name in names)
    found: list[list[list[float]]] = [[[] for _ in labels(two)] for _ in labels(one)]
    for row in rows:
        found[bin_of(one, row[names[0]])][bin_of(two, row[names[1]])].append(row[figure])
    return [[_cell(values, figure) for values in line] for line in found]


def neighbours(space: Space, rows: Sequence[Row], of: Row, figure: str) -> Neighbours:
    """What is near a configuration, among rows whose figure is known."""
    near = [
        float(row[figure])
        for row in rows
        if row["number"] != of["number"]
        and all(_near(axis, row[name], of[name]) for name, axis in space.axes.items())
        and any(row[name] != of[name] for name in space.axes)
    ]
    return Neighbours(len(near), statistics.median(near) if near else None)


def _near(axis: Axis, one: Value, other: Value) -> bool:
    listed = axis.listed()
    reach = NEAR if listed is None else 1 / max(1, len(listed) - 1)
    return abs(axis.place(one) - axis.place(other)) <= reach + 1e-9


def _cell(values: Sequence[float], figure: str) -> Cell | None:
    if not values:
        return None
    best = max(values, key=lambda value: merit({figure: value}, figure) or 0.0)
    return Cell(len(values), statistics.median(values), best)


def _text(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
