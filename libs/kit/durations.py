"""Lengths of time in milliseconds, the unit of every instant here."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
"""A UTC day; instants have no leap seconds."""
