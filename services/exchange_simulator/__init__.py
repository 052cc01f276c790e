"""The exchange simulator: Binance USD-M's wire protocol over a seeded synthetic market or a recording."""
