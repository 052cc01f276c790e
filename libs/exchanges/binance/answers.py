"""Binance REST answers to neutral structs: pure; an answer that does not fit its documented shape is `MalformedAnswer`."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from libs.contracts.market import IndicatorKind
from libs.contracts.plausible import LATEST_MS
from libs.exchanges import IndicatorValue, Instrument, Kline, Ticker
from libs.exchanges.decimals import decimals_of_step
from libs.exchanges.decoding import decoded, malformed
from libs.kit.errors import BadMessage

Row = TypeVar("Row")
PERIOD_MS = {
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
}


class AggTradeRow(msgspec.Struct, gc=False):
    """A row of aggTrades as the port's `AggTrade`; the answer does not repeat the symbol, we fill it in."""

    agg_id: int = msgspec.field(name="a")
    price: str = msgspec.field(name="p")
    quantity: str = msgspec.field(name="q")
    first_trade_id: int = msgspec.field(name="f")
    last_trade_id: int = msgspec.field(name="l")
    trade_time: int = msgspec.field(name="T")
    buyer_is_maker: bool = msgspec.field(name="m")
    symbol: str = msgspec.field(name="our symbol", default="")
    event_time: int = msgspec.field(name="our event time", default=0)


class _ServerTime(msgspec.Struct):
    time: int = msgspec.field(name="serverTime")


class _SymbolRow(msgspec.Struct):
    symbol: str
    status: str
    filters: list[dict[str, str | int | bool | None]]
    contract_type: str = msgspec.field(name="contractType", default="")
    base_asset: str = msgspec.field(name="baseAsset", default="")
    quote_asset: str = msgspec.field(name="quoteAsset", default="")


class _ExchangeInfo(msgspec.Struct):
    symbols: list[_SymbolRow]


class _StatusRow(msgspec.Struct):
    symbol: str
    status: str


class _Statuses(msgspec.Struct):
    symbols: list[_StatusRow]


class _RateLimit(msgspec.Struct):
    kind: str = msgspec.field(name="rateLimitType")
    interval: str
    intervals: int = msgspec.field(name="intervalNum")
    limit: int


class _RateLimits(msgspec.Struct):
    limits: list[_RateLimit] = msgspec.field(name="rateLimits", default_factory=list)


class _KlineRow(msgspec.Struct, array_like=True):
    open_time: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    close_time: int
    quote_volume: str
    trades: int
    taker_buy_volume: str


class _OpenInterest(msgspec.Struct):
    symbol: str
    open_interest: str = msgspec.field(name="openInterest")
    time: int


class _OpenInterestRow(msgspec.Struct):
    timestamp: int | str
    open_interest: str = msgspec.field(name="sumOpenInterest")
    value: str = msgspec.field(name="sumOpenInterestValue", default="")


class _RatioRow(msgspec.Struct):
    timestamp: int | str
    long_short_ratio: str = msgspec.field(name="longShortRatio")
    long_account: str = msgspec.field(name="longAccount")
    short_account: str = msgspec.field(name="shortAccount")


class _TakerRow(msgspec.Struct):
    timestamp: int | str
    buy_sell_ratio: str = msgspec.field(name="buySellRatio")
    buy_volume: str = msgspec.field(name="buyVol")
    sell_volume: str = msgspec.field(name="sellVol")


class _FundingRow(msgspec.Struct):
    symbol: str
    rate: str = msgspec.field(name="fundingRate")
    time: int = msgspec.field(name="fundingTime")
    mark_price: str = msgspec.field(name="markPrice", default="")


class _SpotTradeRow(msgspec.Struct):
    price: str = msgspec.field(name="p")
    time: int = msgspec.field(name="T")


class _PriceRow(msgspec.Struct):
    symbol: str
    price: str
    time: int = 0


