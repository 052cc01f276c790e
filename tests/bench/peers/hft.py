"""hftbacktest: its feed loop hands each trade to a ring with three windows, all of it compiled by numba."""

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import hftbacktest
import numpy as np
from hftbacktest.binding import event_dtype
from numba import njit
from numpy.typing import NDArray

from libs.indicators.kernel import LogRows
from tests.bench.bench_kernel import EVALUATION_MS, WINDOWS_MS
from tests.bench.peers.contender import PRICE_DECIMALS, QUANTITY_DECIMALS, Contender, Reading, first_edge, floats_of

NS = 1_000_000
FOREVER_NS = 10**18
FEED = 2
SELL = hftbacktest.SELL_EVENT
RING = 1 << 21
"""Trades that the widest window can hold, a power of two: four times what the stream has in 4 h."""
MASK = RING - 1
EDGE_NS = EVALUATION_MS * NS
WINDOWS = len(WINDOWS_MS)
"""A constant, so that the loops over windows are unrolled: with an array's length numba 0.68.1 makes code here that crashes."""
LENGTHS_NS = np.array(WINDOWS_MS, np.int64) * NS


def _feed(backtest: Any, edge_ns: int, time: Any, sums: Any, read: Any) -> int:
    """Every trade into the ring and every window, `read` at each edge. Returns the trades taken, -1 when the ring was full.

    The ring keeps running sums from before each trade, so that a window is the difference of two places in it.
    """
    tails, head = np.zeros(WINDOWS, np.int64), 0
    signed = volume = notional = 0.0
    fed = True
    while fed:
        # At the end there is no feed to wait for, but the last trades are there.
        fed = backtest.wait_next_feed(False, FOREVER_NS) == FEED
        for trade in backtest.last_trades(0):
            now = trade.exch_ts
            place = head & MASK
            time[place], sums[place, 0], sums[place, 1], sums[place, 2] = now, signed, volume, notional
            while now >= edge_ns:
                for window in range(WINDOWS):
                    while tails[window] < head and time[tails[window] & MASK] < edge_ns - LENGTHS_NS[window]:
                        tails[window] += 1
                    tail = tails[window] & MASK
                    read[window, 0] = signed - sums[tail, 0]
                    read[window, 1] = (notional - sums[tail, 2]) / (volume - sums[tail, 1])
                edge_ns += EDGE_NS
            signed += -trade.qty if trade.ev & SELL else trade.qty
            volume += trade.qty
            notional += trade.px * trade.qty
            head += 1
            for window in range(WINDOWS):
                while time[tails[window] & MASK] < now - LENGTHS_NS[window]:
                    tails[window] += 1
            if head - tails[-1] >= RING:
                return -1
        backtest.clear_last_trades(0)
    return head


feed = njit(_feed)


def contender(rows: LogRows) -> Contender:
    """A backtest with one asset, made anew each round over the same events."""
    events, edge_ns = _events(rows), first_edge(rows) * NS

    def prepare() -> Callable[[], Reading]:
        backtest = hftbacktest.HashMapMarketDepthBacktest([_asset(events)])
        time, sums, read = np.zeros(RING, np.int64), np.zeros((RING, 3)), np.zeros((WINDOWS, 2))

        def work() -> Reading:
            taken = feed(backtest, edge_ns, time, sums, read)
            if taken != len(events):
                raise SystemExit(f"hftbacktest took {taken:,} of {len(events):,} trades")
            backtest.close()
            return [(float(cvd), float(vwap)) for cvd, vwap in read]

        return work

    return Contender(f"hftbacktest {version('hftbacktest')}", len(rows.time), prepare, goal=10)


def _asset(events: NDArray[Any]) -> Any:
    """With the plainest models there are: no latency, no queue to wait in, no fees."""
    asset = hftbacktest.BacktestAsset().data([events]).linear_asset(1.0).constant_order_latency(0, 0)
    asset = asset.risk_adverse_queue_model().no_partial_fill_exchange().trading_value_fee_model(0.0, 0.0)
    return asset.tick_size(10**-PRICE_DECIMALS).lot_size(10**-QUANTITY_DECIMALS).last_trades_capacity(16)


def _events(rows: LogRows) -> NDArray[Any]:
    trades = floats_of(rows)
    events = np.zeros(len(rows.time), event_dtype)
    side = np.where(trades.sold, SELL, hftbacktest.BUY_EVENT)
    events["ev"] = hftbacktest.TRADE_EVENT | hftbacktest.EXCH_EVENT | hftbacktest.LOCAL_EVENT | side
    events["exch_ts"] = events["local_ts"] = trades.time_ms * NS
    events["px"], events["qty"] = trades.price, trades.quantity
    return events
