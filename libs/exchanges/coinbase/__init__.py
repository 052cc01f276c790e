"""Coinbase Exchange: the spot ticker, one leg of the premium."""

from libs.exchanges.coinbase.rest import CoinbaseSpot

__all__ = ["CoinbaseSpot"]
