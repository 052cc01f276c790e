"""The simulated account of a run: costs, rules, filters and funding for its symbols, and the tape that it trades on."""

import gzip
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from libs.exchanges.filters import filters_of_answer
from libs.indicators.log import TradeRows
from libs.kit.errors import BadMessage, ConfigurationError
from libs.trading.arrays import TradingSetup
from libs.trading.filters import SymbolFilters
from libs.trading.market import FundingRates, TradeTape, settlement_interval_ms
from services.backtester.request import BacktestRequest
from services.backtester.sources import Market, Span

ASSUMED_MIN_NOTIONAL = Decimal(5)
"""Quote units; the exchange's usual minimum of USDT contracts."""


async def trading_setup(
    request: BacktestRequest, source: Market, scales: Mapping[str, tuple[int, int]]
) -> tuple[TradingSetup, tuple[str, ...]]:
    """The setup for these symbols (price and quantity decimals by name), and what was assumed, one line each."""
    filters, assumed = _filters(request.filters, scales)
    funding: dict[str, FundingRates] = {}
    if request.costs.funding:
        # With the warm-up: a short range has too few settlements to tell how far they are apart.
        span = Span(request.read_from_ms, request.end_ms)
        for symbol in scales:
            rows = await source.funding(symbol, span)
            interval_ms = settlement_interval_ms([row.time_ms for row in rows])
            told = [(row.time_ms, row.rate, row.mark_price) for row in rows]
            funding[symbol] = FundingRates.of(symbol, told, interval_ms)
    return TradingSetup(request.rules, request.costs, filters, funding), assumed


def tape_of(trades: TradeRows) -> TradeTape:
    """The rows as fills look at them."""
    return TradeTape(
        symbol=trades.symbol,
        price_decimals=trades.price_decimals,
        quantity_decimals=trades.quantity_decimals,
        time_ms=trades.time,
        price=trades.price,
        quantity=trades.quantity,
        buyer_is_maker=trades.buyer_is_maker,
    )


def _filters(
    file: Path | None, scales: Mapping[str, tuple[int, int]]
) -> tuple[dict[str, SymbolFilters], tuple[str, ...]]:
    if file is not None:
        known = _read_filters(file)
        if unknown := sorted(set(scales) - set(known)):
            raise ConfigurationError(
                f"the file has no {', '.join(unknown)}", where=str(file), todo="fetch /fapi/v1/exchangeInfo again"
            )
        return {symbol: known[symbol] for symbol in scales}, ()
    found = {
        symbol: SymbolFilters(
            symbol=symbol,
            tick=Decimal(1).scaleb(-price),
            quantity_step=Decimal(1).scaleb(-quantity),
            min_quantity=Decimal(1).scaleb(-quantity),
            min_notional=ASSUMED_MIN_NOTIONAL,
        )
        for symbol, (price, quantity) in scales.items()
    }
    line = f"exchange filters assumed: tick and step of the data's decimals, smallest order {ASSUMED_MIN_NOTIONAL} in quote units"
    return found, (line,)


def _read_filters(file: Path) -> dict[str, SymbolFilters]:
    try:
        content = file.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return filters_of_answer(content)
    except (OSError, EOFError) as error:
        raise ConfigurationError(f"the file cannot be read: {error}", where=str(file), todo="check the path") from None
    except BadMessage as error:
        raise ConfigurationError(
            f"this is no answer to exchangeInfo: {error}", where=str(file), todo="fetch /fapi/v1/exchangeInfo again"
        ) from None


def assumptions(request: BacktestRequest, assumed: Sequence[str]) -> tuple[str, ...]:
    """Everything that a report prints on top."""
    return (*request.costs.describe(), *request.rules.describe(), *assumed)
