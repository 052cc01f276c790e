"""The simulated venue: Binance's protocol (and Coinbase's ticker) at another address, so everything is reused."""

from libs.exchanges.binance import BinanceMarketData, BinanceSpot, BinanceStreams
from libs.exchanges.coinbase import CoinbaseSpot

__all__ = ["BinanceMarketData", "BinanceSpot", "BinanceStreams", "CoinbaseSpot"]
