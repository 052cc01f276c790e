"""Recorded markets: raw WebSocket captures and aggTrade tables, replayed as they were."""
