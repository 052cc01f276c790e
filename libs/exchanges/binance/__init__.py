"""Binance USD-M Futures: public market streams and REST market data, and the spot price for the premium."""

from libs.exchanges.binance.rest import BinanceMarketData, BinanceSpot
from libs.exchanges.binance.stream import BinanceStreams

__all__ = ["BinanceMarketData", "BinanceSpot", "BinanceStreams"]
