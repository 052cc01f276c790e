"""Which points of a space are tried: all of its grid, or drawn ones; each has its number, and depends on nothing but it."""

from math import prod

import numpy as np

from libs.kit.errors import ConfigurationError
from services.backtester.sweep.space import Point, Space, Value

MOST_GRID = 5_000_000


def grid_size(space: Space) -> int:
    """How many points the grid has. Raises `ConfigurationError` for an axis without an end, or too many points."""
    endless = [name for name, axis in space.axes.items() if axis.listed() is None]
    if endless:
        raise ConfigurationError(
            f"a grid needs steps: {', '.join(endless)} has none", where="the space", todo="give a step, or use random"
        )
    size = prod(len(_listed(space, name)) for name in space.axes)
    if size > MOST_GRID:
        raise ConfigurationError(
            f"the grid has {size:,} points", where="the space", todo="take larger steps, or use random"
        )
    return size


def grid_point(space: Space, number: int) -> Point:
    """The point with this number: the last axis runs fastest."""
    point: Point = {}
    for name in reversed(list(space.axes)):
        listed = _listed(space, name)
        number, place = divmod(number, len(listed))
        point[name] = listed[place]
    return {name: point[name] for name in space.axes}


def random_point(space: Space, seed: int, number: int) -> Point:
    """A drawn point: more of them later leave the first as they were."""
    shares = np.random.default_rng([seed, number]).random(len(space.axes))
    return {name: axis.at(float(share)) for (name, axis), share in zip(space.axes.items(), shares, strict=True)}


def _listed(space: Space, name: str) -> tuple[Value, ...]:
    listed = space.axes[name].listed()
    assert listed is not None, "a grid was checked"
    return listed
