"""From the venue's forced orders to market.liquidation.v1, each once."""
