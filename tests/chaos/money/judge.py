"""What a run came to, by the exchange's own ledger; the documents are only compared with it.

Excuses, all there are:
1. A fill of the guard, of the venue (liquidation, ADL, settlement) or of a person may be in no document when the position that it
   changed was opened by nobody's trade, and adopted by none: nobody claims what a stranger began.
2. A position that a stranger opened, or what he added to ours, may stand at the end: it is reported, not closed.
3. Of a stranger's fill that turns our position around a trade has the share that has closed it.
4. What a stranger adds to our position is no fill of the trade: its profit counts what it has opened itself.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from libs.trading.execution.client_ids import read_client_id
from libs.trading.execution.document import Fill as Booked
from libs.trading.execution.document import Trade
from services.exchange_simulator.trading.account import Account, money
from tests.chaos.money.findings import Finding
from tests.chaos.money.ledger import opening_of, pieces, was_held

_OLDEST_READ_MS, _LONGEST_WAY_MS = 2_000 + 1_200, 1_200
"""Positions are read as they were up to 2 s ago, and a question is under way for so long at most."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that is judged: the account as it is, documents by id, and the ids of the signals that were given."""

    account: Account
    documents: Mapping[str, Trade]
    signals: Sequence[str]


def judge(outcome: Outcome) -> list[Finding]:
    """All that is wrong."""
    booked = _booked(outcome.documents.values())
    return [
        *_duplicate_entries(outcome.account),
        *_orphans(outcome.account),
        *_doubly_booked(outcome.documents.values()),
        *_invented(outcome, booked),
        *_lost(outcome.account, outcome.documents, booked),
        *_funding(outcome),
        *_signals(outcome),
        *_left_open(outcome),
    ]


def _booked(documents: Iterable[Trade]) -> dict[int, tuple[str, Booked]]:
    return {fill.trade_id: (trade.trade_id, fill) for trade in documents for fill in trade.fills}


def _duplicate_entries(account: Account) -> Iterator[Finding]:
    entries: dict[str, set[int]] = defaultdict(set)
    for fill in account.book.fills:
        tag = read_client_id(fill.order.request.client_id)
        if tag is not None and tag.leg == "entry":
            entries[tag.signal].add(fill.order.order_id)
    for signal, orders in entries.items():
        if len(orders) > 1:
            yield Finding("duplicate_entry", f"signal {signal}: entries {sorted(orders)} were all filled")


def _orphans(account: Account) -> Iterator[Finding]:
    """Exits of ours that wait where nothing is held."""
    held = {position.symbol for position in account.held()}
    waiting = [(one.request.symbol, one.request.client_id) for one in account.book.open_orders()]
    waiting += [(one.request.symbol, one.request.client_id) for one in account.book.open_algos()]
    for symbol, client_id in waiting:
        if symbol not in held and read_client_id(client_id) is not None:
            yield Finding("orphan", f"{symbol} is flat, and {client_id} still waits")


def _doubly_booked(documents: Iterable[Trade]) -> Iterator[Finding]:
    seen: dict[int, str] = {}
    for trade in documents:
        for fill in trade.fills:
            if fill.trade_id in seen:
                what = f"fill {fill.trade_id} is booked in {seen[fill.trade_id]} and in {trade.trade_id}"
                yield Finding("invented_fill", what, fill.time_ms)
            seen[fill.trade_id] = trade.trade_id


def _invented(outcome: Outcome, booked: Mapping[int, tuple[str, Booked]]) -> Iterator[Finding]:
    ledger = {fill.trade_id: fill for fill in outcome.account.book.fills}
    found = pieces(outcome.account, outcome.documents)
    turning = {piece.fill.trade_id: piece.share for piece in found if piece.fill is not None}
    for number, (trade_id, fill) in booked.items():
        if fill == opening_of(outcome.documents[trade_id]):
            yield from _opening(outcome, trade_id, fill)
            continue
        real = ledger.get(number)
        if real is None:
            yield Finding("invented_fill", f"{trade_id}: fill {number} never was", fill.time_ms)
            continue
        said = (fill.side, fill.price, money(fill.quantity), money(fill.fee), fill.fee_asset, fill.realised)
        true = (
            real.order.request.side,
            real.price,
            money(real.quantity * turning[number]),
            money(real.commission * turning[number]),
            real.commission_asset,
            real.realised,
        )
        if said != true:
            yield Finding("wrong_fill", f"{trade_id}: fill {number} is {true}, booked as {said}", fill.time_ms)


