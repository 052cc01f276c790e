"""What a run came to, by the exchange's own ledger; the documents are only compared with it.

Excuses, all there are:
1. A fill of the guard, of the venue (liquidation, ADL, settlement) or of a person may be in no document when the position that it
   changed was opened by nobody's trade: nobody claims what a stranger began.
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
from services.exchange_simulator.trading.orders import SIGN, ZERO, Fill
from tests.chaos.money.findings import Finding


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
    turning = {piece.fill.trade_id: piece.share for piece in _pieces(outcome.account, outcome.documents)}
    for number, (trade_id, fill) in booked.items():
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


@dataclass(frozen=True, slots=True)
class _Piece:
    """A ledger's fill, and the trade whose entry opened the position that it changed; None: somebody else's. `adds`: it made the
    position larger. `heir`: whose the position is after it. `share`: of it, that has closed the owner's
    position; 1 for whatever does not turn it around."""

    fill: Fill
    owner: str | None
    adds: bool
    heir: str | None
    share: Decimal


def _pieces(account: Account, documents: Mapping[str, Trade]) -> Iterator[_Piece]:
    """Positions of one-way mode, from flat to flat, or to where nothing but a stranger's is left. A fill that goes through zero
    closes one and begins the next."""
    letters = {trade.signal_letters: trade.trade_id for trade in documents.values() if trade.signal_letters}
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    own: dict[str, Decimal] = defaultdict(Decimal)
    owners: dict[str, str | None] = {}
    for fill in account.book.fills:
        request = fill.order.request
        symbol, before = request.symbol, amounts[request.symbol]
        amounts[symbol] = after = before + SIGN[request.side] * fill.quantity
        tag = read_client_id(request.client_id)
        is_entry = tag is not None and tag.sender == "executor" and tag.leg == "entry"
        if not before:
            owners[symbol] = letters.get(tag.signal, f"unknown {tag.signal}") if tag and is_entry else None
            own[symbol] = ZERO
        adds = abs(after) > abs(before) and before * after >= 0
        own[symbol] += (fill.quantity if is_entry else ZERO) if adds else -fill.quantity
        owner = owners[symbol]
        if before * after < 0 or own[symbol] <= 0:
            owners[symbol] = None
        turns = before * after < 0 and tag is None and owner is not None
        yield _Piece(fill, owner, adds, owners[symbol], abs(before) / fill.quantity if turns else Decimal(1))


def _lost(
    account: Account, documents: Mapping[str, Trade], booked: Mapping[int, tuple[str, Booked]]
) -> Iterator[Finding]:
    for piece in _pieces(account, documents):
        fill = piece.fill
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
    pieces = list(_pieces(outcome.account, outcome.documents))
    for line in outcome.account.income:
        if line.kind != "FUNDING_FEE":
            continue
        before = [
            one for one in pieces if one.fill.order.request.symbol == line.symbol and one.fill.time_ms < line.time_ms
        ]
        if before and (owner := before[-1].heir) is not None:
            # Documents count what was paid, statements what was received.
            owed[owner] -= line.amount
    for trade in outcome.documents.values():
        if trade.funding != owed[trade.trade_id] and trade.origin != "adopted":
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
    pieces = _pieces(outcome.account, outcome.documents)
    heirs = {piece.fill.order.request.symbol: piece.heir for piece in pieces}
    for position in outcome.account.held():
        if (owner := heirs.get(position.symbol)) is not None:
            yield Finding("open_at_the_end", f"{position.symbol}: {position.amount} of {owner} is still held")