def _time(value: int | str, body: bytes) -> int:
    """A time (ms), also one that is written as text. Raises `MalformedAnswer` when it is none of this era."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(LATEST_MS)):
        value = int(value)
    if isinstance(value, str):
        raise malformed(f"{value[:40]!r} is no time", body)
    if not 0 <= value < LATEST_MS:
        raise malformed("a time does not lie between 1970 and 2100", body)
    return value


def _rows(body: bytes, kind: type[Row]) -> list[tuple[Row, bytes]]:
    """The rows of an answer, each with its own JSON text."""
    return [(decoded(bytes(raw), kind), bytes(raw)) for raw in decoded(body, list[msgspec.Raw])]


def _same(symbol: str, asked: str, body: bytes) -> None:
    """Raises `MalformedAnswer` when a row is about another symbol than the question."""
    if symbol != asked:
        raise malformed(f"asked for {asked}, answered for {symbol[:40]!r}", body)


def parse_server_time(body: bytes) -> int:
    """GET /fapi/v1/time."""
    return _time(decoded(body, _ServerTime).time, body)


def parse_agg_trades(body: bytes, symbol: str) -> list[AggTradeRow]:
    """GET /fapi/v1/aggTrades, ascending."""
    rows = decoded(body, list[AggTradeRow])
    for row in rows:
        row.symbol = symbol
    return rows


def parse_weight_limit(body: bytes) -> int | None:
    """GET /fapi/v1/exchangeInfo: the request weight that an address may use per minute; None when it does not say."""
    for row in decoded(body, _RateLimits).limits:
        if (row.kind, row.interval, row.intervals) == ("REQUEST_WEIGHT", "MINUTE", 1) and row.limit > 0:
            return row.limit
    return None


def parse_instruments(body: bytes) -> dict[str, Instrument]:
    """GET /fapi/v1/exchangeInfo by symbol; rows without price or lot filter are left out (nothing can be traded there)."""
    found: dict[str, Instrument] = {}
    for row in decoded(body, _ExchangeInfo).symbols:
        steps = {filters.get("filterType"): filters for filters in row.filters}
        tick = steps.get("PRICE_FILTER", {}).get("tickSize")
        step = steps.get("LOT_SIZE", {}).get("stepSize")
        if not isinstance(tick, str) or not isinstance(step, str):
            continue
        try:
            price_decimals, quantity_decimals = decimals_of_step(tick), decimals_of_step(step)
        except BadMessage as error:
            raise malformed(f"exchangeInfo of {row.symbol}: {error}", body) from None
        found[row.symbol] = Instrument(
            symbol=row.symbol,
            base_asset=row.base_asset,
            quote_asset=row.quote_asset,
            contract_type=row.contract_type,
            status=row.status,
            tick_size=tick,
            step_size=step,
            price_decimals=price_decimals,
            quantity_decimals=quantity_decimals,
            **_market_order_limits(steps),
        )
    return found


def _market_order_limits(filters: Mapping[Any, Mapping[str, object]]) -> dict[str, str]:
    """What a market order may be: MARKET_LOT_SIZE where it says something else than LOT_SIZE, and MIN_NOTIONAL."""
    lots, market = filters.get("LOT_SIZE", {}), filters.get("MARKET_LOT_SIZE", {})
    said = {
        "min_quantity": market.get("minQty", lots.get("minQty")),
        "max_quantity": market.get("maxQty", lots.get("maxQty")),
        "min_notional": filters.get("MIN_NOTIONAL", {}).get("notional"),
    }
    return {name: text for name, text in said.items() if isinstance(text, str)}


def parse_statuses(body: bytes) -> dict[str, str]:
    """GET /fapi/v1/exchangeInfo: the status of each symbol, also of those without filters."""
    return {row.symbol: row.status for row in decoded(body, _Statuses).symbols}


def parse_klines(body: bytes) -> list[Kline]:
    """GET /fapi/v1/klines; columns after the tenth are ignored."""
    return [
        Kline(
            open_time=row.open_time,
            close_time=row.close_time,
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
            quote_volume=row.quote_volume,
            taker_buy_volume=row.taker_buy_volume,
        )
        for row in decoded(body, list[_KlineRow])
    ]


def parse_open_interest(body: bytes, symbol: str) -> IndicatorValue:
    """GET /fapi/v1/openInterest: base-asset quantity now."""
    row = decoded(body, _OpenInterest)
    _same(row.symbol, symbol, body)
    values = {"open_interest": row.open_interest}
    time = _time(row.time, body)
    return IndicatorValue(symbol=symbol, kind="open_interest", period=None, time=time, values=values, raw=body)


def parse_open_interest_history(body: bytes, symbol: str, period: str) -> list[IndicatorValue]:
    """GET /futures/data/openInterestHist; stamped at the end of each period."""
    return [
        IndicatorValue(
            symbol=symbol,
            kind="open_interest",
            period=period,
            time=_time(row.timestamp, body),
            values={"open_interest": row.open_interest} | ({"open_interest_value": row.value} if row.value else {}),
            raw=raw,
        )
        for row, raw in _rows(body, _OpenInterestRow)
    ]


def parse_ratio_history(body: bytes, symbol: str, kind: IndicatorKind, period: str) -> list[IndicatorValue]:
    """GET /futures/data/{global,top}LongShort*Ratio and takerlongshortRatio.

    The venue stamps the taker ratio at the start of its period and the others at the end; here all carry the end.
    """
    if kind == "taker_long_short_ratio":
        return [
            IndicatorValue(
                symbol=symbol,
                kind=kind,
                period=period,
                time=_time(taker.timestamp, body) + PERIOD_MS[period],
                values={
                    "buy_sell_ratio": taker.buy_sell_ratio,
                    "buy_volume": taker.buy_volume,
                    "sell_volume": taker.sell_volume,
                },
                raw=raw,
            )
            for taker, raw in _rows(body, _TakerRow)
        ]
    return [
        IndicatorValue(
            symbol=symbol,
            kind=kind,
            period=period,
            time=_time(row.timestamp, body),
            values={
                "long_short_ratio": row.long_short_ratio,
                "long_account": row.long_account,
                "short_account": row.short_account,
            },
            raw=raw,
        )
        for row, raw in _rows(body, _RatioRow)
    ]


def parse_funding_rates(body: bytes, symbol: str) -> list[IndicatorValue]:
    """GET /fapi/v1/fundingRate; the venue's jitter of some milliseconds is rounded away to the full second."""
    found = []
    for row, raw in _rows(body, _FundingRow):
        _same(row.symbol, symbol, body)
        values = {"funding_rate": row.rate}
        if row.mark_price:
            values["mark_price"] = row.mark_price
        time = (_time(row.time, body) + 500) // 1000 * 1000
        found.append(IndicatorValue(symbol=symbol, kind="funding_rate", period=None, time=time, values=values, raw=raw))
    return found


def parse_price(body: bytes, product: str) -> Ticker:
    """GET /fapi/v2/ticker/price; `time` is that of the last trade."""
    row = decoded(body, _PriceRow)
    _same(row.symbol, product, body)
    return Ticker(product=product, price=row.price, time=_time(row.time, body), raw=body)


def parse_prices(body: bytes) -> dict[str, Ticker]:
    """GET /fapi/v2/ticker/price without a symbol; `time` is that of each symbol's last price."""
    return {
        row.symbol: Ticker(product=row.symbol, price=row.price, time=_time(row.time, body))
        for row in decoded(body, list[_PriceRow])
    }


def parse_last_spot_trade(body: bytes, product: str) -> Ticker:
    """GET /api/v3/aggTrades, newest last; raises `MalformedAnswer` when there is none."""
    rows = _rows(body, _SpotTradeRow)
    if not rows:
        raise malformed(f"{product} has no trade", body)
    row, raw = rows[-1]
    return Ticker(product=product, price=row.price, time=_time(row.time, body), raw=raw)
