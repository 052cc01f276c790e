"""Plug-in discovery: one folder, one file each, nothing to register elsewhere."""

import importlib
import pkgutil
import traceback
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from libs.kit.errors import ConfigurationError

T = TypeVar("T")


class BrokenPlugin(ConfigurationError):
    """A plug-in's file cannot be imported, or does not define what it must; names the file, the line and the error."""

    def __init__(self, what: str, file: str) -> None:
        super().__init__(what, where=file, todo="mend the file, or take it out of the folder")


def modules_in(package: ModuleType) -> Iterator[ModuleType]:
    """Import and yield every direct module of `package` in name order, private ones (leading underscore) left out.

    Raises `BrokenPlugin` for one whose import fails, whatever its author's code raises.
    """
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda item: item.name):
        if info.name.startswith("_"):
            continue
        try:
            module = importlib.import_module(f"{package.__name__}.{info.name}")
        except Exception as error:
            spec = info.module_finder.find_spec(info.name, None)
            raise BrokenPlugin(f"the file cannot be imported: {_words(error)}", _place(error, spec)) from error
        yield module


def _words(error: Exception) -> str:
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _place(error: Exception, spec: ModuleSpec | None) -> str:
    """The file with the last of its lines that led to the error."""
    file = (spec.origin if spec else None) or "its folder"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        lines.append(error.lineno)
    here = Path(file)
    shown = here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here
    return f"{shown}:{lines[-1]}" if lines else str(shown)


def discover(package: ModuleType, attribute: str, kind: type[T]) -> dict[str, T]:
    """Collect `attribute` of each module of `package`, keyed by module name.

    Raises `BrokenPlugin` for a module that cannot be imported, and when the attribute is missing or of another kind: a
    half-finished plug-in fails at start.
    """
    found: dict[str, T] = {}
    for module in modules_in(package):
        value = getattr(module, attribute, None)
        if not isinstance(value, kind):
            raise BrokenPlugin(
                f"{module.__name__} must define {attribute}: {kind.__name__}", module.__file__ or module.__name__
            )
        found[module.__name__.rpartition(".")[2]] = value
    return found
