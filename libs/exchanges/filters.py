"""From what a venue says of a contract to what trading needs of it: ticks, steps and limits as decimals."""

from decimal import Decimal

from libs.exchanges import Instrument
from libs.exchanges.binance.answers import parse_instruments
from libs.exchanges.decimals import finite_decimal
from libs.kit.errors import BadMessage
from libs.trading.filters import SymbolFilters


def symbol_filters(instrument: Instrument, max_leverage: int | None = None) -> SymbolFilters:
    """The filters of a contract; limits that the venue does not say do not limit. `max_leverage`: our own cap, if any.

    Raises `BadMessage` "bad_number" for a limit that is no number, "bad_filter" for a tick or step that is not above 0.
    """
    try:
        return SymbolFilters(
            symbol=instrument.symbol,
            tick=finite_decimal(instrument.tick_size),
            quantity_step=finite_decimal(instrument.step_size),
            min_quantity=_limit(instrument.min_quantity) or Decimal(0),
            max_quantity=_limit(instrument.max_quantity),
            min_notional=_limit(instrument.min_notional) or Decimal(0),
            max_leverage=max_leverage,
        )
    except ValueError as error:
        raise BadMessage("bad_filter", str(error)) from None


def filters_of_answer(body: bytes) -> dict[str, SymbolFilters]:
    """The filters of every contract in a kept answer to Binance's exchangeInfo. Raises `BadMessage`."""
    return {symbol: symbol_filters(instrument) for symbol, instrument in parse_instruments(body).items()}


def _limit(text: str) -> Decimal | None:
    """A limit; the venue writes 0 where there is none."""
    return (finite_decimal(text) or None) if text else None
