"""From the venue's aggregate trades to frames on market.aggtrade.v1, complete and in order per symbol."""
