"""A contract as the venue lists it."""

from libs.exchanges import Instrument


def instrument(symbol: str = "BTCUSDT") -> Instrument:
    """A perpetual with a tick of 0.1 and a step of 0.001."""
    return Instrument(
        symbol=symbol,
        base_asset="BTC",
        quote_asset="USDT",
        contract_type="PERPETUAL",
        status="TRADING",
        tick_size="0.10",
        step_size="0.001",
        price_decimals=1,
        quantity_decimals=3,
    )
