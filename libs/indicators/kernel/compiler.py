"""The one place that knows numba: how kernel functions are compiled, and where the machine code is kept.

numba invalidates cached code by the source file of the function alone, so a changed callee in another file would leave stale
code behind. Here the cache folder is named by a digest of all kernel sources, and the first writable place is taken, so that
a read-only installation and an account without a home work too.
"""

import tempfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config, njit
from platformdirs import user_cache_path

F = TypeVar("F", bound=Callable[..., Any])
_KERNEL = Path(__file__).parent


def source_digest(folder: Path = _KERNEL) -> str:
    """What the machine code depends on: numba's version, the layout and every source file of the kernel."""
    digest = blake2b(numba.__version__.encode(), digest_size=8)
    for path in (folder.parent / "layout.py", *sorted(folder.glob("*.py"))):
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
    given = [Path(config.CACHE_DIR)] if config.CACHE_DIR else []
    bases = [*given, _KERNEL / "__pycache__", user_cache_path("perpstream") / "kernel"]
    folder = writable_folder([base / source_digest() for base in bases])
    if folder is None:
        return False
    config.CACHE_DIR = str(folder)
    return True


_CACHED = _keep_machine_code()


def compiled(function: F) -> F:
    """Compile to machine code: no Python objects, no lock held, no fast-math, so every run gives the same bits."""
    return cast(F, njit(cache=_CACHED, nogil=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """Like `compiled`, for small functions inside loops."""
    return cast(F, njit(cache=_CACHED, nogil=True, error_model="numpy", inline="always")(function))
