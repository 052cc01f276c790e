"""Imports that leave out what a library would take along if it were there."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def without(name: str) -> Iterator[None]:
    """While this lasts, importing the top-level module `name` fails as if it were not installed; one that is there stays."""
    if name in sys.modules:
        yield
        return
    # What Python itself takes for "there is no such module".
    sys.modules[name] = cast(ModuleType, None)
    try:
        yield
    finally:
        del sys.modules[name]
