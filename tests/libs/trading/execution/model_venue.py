"""A venue of one symbol in memory: as few rules as an order needs, late requests, lost answers, and old reads.

What it holds is the truth that a document is measured by.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from libs.contracts.trading import OrderStatus
from libs.trading.execution.document import FillBy, OurOrder, Side
from libs.trading.execution.facts import (
    AlgoSeen,
    AlgoStatus,
    Answered,
    Canceled,
    CancelRefused,
    ExecutionSeen,
    Fact,
    Filled,
    FundingPaid,
    OrderSeen,
    RefusalVerdict,
    Refused,
)

ZERO = Decimal(0)
FEE = Decimal("0.0005")
Fate = Literal["ok", "retry", "lost", "lost_done", "lost_late", "partly", "not_sent"]
"""What becomes of a request: answered; refused for now; never arrived; carried out without an answer; carried out late without
one; carried out in part; held back before it left."""


@dataclass
class Standing:
    """An order at the venue, plain or conditional."""

    order: OurOrder
    number: int
    status: OrderStatus = "new"
    executed: Decimal = ZERO
    became: int | None = None
    by: FillBy = "executor"
    is_silent: bool = False
    history: list[tuple[int, AlgoStatus, int | None]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.status in ("new", "partially_filled") and not self.is_silent


@dataclass
class ModelVenue:
    """`partly`: the next fill at market takes half of what it could, and the rest expires; `none`: nothing of it;
    `silent`: a conditional is triggered, and no order ever comes of it. `silent_counts`: that one still counts as one that
    closes the position."""

    price: Decimal
    now_ms: int = 1_000_000
    position: Decimal = ZERO
    orders: dict[str, Standing] = field(default_factory=dict)
    fills: list[tuple[ExecutionSeen, FillBy, str]] = field(default_factory=list)
    told: list[Fact] = field(default_factory=list)
    late: list[tuple[int, OurOrder]] = field(default_factory=list)
    positions: list[tuple[int, Decimal]] = field(default_factory=list)
    fundings: list[FundingPaid] = field(default_factory=list)
    next_fill: Literal["full", "partly", "none", "silent"] = "full"
    silent_counts: bool = True
    entries: dict[str, int] = field(default_factory=dict)
    sent: list[tuple[int, OurOrder]] = field(default_factory=list)
    bare_since: int | None = None
    _number: int = 100

    # --- requests --------------------------------------------------------------------------------------------------

    def place(self, order: OurOrder) -> Fact:
        """Carried out and answered."""
        self.sent.append((self.now_ms, order))
        verdict = self._objection(order)
        if verdict is not None:
            return Refused(order.client_id, verdict[0], verdict[1], "", self.now_ms)
        standing = Standing(order, self._next())
        standing.history.append((self.now_ms, "waiting", None))
        self.orders[order.client_id] = standing
        if not order.is_conditional:
            if order.leg == "entry":
                self.entries[order.client_id] = self.entries.get(order.client_id, 0) + 1
            if order.price is None or self._crossed(order):
                self._match(standing, self.price if order.price is None else order.price)
        self._look()
        return self.answer(order.client_id)

    def place_later(self, order: OurOrder, at_ms: int) -> None:
        """It is on its way, and arrives if it is still valid then."""
        self.late.append((at_ms, order))

    def cancel(self, client_id: str) -> Fact:
        standing = self.orders.get(client_id)
        if standing is None or not standing.is_open or standing.became is not None:
            return CancelRefused(client_id, "gone", "", self.now_ms)
        self._set(standing, "canceled", "canceled")
        self._look()
        return Canceled(client_id, self.now_ms) if standing.order.is_conditional else self.answer(client_id)

    def ask(self, order: OurOrder, age_ms: int = 0) -> Fact | None:
        """None: there is no such order. A conditional may be told as it was `age_ms` ago."""
        standing = self.orders.get(order.client_id)
        if standing is None:
            return None
        if order.is_conditional and order.order_id is None:
            known = [one for one in standing.history if one[0] <= self.now_ms - age_ms]
            return self._algo(standing, *known[-1][1:]) if known else None
        return self._plain(standing)

    def answer(self, client_id: str) -> Fact:
        standing = self.orders[client_id]
        if standing.order.is_conditional and standing.became is None:
            return self._algo(standing, *standing.history[-1][1:])
        return self._plain(standing)

    def held(self, age_ms: int = 0) -> Decimal:
        """The position as it was then."""
        known = [amount for time_ms, amount in self.positions if time_ms <= self.now_ms - age_ms]
        return known[-1] if known else ZERO

    # --- the market and others -------------------------------------------------------------------------------------

    def pass_time(self, milliseconds: int) -> None:
        """What is on its way arrives at its time."""
        until = self.now_ms + milliseconds
        for at_ms, order in sorted(self.late, key=lambda one: one[0]):
            if at_ms <= until:
                self.late.remove((at_ms, order))
                self.now_ms = max(self.now_ms, at_ms)
                if self.now_ms <= order.valid_until_ms:
                    self.place(order)
        self.now_ms = until

    def trade_at(self, price: Decimal) -> None:
        """The market goes there: conditionals trigger, resting orders fill."""
        self.price = price
        for standing in list(self.orders.values()):
            if not standing.is_open:
                continue
            if standing.order.is_conditional and standing.became is None and self._triggers(standing.order):
                if self.next_fill == "silent":
                    self._silence(standing)
                    continue
                standing.became = self._next()
                standing.history.append((self.now_ms, "triggered", standing.became))
                self._match(standing, price)
            elif standing.order.price is not None and self._crossed(standing.order):
                self._match(standing, standing.order.price)
        self._look()

    def somebody(self, by: FillBy, side: Side, quantity: Decimal) -> None:
        """A fill on the account that is of no order of ours."""
        self._fill(side, min(quantity, abs(self.position)), (f"{by}-{self._number}", self._next()), by)
        self._look()

    @property
    def has_silent(self) -> bool:
        return any(one.is_silent for one in self.orders.values())

    def open_orders(self) -> list[str]:
        return [name for name, standing in self.orders.items() if standing.is_open]

    # --- inside ----------------------------------------------------------------------------------------------------

    def _objection(self, order: OurOrder) -> tuple[RefusalVerdict, int] | None:
        before = self.orders.get(order.client_id)
        if before is not None and before.is_open:
            return "duplicate", -4116
        if order.quantity is None and any(
            one.order.quantity is None and self._closes(one) for one in self.orders.values()
        ):
            return "duplicate", -4130
        if order.trigger is not None and self._triggers(order):
            return "price", -2021
        if order.reduce_only and not order.is_conditional and not self._reducible(order):
            return "reduce_only", -2022
        return None

    def _closes(self, standing: Standing) -> bool:
        return standing.is_open or (standing.is_silent and self.silent_counts)

    def _silence(self, standing: Standing) -> None:
        self.next_fill = "full"
        standing.is_silent = True
        standing.history.append((self.now_ms, "triggered", None))
        self.told.append(self.answer(standing.order.client_id))

    def _triggers(self, order: OurOrder) -> bool:
        if order.trigger is None:
            return False
        rises = (order.side == "BUY") == (order.leg not in ("take_profit_1", "take_profit_2"))
        return self.price >= order.trigger if rises else self.price <= order.trigger

    def _crossed(self, order: OurOrder) -> bool:
        if order.price is None:
            return False
        return self.price >= order.price if order.side == "SELL" else self.price <= order.price

    def _reducible(self, order: OurOrder) -> Decimal:
        held = self.position if order.side == "SELL" else -self.position
        return max(ZERO, held)

    def _match(self, standing: Standing, price: Decimal) -> None:
        order = standing.order
        wanted = self._reducible(order) if order.quantity is None else order.quantity - standing.executed
        amount = wanted if order.leg == "entry" else min(wanted, self._reducible(order))
        fate, self.next_fill = self.next_fill, "full"
        if fate != "full":
            half = (amount / 2).quantize(Decimal("0.001"))
            amount = half if fate == "partly" else ZERO
        if amount:
            standing.executed += amount
            self._fill(order.side, amount, (order.client_id, standing.became or standing.number), "executor", price)
        if amount == wanted and amount:
            self._set(standing, "filled", "finished")
        elif order.price is not None and self._reducible(order):
            self._set(standing, "partially_filled" if standing.executed else "new", "waiting")
        else:
            self._set(standing, "expired", "finished")

    def _fill(
        self, side: Side, quantity: Decimal, order: tuple[str, int], by: FillBy, price: Decimal | None = None
    ) -> None:
        at = self.price if price is None else price
        before = self.position
        self.position += quantity if side == "BUY" else -quantity
        assert before * self.position >= 0, "turned round"
        fee = at * quantity * FEE
        seen = ExecutionSeen(
            self._next(), order[1], side, at, quantity, fee, "USDT", fee, ZERO, False, self.now_ms, order[0]
        )
        self.fills.append((seen, by, order[0]))
        self.positions.append((self.now_ms, self.position))
        self.told.append(Filled(seen, by))
        if not self.position:
            for standing in self.orders.values():
                if standing.is_open and standing.order.reduce_only and not standing.order.is_conditional:
                    self._set(standing, "expired", "expired")

    def _set(self, standing: Standing, status: OrderStatus, algo: AlgoStatus) -> None:
        standing.status = status
        standing.history.append((self.now_ms, algo, standing.became))
        self.told.append(self.answer(standing.order.client_id))

    def _plain(self, standing: Standing) -> Fact:
        order = standing.order
        number = standing.became if standing.became is not None else standing.number
        seen = OrderSeen(
            order.client_id, number, order.side, standing.status, order.quantity or ZERO, standing.executed
        )
        return Answered(order.client_id, replace(seen, updated_ms=self.now_ms), self.now_ms)

    def _algo(self, standing: Standing, status: AlgoStatus, became: int | None) -> Fact:
        order = standing.order
        seen = AlgoSeen(
            order.client_id,
            standing.number,
            order.side,
            status,
            order.quantity or ZERO,
            order.trigger or ZERO,
            order_id=became,
        )
        return Answered(order.client_id, seen, self.now_ms)

    def _look(self) -> None:
        """Since when a position is there without a stop for all of it."""
        covers = any(
            one.is_open and one.order.leg in ("stop", "bridge") and one.became is None and self._is_enough(one.order)
            for one in self.orders.values()
        )
        if not self.position or covers:
            self.bare_since = None
        elif self.bare_since is None:
            self.bare_since = self.now_ms

    def _is_enough(self, order: OurOrder) -> bool:
        return order.quantity is None or order.quantity >= abs(self.position)

    def _next(self) -> int:
        self._number += 1
        return self._number
