"""An account compared with the books: what the documents have to learn, what does not fit, and what has to go.

Pure: whoever compares reads a picture of the venue, asks for what is `wanted` and compares again with the completed picture,
folds the facts, cancels what is orphaned, and keeps `suspected` for the next time. A difference counts only when a second look,
so much later that no late news explains it, still has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from libs.trading.execution.adoption import Adoption, adoption_of
from libs.trading.execution.client_ids import SIGNAL_LETTERS, letters_of
from libs.trading.execution.config import ForeignPolicy, LiveConfig
from libs.trading.execution.document import OurOrder, Trade
from libs.trading.execution.exposure import OPENING, Attributed, attribute, finding_of, held_of
from libs.trading.execution.facts import AlgoSeen, Answered, Fact, Filled, FillsRead, OrderSeen, PositionSeen, Unclear
from libs.trading.execution.findings import Finding, FindingName
from libs.trading.execution.strays import Stray, StrayOrders
from libs.trading.execution.sums import holding_of
from libs.trading.execution.venue_facts import NOTHING, STALE_MS, FillsWanted, PositionHeld, VenuePicture, Wanted

ZERO = Decimal(0)
FindingKey = tuple[str, str, str]
LIST_DELAY_MS = 500
"""An order that was changed so shortly before a list was asked for need not stand in it."""
FILLS_REACH_MS = 7 * 24 * 3_600_000 - 60_000
"""So far back the venue tells fills by time; by their numbers it tells older ones too (reference facts, 6.2)."""
BEFORE_MS = 1_000
IN_FLIGHT = frozenset(("submitting", "unknown"))


@dataclass(frozen=True, slots=True)
class OurSide:
    """What the books say. `trades`: all that are not over; `ended`: ids of those that are. Letters: those of our client ids."""

    account_letters: str
    installation_letters: str
    trades: tuple[Trade, ...]
    ended: frozenset[str]
    config: LiveConfig


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a comparison says. `facts`: for the documents, by trade, in this order. `cancels`: orders of ours that belong to
    nothing. `adoptions`: positions that the account's policy wants taken over. `suspected`: what differs and is looked at again,
    with the time of its first look; `look_again_ms`: when that makes sense, None without anything."""

    facts: tuple[tuple[str, Fact], ...] = ()
    findings: tuple[Finding, ...] = ()
    cancels: tuple[Stray, ...] = ()
    adoptions: tuple[Adoption, ...] = ()
    wanted: Wanted = NOTHING
    suspected: Mapping[FindingKey, int] = field(default_factory=dict)
    look_again_ms: int | None = None

    def keeping_out(self, policy: ForeignPolicy) -> tuple[Finding, ...]:
        """What forbids entries anywhere on the account."""
        return tuple(one for one in self.findings if _forbids_all(one, policy))

    def symbols_kept_out(self, policy: ForeignPolicy) -> frozenset[str]:
        """The symbols that may not be entered, beyond what the whole account may not. Foreign things keep their own symbol out
        whatever the policy is: two traders of one position know nothing of each other's stops."""
        return frozenset(
            one.symbol
            for one in self.findings
            if one.symbol and one.meaning.keeps_out != "nothing" and not _forbids_all(one, policy)
        )

    def is_clean(self, policy: ForeignPolicy) -> bool:
        """Whether the account and the books agree, as far as entries are concerned, and nothing is left to be asked."""
        return self.wanted.is_nothing and not self.keeping_out(policy)


def _forbids_all(one: Finding, policy: ForeignPolicy) -> bool:
    scope = one.meaning.keeps_out
    return scope == "account" or (scope == "symbol" and not one.symbol) or (scope == "policy" and policy == "pause")


def reconcile(
    ours: OurSide, seen: VenuePicture, suspected: Mapping[FindingKey, int], *, thorough: bool = False
) -> Reconciled:
    """Compare. `suspected`: of the comparison before this one. `thorough`: read the fills of every symbol that is held, whatever
    the positions say; at a start, and after the user stream was down."""
    return _Comparison(ours, seen, suspected, thorough).result()


