"""The replaced design: a deque of trades a window, in pure Python."""

from libs.indicators.kernel import LogRows
from tests.bench.bench_kernel import deques
from tests.bench.peers.contender import Contender, floats_of


def contender(rows: LogRows) -> Contender:
    """Deques over a list of tuples."""
    trades = list(zip(*(column.tolist() for column in floats_of(rows)), strict=True))
    return Contender("pure-Python deques", len(trades), lambda: lambda: deques(trades), goal=400)
