"""Coinbase payloads to neutral structs: pure."""

from datetime import datetime

import msgspec

from libs.exchanges import Ticker
from libs.exchanges.decimals import finite_decimal
from libs.exchanges.decoding import decoded, malformed
from libs.kit.errors import BadMessage


class _TickerRow(msgspec.Struct):
    price: str
    time: datetime


def parse_ticker(body: bytes, product: str) -> Ticker:
    """GET /products/<id>/ticker, also a `ticker` message of the feed; `time` is that of the last trade, in ms.

    Raises `MalformedAnswer` when price or time are missing or no numbers.
    """
    row = decoded(body, _TickerRow)
    try:
        finite_decimal(row.price)
    except BadMessage as error:
        raise malformed(error, body) from None
    if row.time.tzinfo is None:
        raise malformed("the ticker's time has no zone", body)
    return Ticker(product=product, price=row.price, time=round(row.time.timestamp() * 1000), raw=body)
