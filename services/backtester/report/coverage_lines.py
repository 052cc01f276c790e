"""Coverage in as many lines as there are inputs, however many symbols: the worst symbol stands for an input."""

from collections.abc import Sequence

import msgspec

from services.backtester.report.words import UNKNOWN, plain
from services.backtester.result import InputCoverage


class CoverageLine(msgspec.Struct, frozen=True):
    """An input of all its symbols: the least share of any, the sum of rows, and what is missing ("" if nothing)."""

    title: str
    share: float
    rows: int
    missing: str


def coverage_lines(coverage: Sequence[InputCoverage]) -> list[CoverageLine]:
    """One line each input, the least known first, otherwise in the given order."""
    by_name: dict[str, list[InputCoverage]] = {}
    for one in coverage:
        by_name.setdefault(one.name, []).append(one)
    return sorted((_line(name, found) for name, found in by_name.items()), key=lambda line: line.share)


def _line(name: str, found: Sequence[InputCoverage]) -> CoverageLine:
    title = f"{found[0].symbol} {plain(name)}" if len(found) == 1 else f"{plain(name)}, {len(found)} symbols"
    return CoverageLine(title, min(one.share for one in found), sum(one.rows for one in found), _missing(found))


def _missing(found: Sequence[InputCoverage]) -> str:
    partial = sorted((one for one in found if one.missing or one.share < 1), key=lambda one: one.share)
    if not partial:
        return ""
    worst, others = partial[0], len(partial) - 1
    words = worst.missing or UNKNOWN
    if len(found) == 1:
        return words
    if len(partial) == len(found) and len({(one.share, one.missing) for one in partial}) == 1:
        return f"each: {words}"
    return f"{worst.symbol}: {words}" + (f"; and {others} more symbol{'s' if others > 1 else ''}" if others else "")
