"""The integer kernel: compiled by numba, imported only where trades are turned into features (everything else reads tables)."""

from libs.indicators.kernel.engine import Kernel, warm_up
from libs.indicators.kernel.rows import LogRows

__all__ = ["Kernel", "LogRows", "warm_up"]
