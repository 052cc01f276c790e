"""The seeded synthetic market: every number is a function of (seed, symbol, time)."""
