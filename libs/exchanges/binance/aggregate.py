"""Single trades to aggregate trades: consecutive ones, same price and side, within 100 ms of the first, X=MARKET only.

This approximates the exchange's own aggregation; ids are 1…n because single trades do not carry aggregate ids.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from libs.exchanges.decimals import scaled
from libs.exchanges.recorded_rows import RecordedTrade

_SPAN_MS = 100


@dataclass(frozen=True, slots=True)
class SingleTrade:
    """One raw `trade` event; price and quantity as they were written, times in ms."""

    trade_id: int
    price: str
    quantity: str
    trade_ms: int
    event_ms: int
    maker: bool
    kind: str


def aggregate(trades: Iterable[SingleTrade]) -> list[RecordedTrade]:
    """Aggregate trades of one symbol. Time and event time of a group are those of its last trade."""
    groups: list[list[SingleTrade]] = []
    for trade in trades:
        if trade.kind != "MARKET":
            continue
        first = groups[-1][0] if groups else None
        same = first is not None and (first.price, first.maker) == (trade.price, trade.maker)
        if same and first is not None and trade.trade_ms - first.trade_ms < _SPAN_MS:
            groups[-1].append(trade)
        else:
            groups.append([trade])
    return [_of_group(number, group) for number, group in enumerate(groups, start=1)]


def lost_between(trades: Iterable[SingleTrade]) -> int:
    """How many ids of single trades are missing between the first and the last: the aggregates' own ids do not show it."""
    ids = {trade.trade_id for trade in trades}
    return max(ids) - min(ids) + 1 - len(ids) if ids else 0


def _of_group(number: int, group: list[SingleTrade]) -> RecordedTrade:
    first, last = group[0], group[-1]
    quantity = first.quantity if len(group) == 1 else _sum([trade.quantity for trade in group])
    return RecordedTrade(
        number, first.price, quantity, first.trade_id, last.trade_id, last.trade_ms, last.event_ms, first.maker
    )


def _sum(quantities: list[str]) -> str:
    """Exact sum of decimal strings, with the decimals of the longest."""
    decimals = max(len(text.partition(".")[2]) for text in quantities)
    total = sum(scaled(text, decimals) for text in quantities)
    if decimals == 0:
        return str(total)
    digits = str(total).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}"
