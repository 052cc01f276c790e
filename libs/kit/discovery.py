"""Plug-in discovery: one folder, one file each, nothing to register elsewhere."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def modules_in(package: ModuleType) -> Iterator[ModuleType]:
    """Import and yield every direct module of `package` in name order, private ones (leading underscore) left out."""
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
        if not info.name.startswith("_"):
            yield importlib.import_module(f"{package.__name__}.{info.name}")


def discover(package: ModuleType, attribute: str, kind: type[T]) -> dict[str, T]:
    """Collect `attribute` of each module of `package`, keyed by module name.

    Raises `TypeError` naming the module when the attribute is missing or of another kind: a half-finished plug-in fails at start.
    """
    found: dict[str, T] = {}
    for module in modules_in(package):
        value = getattr(module, attribute, None)
        if not isinstance(value, kind):
            raise TypeError(f"{module.__name__} must define {attribute}: {kind.__name__}")
        found[module.__name__.rpartition(".")[2]] = value
    return found
