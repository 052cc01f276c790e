"""Discovery finds one plug-in per file and refuses a half-finished one by name."""

import importlib
import itertools
from pathlib import Path
from types import ModuleType

import pytest

from libs.kit.discovery import BrokenPlugin, discover, modules_in

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
    with pytest.raises(BrokenPlugin, match=rf"{folder.name}\.half must define RANK: int"):
        discover(imported(folder), "RANK", int)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("import numpi\n", 1, "ModuleNotFoundError: No module named 'numpi'"),
        ("RANK = 1\nfrom os import nothing_like_it\n", 2, "ImportError: cannot import name 'nothing_like_it'"),
        ("RANK = 1\n\nRANK = = 2\n", 3, "SyntaxError: invalid syntax"),
        ("def f():\n    raise ValueError('too early')\n\n\nf()\n", 2, "ValueError: too early"),
        ("raise KeyError\n", 1, "KeyError"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_line(folder: Path, text: str, line: int, words: str) -> None:
    (folder / "ant.py").write_text("RANK = 1\n")
    (folder / "bad.py").write_text(text)
    with pytest.raises(BrokenPlugin) as caught:
        discover(imported(folder), "RANK", int)
    told = str(caught.value.advice)
    assert "\n" not in told, "not one line"
    assert f"the file cannot be imported: {words}" in told
    assert f"({folder / 'bad.py'}:{line}): mend the file, or take it out of the folder" in told


def test_an_empty_folder_has_none(folder: Path) -> None:
    assert discover(imported(folder), "RANK", int) == {}
