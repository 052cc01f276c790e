"""What other designs take for the same windows of CVD and VWAP; `tests.bench.bench_peers` runs them against the kernel.

How fair it is. A peer computes three windows (5 min, 30 min, 4 h) of CVD and VWAP and reads them at each 15 s edge, nothing
else. Our side computes these and more: thresholds of large trades over 24 h, candles, ATR and its rank, the columns of
features, every factor, and the totals of the strategies in `strategies/`. Nobody has slow inputs (funding, open interest):
factors that need them calculate with NaN. Each side gets the same trades before the clock starts, in the form it likes best.

- deques: the replaced application's design, pure Python.
- nautilus: an event-driven backtester. Besides our strategy each trade passes its cache, message bus, data engine and matching
  engine, which we do not have. Logging, risk checks and the analysis after a run are off.
- hftbacktest: a tick-by-tick backtester in Rust with a strategy in numba. Besides the windows each trade passes an exchange's and
  a local view of the market, with latencies and an order queue: the plainest models there are. The windows are one ring of
  running sums, the fastest of three ways that were tried.
- polars: rolling sums at every trade, several threads; wall time on both sides. It has windows after every trade and not only at
  edges, which nobody here needs.
- buckets: polars again, which first adds up each 15 s as our kernel does. No goal is set for it; it shows how much of the
  distance to polars is the idea of buckets and how much is ours.

So the ratios say how long trades take to become signals in each design, and not that one backtester is better than another.
"""
