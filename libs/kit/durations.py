"""Lengths of time in milliseconds, the unit of every instant here."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
"""A UTC day; instants have no leap seconds."""
