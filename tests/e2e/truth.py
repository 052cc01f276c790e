"""What a recording contains, computed here from its raw lines and from nothing of ours: the tests' independent truth."""

import gzip
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TrueTrade:
    """One aggregate trade of a recording; price and quantity exact, time in ms."""

    agg_id: int
    price: Decimal
    quantity: Decimal
    first_trade_id: int
    last_trade_id: int
    time_ms: int
    buyer_is_maker: bool


def trades_of(recording: Path) -> list[TrueTrade]:
    """Aggregate the raw `trade` lines of a capture in hftbacktest's format.

    Rule of the recordings' README: consecutive MARKET trades with the same price and side, each less than 100 ms after the
    group's first, are one; its time is that of the last.
    """
    groups: list[list[dict[str, object]]] = []
    with gzip.open(recording, "rt") as lines:
        for line in lines:
            payload = json.loads(line.partition(" ")[2]).get("data", {})
            if payload.get("e") != "trade" or payload.get("X") != "MARKET":
                continue
            if groups and _same(groups[-1][0], payload):
                groups[-1].append(payload)
            else:
                groups.append([payload])
    return [_aggregate(number, group) for number, group in enumerate(groups, start=1)]


def _same(first: dict[str, object], trade: dict[str, object]) -> bool:
    elapsed = int(str(trade["T"])) - int(str(first["T"]))
    return first["p"] == trade["p"] and first["m"] == trade["m"] and elapsed < 100


def _aggregate(number: int, group: list[dict[str, object]]) -> TrueTrade:
    return TrueTrade(
        agg_id=number,
        price=Decimal(str(group[0]["p"])),
        quantity=sum((Decimal(str(trade["q"])) for trade in group), Decimal(0)),
        first_trade_id=int(str(group[0]["t"])),
        last_trade_id=int(str(group[-1]["t"])),
        time_ms=int(str(group[-1]["T"])),
        buyer_is_maker=bool(group[0]["m"]),
    )
