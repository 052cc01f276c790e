"""Binance USD-M's addresses. Market streams live below /market since 2026-04-23: on unrouted paths they stay silent."""

DOMAIN = "binance.com"
REST = "https://fapi.binance.com"
WEBSOCKET = "wss://fstream.binance.com"
SPOT_REST = "https://api.binance.com"
DEMO_REST = "https://demo-fapi.binance.com"
DEMO_WEBSOCKET = "wss://fstream.binancefuture.com"
DEMO_SPOT_REST = "https://demo-api.binance.com"
"""The demo environment; whether it knows a key's rights is not documented (reference facts, 1 and 13)."""


def market_stream_url(base: str) -> str:
    """Where market streams are subscribed by message; payloads come without envelope."""
    return f"{base.rstrip('/')}/market/ws"
