"""The machine's clocks, for as long as a loop runs whose time is another: loops, venue clocks and limiters all read `time`."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def machine_clocks(instead: Mapping[str, Callable[..., object]]) -> Iterator[None]:
    """Functions of `time` by name, replaced while this lasts."""
    real = {name: getattr(time, name) for name in instead}
    for name, function in instead.items():
        setattr(time, name, function)
    try:
        yield
    finally:
        for name, function in real.items():
            setattr(time, name, function)
