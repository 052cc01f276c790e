"""Discovery finds one plug-in per file and refuses a half-finished one by name."""

import importlib
import itertools
from pathlib import Path
from types import ModuleType

import pytest

from libs.kit.discovery import discover, modules_in

_NUMBER = itertools.count()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package of its own name, importable."""
    package = tmp_path / f"plugins_{next(_NUMBER)}"
    package.mkdir()
    (package / "__init__.py").write_text('"""Plug-ins."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    return package


def imported(folder: Path) -> ModuleType:
    importlib.invalidate_caches()
    return importlib.import_module(folder.name)


def test_files_are_found_by_name_and_private_ones_are_not(folder: Path) -> None:
    (folder / "zebra.py").write_text("RANK = 2\n")
    (folder / "ant.py").write_text("RANK = 1\n")
    (folder / "_shared.py").write_text("raise RuntimeError('must not be imported')\n")
    assert list(discover(imported(folder), "RANK", int).items()) == [("ant", 1), ("zebra", 2)]
    assert [module.__name__ for module in modules_in(imported(folder))] == [
        f"{folder.name}.ant",
        f"{folder.name}.zebra",
    ]


@pytest.mark.parametrize("text", ["", "RANK = 'first'\n"])
def test_a_half_finished_plugin_is_named(folder: Path, text: str) -> None:
    (folder / "half.py").write_text(text)
    with pytest.raises(TypeError, match=rf"{folder.name}\.half must define RANK: int"):
        discover(imported(folder), "RANK", int)


def test_an_empty_folder_has_none(folder: Path) -> None:
    assert discover(imported(folder), "RANK", int) == {}
