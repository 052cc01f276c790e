"""The simulated account of a run: costs, rules, filters and funding for its symbols, and the tape that it trades on."""

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

from libs.exchanges.filters import filters_of_answer
from libs.kit.errors import BadMessage, ConfigurationError
from libs.trading.arrays import TradingSetup
from libs.trading.filters import ASSUMED_MIN_NOTIONAL, SymbolFilters, assumed_filters
from libs.trading.market import FundingRates, settlement_interval_ms
from services.backtester.request import BacktestRequest
from services.backtester.sources import Market, Span


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
    found = {symbol: assumed_filters(symbol, scale) for symbol, scale in scales.items()}
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
