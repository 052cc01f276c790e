"""Machine code: kept where it can be, thrown away when any kernel source changes, and loaded only by the kernel."""

import subprocess
import sys
from pathlib import Path

from libs.indicators.kernel.compiler import COMPILED_FOLDERS, source_digest, writable_folder

ROOT = Path(__file__).parents[3]


def python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_any_changed_source_asks_for_new_machine_code(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    (tmp_path / "layout.py").write_text("A = 1")
    (kernel / "rows.py").write_text("B = 1")
    first = source_digest(kernel)
    assert source_digest(kernel) == first
    (kernel / "rows.py").write_text("B = 2")
    second = source_digest(kernel)
    (tmp_path / "layout.py").write_text("A = 2")
    assert len({first, second, source_digest(kernel)}) == 3


def test_machine_code_of_trading_follows_its_own_sources_and_the_kernels(tmp_path: Path) -> None:
    folders = [tmp_path / "kernel", tmp_path / "machine"]
    for folder in folders:
        folder.mkdir()
        (folder / "rows.py").write_text("A = 1")
    digests = {source_digest(*folders)}
    for folder in folders:
        (folder / "rows.py").write_text("A = 2")
        digests.add(source_digest(*folders))
    assert len(digests) == 3


def test_no_compiled_function_stands_where_the_digest_does_not_look() -> None:
    compiled = [path for path in (ROOT / "libs").rglob("*.py") if "kernel.compiler import" in path.read_text()]
    assert [path for path in compiled if path.parent not in COMPILED_FOLDERS] == []
    assert {path.parent for path in compiled} == set(COMPILED_FOLDERS)


def test_the_first_writable_place_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    unwritable, writable = tmp_path / "file" / "below", tmp_path / "new" / "folder"
    assert writable_folder([unwritable, writable]) == writable
    assert writable_folder([unwritable]) is None


def test_a_given_cache_folder_is_used_without_a_home(tmp_path: Path) -> None:
    code = "from libs.indicators.kernel import compiler; print(compiler.config.CACHE_DIR)"
    assert python(code, NUMBA_CACHE_DIR=str(tmp_path)).startswith(str(tmp_path))


def test_nobody_else_loads_numba() -> None:
    code = (
        "import sys, libs.indicators.features, libs.indicators.log, libs.indicators.oracle, libs.trading.scoring;"
        "print('numba' in sys.modules)"
    )
    assert python(code) == "False"
