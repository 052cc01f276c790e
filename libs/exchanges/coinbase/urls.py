"""Coinbase Exchange's public addresses."""

REST = "https://api.exchange.coinbase.com"
