"""The page is built once, by whoever starts first, and a machine that cannot build it still has its stack."""

import threading
from pathlib import Path

import pytest

from services.console.web_page import ensure_page

# Writes down what it was told, and builds on `run`.
NPM = '#!/bin/sh\necho "$1" >> told\n[ "$1" = run ] && mkdir -p dist && echo page > dist/index.html\nexit 0\n'
BROKEN = '#!/bin/sh\necho "no space left" >&2\nexit 3\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dashboard").mkdir()
    (tmp_path / "dashboard" / "package.json").write_text("{}")
    return tmp_path / "dashboard"


def npm(folder: Path, script: str) -> Path:
    path = folder.parent / "npm"
    path.write_text(script)
    path.chmod(0o755)
    return path


def test_it_is_built_once_whoever_starts_first(folder: Path) -> None:
    said: list[str] = []
    tool, results = npm(folder, NPM), list[bool]()
    starts = [threading.Thread(target=lambda: results.append(ensure_page(tool, said.append, folder))) for _ in range(3)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert results == [True] * 3
    assert (folder / "told").read_text().split() == ["ci", "run"]
    assert len(said) == 1
    assert ensure_page(None, said.append, folder)


def test_where_it_cannot_be_built_one_line_says_why(folder: Path) -> None:
    said: list[str] = []
    assert not ensure_page(None, said.append, folder)
    assert "make dashboard" in said.pop()
    assert not ensure_page(npm(folder, BROKEN), said.append, folder)
    assert "no space left" in said[-1]
    said.clear()
    assert not ensure_page(folder / "no-such-tool", said.append, folder)
    assert "make dashboard" in said[-1]
    # Mended: the next start builds it.
    assert ensure_page(npm(folder, NPM), said.append, folder)


def test_an_installation_without_the_pages_source_says_nothing(tmp_path: Path) -> None:
    said: list[str] = []
    assert not ensure_page(None, said.append, tmp_path)
    assert said == []
