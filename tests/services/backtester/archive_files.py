"""Files of trades as the exchange's public archive has them, for tests that replay them as they are."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

HEADER = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
SYMBOL = "BTCUSDT"
MINUTE_MS = 60_000
HOUR_MS = 3_600_000


def at(text: str) -> int:
    """An instant of UTC in ms: `2024-08-01T12:00`."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp() * 1000)


def write_trades(
    folder: Path, period: str, ids: range, step_ms: int = MINUTE_MS, price: Callable[[int], str] = lambda _: "100.5"
) -> Path:
    """A day's or month's file (`2024-08-01`, `2024-08`): trades `step_ms` apart from the period's beginning on."""
    start_ms = at(f"{period}-01"[:10])
    rows = (
        f"{number},{price(number)},0.1,{number},{number},{start_ms + place * step_ms},true"
        for place, number in enumerate(ids)
    )
    path = folder / f"{SYMBOL}-aggTrades-{period}.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path
