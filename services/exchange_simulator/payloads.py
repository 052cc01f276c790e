"""JSON payloads of the low-rate streams, in the field order and types that Binance sends."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from services.exchange_simulator.market import Bar, MarkPrice
from services.exchange_simulator.symbols import SymbolRules

encode_json = msgspec.json.encode


def decimal_text(value: int, decimals: int) -> str:
    """An integer in units of 10^-decimals as a plain decimal string: (912345, 1) → "91234.5"."""
    if decimals == 0:
        return str(value)
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def mark_price_object(mark: MarkPrice, event_ms: int) -> dict[str, object]:
    """One markPriceUpdate as a dictionary; the all-market stream carries a list of them."""
    return {
        "e": "markPriceUpdate",
        "E": event_ms,
        "s": mark.symbol,
        "p": mark.mark,
        "ap": mark.average,
        "i": mark.index,
        "P": mark.settle,
        "r": mark.rate,
        "T": mark.next_funding_ms,
        "st": 1,
    }


def mark_price_event(mark: MarkPrice, event_ms: int) -> bytes:
    """The payload of `<symbol>@markPrice`."""
    return encode_json(mark_price_object(mark, event_ms))


def mark_price_array(marks: Iterable[MarkPrice], event_ms: int) -> bytes:
    """The payload of `!markPrice@arr`."""
    return encode_json([mark_price_object(mark, event_ms) for mark in marks])


def contract_info_event(rules: SymbolRules, event_ms: int) -> bytes:
    """The payload of `!contractInfo`. Inside `bks` the venue sends numbers where it sends strings elsewhere."""
    return encode_json({
        "e": "contractInfo",
        "E": event_ms,
        "s": rules.symbol,
        "ct": "PERPETUAL",
        "dt": rules.delivery_ms,
        "ot": rules.onboard_ms,
        "cs": rules.status,
        "bks": [
            {"bs": 1, "bnf": 0, "bnc": 50_000, "mmr": 0.004, "cf": 0, "mi": 51, "ma": 125},
            {"bs": 2, "bnf": 50_000, "bnc": 500_000, "mmr": 0.005, "cf": 50, "mi": 1, "ma": 50},
        ],
        "st": 1,
    })  # fmt: skip


def bar_strings(bar: Bar, rules: SymbolRules) -> tuple[str, ...]:
    """open, high, low, close, volume, quote volume, taker volume, taker quote volume as wire strings."""
    price, quantity = rules.price_decimals, rules.quantity_decimals
    return (
        *(decimal_text(value, price) for value in (bar.open, bar.high, bar.low, bar.close)),
        decimal_text(bar.volume, quantity),
        decimal_text(bar.quote, price + quantity),
        decimal_text(bar.taker_volume, quantity),
        decimal_text(bar.taker_quote, price + quantity),
    )


def kline_event(bar: Bar, rules: SymbolRules, interval: str, event_ms: int) -> bytes:
    """The payload of `<symbol>@kline_<interval>`; the bar counts as closed once the event is later than its end."""
    opened, high, low, close, volume, quote, taker_volume, taker_quote = bar_strings(bar, rules)
    kline = {
        "t": bar.open_ms,
        "T": bar.close_ms,
        "s": rules.symbol,
        "i": interval,
        "f": bar.first_id,
        "L": bar.last_id,
        "o": opened,
        "c": close,
        "h": high,
        "l": low,
        "v": volume,
        "n": bar.count,
        "x": event_ms > bar.close_ms,
        "q": quote,
        "V": taker_volume,
        "Q": taker_quote,
        "B": "0",
    }
    return encode_json({"e": "kline", "E": event_ms, "s": rules.symbol, "k": kline})


def kline_row(bar: Bar, rules: SymbolRules) -> list[object]:
    """One row of GET /fapi/v1/klines."""
    opened, high, low, close, volume, quote, taker_volume, taker_quote = bar_strings(bar, rules)
    times = (bar.close_ms, quote, bar.count, taker_volume, taker_quote, "0")
    return [bar.open_ms, opened, high, low, close, volume, *times]


@dataclass(frozen=True, slots=True)
class Liquidation:
    """One forced order, filled: prices and quantities as wire strings; `market` is 1 for USD-M and 2 for COIN-M."""

    symbol: str
    pair: str
    side: str
    quantity: str
    price: str
    average: str
    last_filled: str
    time_ms: int
    market: int = 1


def force_order_event(order: Liquidation, event_ms: int) -> bytes:
    """The payload of `<symbol>@forceOrder` and `!forceOrder@arr`."""
    details = {
        "s": order.symbol,
        "S": order.side,
        "o": "LIMIT",
        "f": "IOC",
        "q": order.quantity,
        "p": order.price,
        "ap": order.average,
        "X": "FILLED",
        "l": order.last_filled,
        "z": order.quantity,
        "T": order.time_ms,
    }
    return encode_json({"e": "forceOrder", "E": event_ms, "ps": order.pair, "st": order.market, "o": details})


@dataclass(frozen=True, slots=True)
class BookTicker:
    """Best bid and ask as wire strings, with the update id and the time of the change in ms."""

    symbol: str
    update_id: int
    bid: str
    bid_quantity: str
    ask: str
    ask_quantity: str
    time_ms: int


def book_ticker_event(book: BookTicker, event_ms: int) -> bytes:
    """The payload of `<symbol>@bookTicker`."""
    return encode_json(
        {
            "e": "bookTicker",
            "u": book.update_id,
            "s": book.symbol,
            "ps": book.symbol,
            "b": book.bid,
            "B": book.bid_quantity,
            "a": book.ask,
            "A": book.ask_quantity,
            "T": book.time_ms,
            "E": event_ms,
            "st": 1,
        }
    )
