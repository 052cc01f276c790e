"""The house numbers of the code, checked over every Python file: length, parameters, docstrings, imports.

Exceptions stand in one list with their reasons; an exception that is no longer needed fails too.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_PARAMETERS = 5
CORE = ("libs/contracts", "libs/indicators", "libs/trading")
FORBIDDEN_IN_CORE = {
    "aiohttp",
    "aiokafka",
    "asyncio",
    "asyncpg",
    "faust",
    "http",
    "io",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "sqlalchemy",
    "subprocess",
    "threading",
    "time",
    "urllib",
    "uuid",
}
WALL_CLOCK = {"now", "utcnow", "today"}

# "rule:path" or "rule:path:function" -> why it is better so.
EXCEPTIONS: dict[str, str] = {
    "core import:libs/contracts/export.py": "its main() writes the generated documents; the functions above are pure",
    "core import:libs/indicators/kernel/compiler.py": "where numba keeps machine code; no fact is read or written there",
    **dict.fromkeys(
        (
            f"parameters:services/console/{command}"
            for command in (
                "stack.py:up",
                "data.py:verify",
                "data_export.py:export",
                "data_import.py:import_files",
                "data_replay.py:replay",
                "strategies.py:activate",
                "backtests.py:run",
                "backtest_sweeps.py:sweep",
                "backtest_sweeps.py:walk_forward",
                "drift_results.py:drift",
                "profit.py:pnl",
                "risk.py:flatten",
                "risk.py:lock",
                "risk.py:unlock",
                "live.py:set_",
                "positions.py:history",
                "positions.py:close",
                "positions.py:move_stop",
                "positions.py:enter",
                "profit_recalculation.py:recalculate",
            )
        ),
        "typer reads the options of a command from its parameters",
    ),
    **dict.fromkeys(
        (
            f"long function:libs/store/migrations/versions/v0001_backbone.py:_create_{part}"
            for part in ("market", "signals", "trades")
        ),
        "a migration is a frozen list of columns, read once from top to bottom",
    ),
    "parameters:services/exchange_simulator/frames.py:_encode": "compiled by numba, which takes arrays and not structs",
}


@cache
def sources() -> tuple[Path, ...]:
    return tuple(
        sorted(
            path.relative_to(ROOT)
            for folder in ("libs", "services", "infra", "tests")
            for path in (ROOT / folder).rglob("*.py")
            if "node_modules" not in path.parts
        )
    )


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    given = function.args
    names = [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def _modules(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def _clock_calls(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WALL_CLOCK:
            yield node.func.attr


def _is_core(path: Path) -> bool:
    return any(path.is_relative_to(package) for package in CORE)


def _violations_of(path: Path) -> Iterator[str]:
    text = (ROOT / path).read_text()
    if len(text.splitlines()) > MAX_LINES:
        yield f"long file:{path}"
    if text.strip() and not ast.get_docstring(tree(path)):
        yield f"no docstring:{path}"
    for function in _functions(path):
        if (function.end_lineno or 0) - function.lineno + 1 > MAX_FUNCTION_LINES:
            yield f"long function:{path}:{function.name}"
        if _parameters(function) > MAX_PARAMETERS:
            yield f"parameters:{path}:{function.name}"
    for module in _modules(path):
        if module.startswith("."):
            yield f"relative import:{path}"
        if _is_core(path) and module.partition(".")[0] in FORBIDDEN_IN_CORE:
            yield f"core import:{path}"
    if _is_core(path) and any(_clock_calls(path)):
        yield f"core clock:{path}"


@cache
def violations() -> frozenset[str]:
    return frozenset(found for path in sources() for found in _violations_of(path))


def test_the_house_numbers_hold() -> None:
    assert len(sources()) > 50
    assert sorted(violations() - EXCEPTIONS.keys()) == []


def test_no_exception_outlives_its_reason() -> None:
    assert sorted(EXCEPTIONS.keys() - violations()) == []
    assert all(len(reason) > 20 for reason in EXCEPTIONS.values())


def test_no_drawer_for_everything() -> None:
    names = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}
    assert [str(path) for path in sources() if path.name in names] == []


def test_nothing_is_left_to_do_or_skipped() -> None:
    marks = (
        "TO" + "DO",
        "FIX" + "ME",
        "XX" + "X",
        "NotImplemented" + "Error",
        "pytest.mark." + "skip",
        "pytest.mark." + "xfail",
    )
    found = [f"{path}: {mark}" for path in sources() for mark in marks if mark in (ROOT / path).read_text()]
    assert found == []


@pytest.mark.parametrize(
    "service", sorted(path.name for path in (ROOT / "services").iterdir() if (path / "app.py").is_file())
)
def test_each_service_has_its_shell_and_its_page(service: str) -> None:
    folder = ROOT / "services" / service
    assert len((folder / "__main__.py").read_text().splitlines()) <= 20
    readme = (folder / "README.md").read_text().lower()
    for words in (("reads",), ("writes",), ("state",), ("fails",), ("knobs", "settings", "perpstream_")):
        assert any(word in readme for word in words), f"services/{service}/README.md says nothing of {words[0]}"