class _Comparison:
    """One comparison."""

    def __init__(self, ours: OurSide, seen: VenuePicture, suspected: Mapping[FindingKey, int], thorough: bool) -> None:
        self._ours, self._seen, self._suspected, self._thorough = ours, seen, suspected, thorough
        ended = frozenset(letters_of(one, SIGNAL_LETTERS) for one in ours.ended)
        self._strays = StrayOrders(ours.account_letters, ours.installation_letters, ours.trades, ended)
        self._facts: list[tuple[str, Fact]] = []
        self._findings: list[Finding] = []
        self._wanted_fills: list[FillsWanted] = []
        self._wanted_names: list[tuple[str, int]] = []
        self._adoptions: list[Adoption] = []
        self._doubts: dict[FindingKey, int] = {}
        self._listed = {one.seen.client_id: one for one in seen.conditionals}
        self._resting = {one.seen.client_id: one for one in seen.orders}
        self._resting_numbers = {one.seen.order_id: one for one in seen.orders}

    def result(self) -> Reconciled:
        by_symbol: dict[str, list[Trade]] = {}
        for trade in self._ours.trades:
            by_symbol.setdefault(trade.symbol, []).append(trade)
        held = {one.symbol: one for one in self._seen.positions if one.leg == "BOTH" and one.amount}
        self._modes()
        for symbol in sorted({*by_symbol, *held}):
            self._symbol(symbol, by_symbol.get(symbol, []), held.get(symbol))
        strays = self._strays.sorted_out(self._seen, frozenset(held))
        for found in strays.findings:
            self._when_sure(found, self._seen.oldest_ms)
        sure = {one.key for one in self._findings}
        return Reconciled(
            facts=(*self._facts, *(fact for key, fact in strays.facts if key in sure)),
            findings=tuple(self._findings),
            cancels=tuple(one for key, one in strays.cancels if key in sure),
            adoptions=tuple(self._adoptions),
            wanted=Wanted(tuple(self._wanted_fills), tuple(self._wanted_names)),
            suspected=self._doubts,
            look_again_ms=max(self._doubts.values()) + STALE_MS if self._unsure() else None,
        )

    def _unsure(self) -> bool:
        return any(one.name == "not_explained_yet" for one in self._findings)

    def _when_sure(self, finding: Finding, look_ms: int) -> bool:
        """Note a difference; it is a finding when a look so much earlier had it too."""
        first_ms = self._suspected.get(finding.key, look_ms)
        self._doubts[finding.key] = first_ms
        sure = look_ms - first_ms >= STALE_MS
        if sure:
            self._findings.append(finding)
        else:
            self._findings.append(Finding("not_explained_yet", finding.symbol, f"{finding.name}: {finding.detail}"))
        return sure

    def _find(self, name: FindingName, symbol: str, detail: str, trade_id: str | None = None) -> None:
        self._findings.append(Finding(name, symbol, detail, trade_id))

    # --- the account ------------------------------------------------------------------------------------------------

    def _modes(self) -> None:
        legs = [one for one in self._seen.positions if one.leg != "BOTH" and one.amount]
        for leg in legs:
            self._find("hedge_mode", leg.symbol, f"{leg.leg} {abs(leg.amount)}")
        if self._seen.is_hedged and not legs:
            self._find("hedge_mode", "", "two positions a symbol are possible")
        if self._seen.is_multi_assets:
            self._find("multi_assets_mode", "", "margin is of several assets")

    # --- one symbol -------------------------------------------------------------------------------------------------

    def _symbol(self, symbol: str, trades: list[Trade], held: PositionHeld | None) -> None:
        for trade in trades:
            self._orders(trade)
        if trades:
            self._terms(symbol, trades)
        self._position(symbol, trades, held)

    def _terms(self, symbol: str, trades: list[Trade]) -> None:
        status = self._seen.statuses.get(symbol)
        if status is not None and status != "TRADING":
            self._find("symbol_not_trading", symbol, status)
        terms, config = self._seen.terms.get(symbol), self._ours.config
        if terms is None or not any(held_of(trade) for trade in trades):
            return
        if terms.leverage != config.leverage_of(symbol):
            self._find("wrong_leverage", symbol, f"{terms.leverage}, configured {config.leverage_of(symbol)}")
        if terms.margin_type != config.margin_type_of(symbol):
            self._find("wrong_margin_type", symbol, f"{terms.margin_type}, configured {config.margin_type_of(symbol)}")

    def _position(self, symbol: str, trades: list[Trade], held: PositionHeld | None) -> None:
        """Ours and theirs, in this order: what the documents say, what the list of fills adds to it, what is left over. Positions
        are compared only when nothing of ours is under way; fills are booked whenever they are there."""
        amount = held.amount if held is not None else ZERO
        settled = _is_settled(trades, self._seen.positions_ms)
        left = sum((held_of(trade) for trade in trades), ZERO)
        differs = settled and left != amount
        if trades and (self._thorough or differs or any(holding_of(trade).missing for trade in trades)):
            found = self._read_fills(symbol, trades)
            if found is None:
                return
            left = found.ours
        if settled:
            self._flat(trades, amount)
            self._rest(symbol, trades, (left, amount), held)
            self._protection(symbol, trades, left)

    def _read_fills(self, symbol: str, trades: list[Trade]) -> Attributed | None:
        """Whose the fills are; None while something has to be asked first."""
        fills = self._seen.fills.get(symbol)
        if fills is None:
            self._want_fills(symbol, trades)
            return None
        names = {number: name for (of, number), name in self._seen.names.items() if of == symbol}
        found = attribute(trades, fills.fills, names)
        if found.unnamed:
            self._wanted_names += [(symbol, number) for number in found.unnamed]
            return None
        self._book(symbol, trades, found.facts, fills.asked_ms if fills.is_whole else None)
        return found

    def _want_fills(self, symbol: str, trades: list[Trade]) -> None:
        if symbol in self._seen.fills:
            return
        fills = [fill for trade in trades for fill in trade.fills]
        opened = [fill.time_ms for fill in fills if fill.trade_id <= OPENING]
        begun = opened or [ms - BEFORE_MS for trade in trades if (ms := _begun_ms(trade))]
        reach_ms = self._seen.positions_ms - FILLS_REACH_MS
        since_ms = min(begun, default=reach_ms)
        first = None if opened else min((fill.trade_id for fill in fills), default=None)
        self._wanted_fills.append(FillsWanted(symbol, first, max(since_ms, reach_ms)))

    def _book(
        self, symbol: str, trades: list[Trade], facts: tuple[tuple[str, Filled], ...], read_ms: int | None
    ) -> None:
        for trade_id, fact in facts:
            fill = fact.execution
            self._facts.append((trade_id, fact))
            self._find(finding_of(fact.by), symbol, f"{fill.side} {fill.quantity} at {fill.price}", trade_id)
        if read_ms is not None:
            self._facts += [(trade.trade_id, FillsRead(read_ms)) for trade in trades if trade.fills_read_ms < read_ms]

    def _flat(self, trades: list[Trade], amount: Decimal) -> None:
        """What a trade holds at most is told where it matters: a flat look counts towards its end, another one takes that back.
        A position of the other side is none of ours."""
        for trade in trades:
            mine = ZERO if (amount > 0) != (trade.direction == "long") else amount
            if trade.fills and (not mine or trade.flat_reads):
                self._facts.append((trade.trade_id, PositionSeen(mine, self._seen.positions_ms)))

    def _rest(self, symbol: str, trades: list[Trade], sums: tuple[Decimal, Decimal], held: PositionHeld | None) -> None:
        """What is left over when all fills are booked: somebody else's, or without an explanation."""
        left, amount = sums
        if amount == left:
            return
        mine = next((trade for trade in trades if trade.fills), None)
        name = self._name_of(symbol, mine, left, amount)
        detail = f"{amount} at the venue, {left} of ours"
        found = Finding(name, symbol, detail, mine.trade_id if mine is not None else None)
        if not self._when_sure(found, self._seen.positions_ms):
            return
        if left == 0 and held is not None:
            self._adopt(held, name)
        fills = self._seen.fills.get(symbol)
        if amount == 0 and fills is not None:
            # No list will tell how it went: there is nothing to wait for.
            self._facts += [(trade.trade_id, FillsRead(fills.asked_ms)) for trade in trades if trade.fills]

    def _name_of(self, symbol: str, mine: Trade | None, left: Decimal, amount: Decimal) -> FindingName:
        if left == 0 and mine is None:
            return "books_lost" if self._strays.has_unbooked(symbol, self._seen) else "foreign_position"
        if left == 0:
            return "side_flipped" if _turned(mine, amount) else "foreign_position"
        if left * amount < 0:
            return "side_flipped"
        return "position_larger" if abs(amount) > abs(left) else "fills_out_of_reach"

    def _adopt(self, held: PositionHeld, name: FindingName) -> None:
        """By policy; in hedge mode, or beside another installation, nobody takes anything over."""
        if self._ours.config.foreign_policy == "adopt" and not self._seen.is_hedged and name != "side_flipped":
            risk = self._ours.config.risk_of(held.symbol)
            self._adoptions.append(adoption_of(held, risk, self._seen))

    def _protection(self, symbol: str, trades: list[Trade], left: Decimal) -> None:
        """An open position has a stop that the venue lists."""
        for trade in trades:
            if not left or not held_of(trade) or any(order.status in IN_FLIGHT for order in trade.orders):
                continue
            stops = [order for order in trade.orders if order.leg in ("stop", "bridge") and not order.is_final]
            if not any(order.client_id in self._listed or order.order_id for order in stops):
                finding = Finding("stop_missing", symbol, f"{abs(held_of(trade))} {trade.direction}", trade.trade_id)
                self._when_sure(finding, self._seen.conditionals_ms)

    # --- orders that the documents know -----------------------------------------------------------------------------

    def _orders(self, trade: Trade) -> None:
        for order in trade.orders:
            if order.is_final:
                continue
            told = self._told(order)
            if told is not None:
                if _says_more(told, order):
                    self._facts.append((trade.trade_id, Answered(order.client_id, told, self._seen.oldest_ms)))
            elif order.status in ("new", "partially_filled") and self._should_be_listed(order):
                self._facts.append((trade.trade_id, Unclear(order.client_id, self._seen.oldest_ms)))
                self._find("order_missing", trade.symbol, f"{order.leg} {order.client_id}", trade.trade_id)

    def _told(self, order: OurOrder) -> OrderSeen | AlgoSeen | None:
        """What a list says of it: a conditional stands in its own list until it is triggered, then its order in the other."""
        if order.is_conditional:
            child = self._resting_numbers.get(order.order_id) if order.order_id is not None else None
            if child is not None:
                return child.seen
            waits = self._listed.get(order.client_id)
            # A list may be late: what has been triggered since does not wait again.
            return waits.seen if waits is not None and order.order_id is None else None
        rests = self._resting.get(order.client_id)
        return rests.seen if rests is not None else None

    def _should_be_listed(self, order: OurOrder) -> bool:
        changed_ms = max(order.updated_ms, order.intended_ms)
        if order.is_conditional and order.order_id is None:
            return self._seen.conditionals_ms > changed_ms + STALE_MS
        return self._seen.orders_ms > changed_ms + LIST_DELAY_MS


def _turned(trade: Trade | None, amount: Decimal) -> bool:
    return trade is not None and (amount > 0) != (trade.direction == "long")


def _begun_ms(trade: Trade) -> int:
    """When the first of its orders may have been sent; 0 where nothing says so."""
    meant = [order.intended_ms for order in trade.orders if order.intended_ms]
    return min(meant, default=trade.times.decided_ms or trade.times.signal_ms)


def _says_more(told: OrderSeen | AlgoSeen, order: OurOrder) -> bool:
    if isinstance(told, AlgoSeen):
        return order.status != "new" or order.venue_id != told.algo_id
    return order.status != told.status or order.executed < told.executed


def _is_settled(trades: list[Trade], look_ms: int) -> bool:
    """Whether nothing of ours is under way, and the look is so much later than the last thing that happened that it cannot be of
    before it."""
    moves = [order for trade in trades for order in trade.orders if order.status in IN_FLIGHT]
    last = [fill.time_ms for trade in trades for fill in trade.fills]
    last += [order.updated_ms for trade in trades for order in trade.orders if order.executed]
    return not moves and look_ms >= max(last, default=0) + STALE_MS
