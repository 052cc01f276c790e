"""The half of the venue that needs a key: signed requests, accounts behind them, user streams, and the ledger of all that."""
