"""From the venue's slow inputs to market.indicator.v1 and market.markprice.v1, on schedules in venue time."""
