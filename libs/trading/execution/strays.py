"""Orders that rest at the venue and stand in no document of an open trade: whose they are, and what becomes of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from libs.trading.execution.client_ids import CLOSERS, Leg, OrderTag, read_client_id
from libs.trading.execution.document import OurOrder, Trade
from libs.trading.execution.exposure import FORCED, held_of
from libs.trading.execution.facts import AlgoSeen, Answered, Fact, Intended
from libs.trading.execution.findings import Finding, FindingName
from libs.trading.execution.venue_facts import OpenConditional, OpenOrder, VenuePicture

FindingKey = tuple[str, str, str]
Rests = OpenOrder | OpenConditional


@dataclass(frozen=True, slots=True)
class Stray:
    """An order of ours that belongs to nothing any more, to be cancelled."""

    symbol: str
    client_id: str
    is_conditional: bool


@dataclass(frozen=True, slots=True)
class SortedOut:
    """What was found; facts and cancels count once the finding of their key is sure."""

    findings: tuple[Finding, ...]
    facts: tuple[tuple[FindingKey, tuple[str, Fact]], ...]
    cancels: tuple[tuple[FindingKey, Stray], ...]


@dataclass(frozen=True, slots=True)
class StrayOrders:
    """Whoever sorts them. `ended`: the letters of trades that are over."""

    account: str
    installation: str
    trades: tuple[Trade, ...]
    ended: frozenset[str]

    def has_unbooked(self, symbol: str, seen: VenuePicture) -> bool:
        """Whether an order of this executor rests in the symbol whose trade is in no book."""
        booked = {trade.signal_letters for trade in self.trades}
        tags = (read_client_id(one.seen.client_id) for one in seen.resting() if one.symbol == symbol)
        ours = (tag for tag in tags if tag is not None and tag.sender == "executor" and self._is_ours(tag))
        return any(tag.signal not in booked for tag in ours)

    def sorted_out(self, seen: VenuePicture, held: frozenset[str]) -> SortedOut:
        """Of everything that rests, what no open trade has; `held`: symbols with a position."""
        known = {order.client_id for trade in self.trades for order in trade.orders}
        numbers = {order.order_id for trade in self.trades for order in trade.orders if order.order_id is not None}
        details: dict[FindingKey, list[str]] = {}
        facts: list[tuple[FindingKey, tuple[str, Fact]]] = []
        cancels: list[tuple[FindingKey, Stray]] = []
        for one in seen.resting():
            if one.seen.client_id in known or (isinstance(one, OpenOrder) and one.seen.order_id in numbers):
                continue
            judged = self._judged(one, seen, held)
            if judged is None:
                continue
            name, trade = judged
            key = (name, one.symbol, trade.trade_id if trade is not None else "")
            details.setdefault(key, []).append(one.seen.client_id)
            if name == "orphaned_order":
                cancels.append((key, Stray(one.symbol, one.seen.client_id, isinstance(one, OpenConditional))))
            elif name == "order_taken_over" and trade is not None:
                facts += [(key, (trade.trade_id, fact)) for fact in _taken_over(one, trade)]
        found = tuple(Finding(key[0], key[1], ", ".join(ids), key[2] or None) for key, ids in details.items())  # type: ignore[arg-type]
        return SortedOut(found, tuple(facts), tuple(cancels))

    def _is_ours(self, tag: OrderTag) -> bool:
        return tag.account == self.account and (tag.sender in CLOSERS or tag.installation == self.installation)

    def _judged(self, one: Rests, seen: VenuePicture, held: frozenset[str]) -> tuple[FindingName, Trade | None] | None:
        """The finding, and the trade that it is about."""
        tag = read_client_id(one.seen.client_id)
        beside = next((trade for trade in self.trades if trade.symbol == one.symbol and held_of(trade)), None)
        if tag is None:
            return self._of_others(one, beside, seen)
        if not self._is_ours(tag):
            return "other_installation", None
        if tag.sender in CLOSERS:
            return self._of_guard(one, beside, seen, held)
        own = next((trade for trade in self.trades if trade.signal_letters == tag.signal), None)
        if own is not None:
            return "order_taken_over", own
        needless = beside is not None and _has_stop(beside, seen)
        if tag.signal in self.ended or one.symbol not in held or needless:
            return "orphaned_order", None
        # It may be what protects the position; without a trade beside it, the position itself says that books are lost.
        return ("books_lost", None) if beside is not None else None

    def _of_others(
        self, one: Rests, beside: Trade | None, seen: VenuePicture
    ) -> tuple[FindingName, Trade | None] | None:
        if any(one.seen.client_id.startswith(start) for start, _, _ in FORCED):
            return None
        if beside is None or not _protects(one, beside):
            return "foreign_order", None
        # The venue takes no second stop that closes the position: where it is the only one, it is ours to replace.
        alone = isinstance(one, OpenConditional) and one.seen.close_position and not _has_stop(beside, seen)
        return ("order_taken_over", beside) if alone else ("foreign_stop", None)

    def _of_guard(
        self, one: Rests, beside: Trade | None, seen: VenuePicture, held: frozenset[str]
    ) -> tuple[FindingName, Trade | None] | None:
        if beside is not None and _protects(one, beside) and not _has_stop(beside, seen):
            return "order_taken_over", beside
        return ("orphaned_order", None) if beside is not None or one.symbol not in held else None


def _protects(one: Rests, trade: Trade) -> bool:
    """Whether it is a stop against the trade's position."""
    against = "SELL" if trade.direction == "long" else "BUY"
    return isinstance(one, OpenConditional) and one.is_stop and one.seen.side == against


def _has_stop(trade: Trade, seen: VenuePicture) -> bool:
    """Whether a stop of the trade's own rests that covers it."""
    rests = {one.seen.client_id for one in seen.conditionals}
    return any(order.leg in ("stop", "bridge") and order.client_id in rests for order in trade.orders)


def _taken_over(one: Rests, trade: Trade) -> Iterable[Fact]:
    tag, seen = read_client_id(one.seen.client_id), one.seen
    own = tag is not None and tag.sender == "executor"
    leg: Leg = tag.leg if own and tag is not None else "stop"
    used = [order.generation for order in trade.orders if order.leg == leg]
    waits = isinstance(seen, AlgoSeen)
    order = OurOrder(
        client_id=seen.client_id,
        leg=leg,
        generation=tag.generation if own and tag is not None else max(used, default=-1) + 1,
        side=seen.side,
        quantity=None if seen.close_position else seen.quantity,
        status="new",
        trigger=seen.trigger if isinstance(seen, AlgoSeen) else None,
        price=None if isinstance(seen, AlgoSeen) else seen.price,
        working_type=seen.working_type if isinstance(seen, AlgoSeen) else "last",
        reduce_only=seen.reduce_only,
        venue_id=seen.algo_id if isinstance(seen, AlgoSeen) else seen.order_id,
        order_id=seen.order_id if waits else None,
        intended_ms=seen.updated_ms,
        updated_ms=seen.updated_ms,
    )
    yield Intended(order, seen.updated_ms)
    yield Answered(seen.client_id, seen, seen.updated_ms)
