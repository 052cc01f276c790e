"""Every factor is one file here that defines `FACTOR`; dropping a file in adds it to all strategies' choices."""

import sys
from functools import cache

from libs.kit.discovery import discover
from libs.trading.factor import Factor


@cache
def all_factors() -> dict[str, Factor]:
    """Every factor by name, in name order."""
    return discover(sys.modules[__name__], "FACTOR", Factor)
