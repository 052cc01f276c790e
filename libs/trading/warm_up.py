"""Compiles the account's rules, or loads what was compiled before, so that the first trades do not wait for it."""

import numpy as np

from libs.trading.arrays import TradingSetup
from libs.trading.costs import Costs
from libs.trading.market import TradeTape
from libs.trading.simulation import Simulator

_MINUTE_MS = 60_000


def warm_up() -> None:
    """One trade in an account without signals: about ten seconds once per version, then a fraction of one."""
    one = np.array([1], np.int64)
    tape = TradeTape("WARMUP", 0, 0, one, one, one, np.zeros(1, np.uint8))
    simulator = Simulator(TradingSetup(costs=Costs(filters=False, funding=False)), 0)
    simulator.advance({tape.symbol: tape}, (), _MINUTE_MS)
    simulator.finish()
