"""The bars that warm a fresh symbol's windows, cut exactly where its first trade rows begin (ARCHITECTURE rule 14)."""

from array import array
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

from libs.contracts.identity import digest
from libs.contracts.market import TradesBootstrapped
from libs.exchanges import Instrument, Kline, MarketData
from libs.exchanges.budget import Priority
from services.trade_ingest.frame_builder import Origin

MINUTE_MS = 60_000
CANDLE_MS = 5 * MINUTE_MS
MINUTE_BARS = 4 * 60
CANDLE_BARS = 432 + 14 + 3
PAGE = 1000


def scaled_bar_value(text: str, decimals: int) -> int:
    """Like `scaled`, but a bar's sums may carry more digits than the product of the scales: rounded half to even."""
    return int(Decimal(text).scaleb(decimals).to_integral_value(ROUND_HALF_EVEN))


def _column(rows: Iterable[tuple[int, ...]]) -> bytes:
    flat = array("q")
    for row in rows:
        flat.extend(row)
    return flat.tobytes()


def bootstrap_event(
    instrument: Instrument, until_ms: int, minutes: Sequence[Kline], candles: Sequence[Kline], origin: Origin
) -> TradesBootstrapped:
    """The event of bars that closed before `until_ms`, where the trade rows begin; later bars are left out."""
    price, quantity = instrument.price_decimals, instrument.quantity_decimals
    minute_rows = (
        (
            bar.open_time,
            scaled_bar_value(bar.volume, quantity),
            scaled_bar_value(bar.taker_buy_volume, quantity),
            scaled_bar_value(bar.quote_volume, price + quantity),
        )
        for bar in minutes
        if bar.close_time < until_ms
    )
    candle_rows = (
        (bar.open_time, *(scaled_bar_value(value, price) for value in (bar.open, bar.high, bar.low, bar.close)))
        for bar in candles
        if bar.close_time < until_ms
    )
    return TradesBootstrapped(
        event_id=digest("trades_bootstrapped", instrument.symbol, until_ms),
        event_time_ms=until_ms,
        symbol=instrument.symbol,
        price_decimals=price,
        quantity_decimals=quantity,
        producer=origin.producer,
        epoch=origin.epoch,
        minute_bars=_column(minute_rows),
        candle_bars=_column(candle_rows),
    )


async def fetch_bootstrap(
    market_data: MarketData, instrument: Instrument, until_ms: int, origin: Origin
) -> TradesBootstrapped:
    """Ask for four hours of minutes and a day and a half of five-minute candles before `until_ms` (weight 4)."""
    symbol, asking = instrument.symbol, market_data.at(Priority.WARM_UP)
    minutes = await asking.klines(symbol, "1m", until_ms - MINUTE_BARS * MINUTE_MS, until_ms - MINUTE_MS, MINUTE_BARS)
    first_candle = until_ms // CANDLE_MS * CANDLE_MS - CANDLE_BARS * CANDLE_MS
    candles = await asking.klines(symbol, "5m", first_candle, until_ms - CANDLE_MS, CANDLE_BARS)
    return bootstrap_event(instrument, until_ms, minutes, candles, origin)
