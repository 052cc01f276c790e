"""The one place that knows numba: how kernel functions are compiled, and where the machine code is kept.

numba invalidates cached code by the source file of the function alone, so a changed callee in another file would leave stale
code behind. Here the cache folder is named by a digest of all compiled sources, and the first writable place is taken, so that
a read-only installation and an account without a home work too.
"""

import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import numba
from numba import config, njit
from platformdirs import user_cache_path

F = TypeVar("F", bound=Callable[..., Any])
Whole: TypeAlias = Any
"""A machine integer: int64 in compiled code, where numpy's and Python's integers are one type."""
_KERNEL = Path(__file__).parent
# Every folder with compiled functions; a test finds those that are missing here.
COMPILED_FOLDERS = (_KERNEL, _KERNEL.parents[1] / "trading" / "machine")


def source_digest(*folders: Path) -> str:
    """What the machine code depends on: numba's version and every source file of these folders (or of all compiled ones),
    with the kernel's layout, which stands beside its folder."""
    digest = blake2b(numba.__version__.encode(), digest_size=8)
    for folder in folders or COMPILED_FOLDERS:
        for path in (*folder.parent.glob("layout.py"), *sorted(folder.glob("*.py"))):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def writable_folder(candidates: list[Path]) -> Path | None:
    """The first candidate that we own and can write, created if needed; None when there is none."""
    for folder in candidates:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


def _keep_machine_code() -> bool:
    named = getattr(config, "CACHE_DIR", "")
    given = [Path(named)] if named else []
    bases = [*given, _KERNEL / "__pycache__", user_cache_path("perpstream") / "kernel"]
    folder = writable_folder([base / source_digest() for base in bases])
    if folder is None:
        return False
    setattr(config, "CACHE_DIR", str(folder))  # noqa: B010  (an attribute that numba makes at import)
    return True


_CACHED = _keep_machine_code()
# No kernel function makes an array; all are borrowed from Python for the time of a call. Counting references to them all the
# same, atomically and for every slice, took 38 % of the kernel's time; without it numba refuses code that would allocate.
_BORROWED: dict[str, Any] = {"_nrt": False}


def entry(function: F) -> F:
    """Compile a function that Python calls: no Python objects inside, no lock held, no fast-math, so that all runs agree."""
    return cast(F, njit(cache=_CACHED, nogil=True, error_model="numpy", **_BORROWED)(function))


def compiled(function: F) -> F:
    """Like `entry`, for functions that only compiled code calls; leaving out Python's wrapper saves much of the compile time."""
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **_BORROWED}
    compiler = cast(Callable[[F], F], njit(cache=_CACHED, nogil=True, error_model="numpy", **options))
    return compiler(function)
