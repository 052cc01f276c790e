"""Coinbase payloads to neutral structs: pure."""

from datetime import datetime

import msgspec

from libs.exchanges import Ticker
from libs.exchanges.errors import MalformedAnswer


class _TickerRow(msgspec.Struct):
    price: str
    time: datetime


def parse_ticker(body: bytes, product: str) -> Ticker:
    """GET /products/<id>/ticker, also a `ticker` message of the feed; `time` is that of the last trade, in ms.

    Raises `MalformedAnswer` when price or time are missing or no numbers.
    """
    try:
        row = msgspec.json.decode(body, type=_TickerRow)
        float(row.price)
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedAnswer(f"{error}; the answer begins {body[:120]!r}", status=200) from None
    if row.time.tzinfo is None:
        raise MalformedAnswer("the ticker's time has no zone", status=200)
    return Ticker(product=product, price=row.price, time=round(row.time.timestamp() * 1000))
