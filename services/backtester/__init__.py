"""Backtests: the live engine's functions over stored data, a simulated account behind them, and reports people look at."""
