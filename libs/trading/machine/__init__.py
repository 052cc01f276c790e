"""What happens after a signal, in whole numbers: compiled, and the same for a backtest, a sweep and a trader.

Everything that numba compiles for trading stands in this folder, because the digest that names the cache of machine code
covers it (`libs.indicators.kernel.compiler`). The modules above it say the same in decimals, for people and services.
"""