def _opening(outcome: Outcome, trade_id: str, opening: Booked) -> Iterator[Finding]:
    """What an adopted trade says that it has found must have stood at the venue when it was read; reads may be late."""
    symbol, at_ms = outcome.documents[trade_id].symbol, opening.time_ms
    if not was_held(outcome.account, symbol, opening, (at_ms - _OLDEST_READ_MS, at_ms + _LONGEST_WAY_MS)):
        what = f"{trade_id}: {symbol} never was {opening.side} {opening.quantity} at {opening.price}"
        yield Finding("invented_fill", what, at_ms)


def _lost(
    account: Account, documents: Mapping[str, Trade], booked: Mapping[int, tuple[str, Booked]]
) -> Iterator[Finding]:
    for piece in pieces(account, documents):
        if (fill := piece.fill) is None:
            continue
        tag = read_client_id(fill.order.request.client_id)
        found = booked.get(fill.trade_id)
        name = f"fill {fill.trade_id} of {fill.order.request.client_id or 'nobody'} ({fill.order.request.symbol})"
        must = piece.owner is not None and not (piece.adds and tag is None)
        if found is None and (must or (tag is not None and tag.sender == "executor")):
            yield Finding("lost_fill", f"{name} is in no document; it belongs to {piece.owner}", fill.time_ms)
        elif found is not None and piece.owner is not None and found[0] != piece.owner:
            yield Finding("wrong_fill", f"{name} belongs to {piece.owner}, not to {found[0]}", fill.time_ms)


def _funding(outcome: Outcome) -> Iterator[Finding]:
    """What was paid while a trade's position stood is in that trade."""
    owed: dict[str, Decimal] = defaultdict(Decimal)
    known = list(pieces(outcome.account, outcome.documents))
    for line in outcome.account.income:
        if line.kind != "FUNDING_FEE":
            continue
        before = [one for one in known if one.symbol == line.symbol and one.time_ms < line.time_ms]
        if before and (owner := before[-1].heir) is not None:
            # Documents count what was paid, statements what was received.
            owed[owner] -= line.amount
    for trade in outcome.documents.values():
        if trade.funding != owed[trade.trade_id]:
            what = f"{trade.trade_id}: funding is {owed[trade.trade_id]}, booked as {trade.funding}"
            yield Finding("funding", what)


def _signals(outcome: Outcome) -> Iterator[Finding]:
    """Each signal is one document in a final state, which fits what was filled."""
    entered: set[str] = set()
    for fill in outcome.account.book.fills:
        tag = read_client_id(fill.order.request.client_id)
        if tag is not None and tag.leg == "entry":
            entered.add(tag.signal)
    for signal in outcome.signals:
        trade = outcome.documents.get(signal)
        if trade is None:
            yield Finding("signal_state", f"signal {signal} has no document")
        elif not trade.is_final:
            yield Finding("signal_state", f"signal {signal} is still {trade.state}")
        elif (trade.state == "closed") != (trade.signal_letters in entered):
            yield Finding("signal_state", f"signal {signal} is {trade.state}, but the ledger says otherwise")


def _left_open(outcome: Outcome) -> Iterator[Finding]:
    """Positions that a trade of ours opened, and that still stand."""
    heirs = {piece.symbol: piece.heir for piece in pieces(outcome.account, outcome.documents)}
    for position in outcome.account.held():
        if (owner := heirs.get(position.symbol)) is not None:
            yield Finding("open_at_the_end", f"{position.symbol}: {position.amount} of {owner} is still held")
