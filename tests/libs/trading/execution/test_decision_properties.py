"""Whatever is lost, late or old: one entry at most, soon a stop, and an end that agrees with the venue to the last fill."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from libs.trading.execution.decision import Permits
from libs.trading.execution.document import CloseWish, FillBy
from libs.trading.execution.facts import CloseWished, PositionSeen, StopMoved
from libs.trading.execution.sums import entry_side, exit_side, holding_of, profit_of_trade
from tests.libs.trading.execution.carrier import PRICE, Carrier, a_trade
from tests.libs.trading.execution.model_venue import Fate, ModelVenue

BARE_MS = 5_000
fates: st.SearchStrategy[Fate] = st.sampled_from(
    ("ok", "ok", "ok", "retry", "lost", "lost_done", "lost_late", "partly", "not_sent")
)
prices = st.integers(-25, 25).map(lambda off: PRICE + off)


class Life(RuleBasedStateMachine):
    """A trade, and everything that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.venue = ModelVenue(PRICE)
        self.carrier = Carrier(self.venue, a_trade())
        self.is_deaf = False  # Something was lost, and nobody has looked since.

    @initialize(
        direction=st.sampled_from(("long", "short")),
        kind=st.sampled_from(("limit", "market")),
        risk=st.sampled_from((Decimal("0.1"), Decimal("0.03"), Decimal("0.37"))),
        trailing=st.sampled_from((None, Decimal(1))),
    )
    def begin(self, direction: str, kind: str, risk: Decimal, trailing: Decimal | None) -> None:
        self.carrier = Carrier(self.venue, a_trade(direction, risk, kind, trailing))  # type: ignore[arg-type]

    # --- the executor ----------------------------------------------------------------------------------------------

    @rule(some=st.lists(fates, max_size=5))
    def step(self, some: list[Fate]) -> None:
        self.carrier.fates = some
        self.carrier.step()

    @rule(some=st.lists(fates, max_size=3), after=st.integers(1, 6))
    def die(self, some: list[Fate], after: int) -> None:
        self.carrier.fates, self.carrier.dies_at = some, after
        for _ in range(after):
            self.carrier.step()
        self.carrier.dies_at = None

    @rule()
    def crash(self) -> None:
        self.carrier.crash()

    @rule()
    def calm(self) -> None:
        self.carrier.fates = []
        self.carrier.settle(2_500)

    @rule()
    def look(self) -> None:
        self.carrier.look()
        # No fill says that a trigger was of which no order came: only a read that is new enough.
        self.is_deaf = self.is_deaf and self.carrier.age_ms > 0 and self.venue.has_silent
        self.carrier.troubled_ms = self.venue.now_ms

    @rule(entries=st.booleans(), only_stops=st.booleans())
    def permit(self, entries: bool, only_stops: bool) -> None:
        self.carrier.permits = Permits(entries, only_stops, "risk_blocked")
        self.carrier.troubled_ms = self.venue.now_ms

    # --- what is heard ---------------------------------------------------------------------------------------------

    @precondition(lambda self: self.venue.told)
    @rule(data=st.data(), again=st.booleans())
    def hear_one(self, data: st.DataObject, again: bool) -> None:
        place = data.draw(st.integers(0, len(self.venue.told) - 1))
        fact = self.venue.told[place] if again else self.venue.told.pop(place)
        self.carrier.hear(fact)

    @precondition(lambda self: self.venue.told)
    @rule()
    def lose_all(self) -> None:
        self.venue.told.clear()
        self.is_deaf = True

    @rule(age=st.integers(0, 1_900))
    def read_old(self, age: int) -> None:
        self.carrier.age_ms = age

    # --- the market, and others ------------------------------------------------------------------------------------

    @rule(price=prices, fill=st.sampled_from(("full", "full", "partly", "none", "silent")))
    def market(self, price: Decimal, fill: str) -> None:
        self.venue.next_fill = fill  # type: ignore[assignment]
        self.venue.trade_at(price)
        self.venue.next_fill = "full"

    @rule(milliseconds=st.sampled_from((1, 200, 1_000, 4_000, 20_000)))
    def time(self, milliseconds: int) -> None:
        self.venue.pass_time(milliseconds)
        self.carrier.troubled_ms = self.venue.now_ms  # Nobody was there meanwhile.

    @precondition(lambda self: self.venue.position != 0)
    @rule(by=st.sampled_from(("person", "guard", "liquidation", "adl")), share=st.sampled_from((1, 2)))
    def somebody(self, by: FillBy, share: int) -> None:
        quantity = (abs(self.venue.position) / share).quantize(Decimal("0.001"))
        self.venue.somebody(by, exit_side(self.carrier.trade), quantity)

    @rule(part=st.sampled_from((None, Decimal("0.003"), Decimal("0.0001"))), name=st.sampled_from("ab"))
    def wish(self, part: Decimal | None, name: str) -> None:
        wish = CloseWish(reason="command", since_ms=self.venue.now_ms, quantity=part, wish_id=name)
        self.carrier.hear(CloseWished(wish))
        self.carrier.written = self.carrier.trade

    @rule(off=st.integers(1, 30))
    def move_stop(self, off: int) -> None:
        sign = 1 if self.carrier.trade.direction == "long" else -1
        self.carrier.hear(StopMoved(PRICE - sign * off, self.venue.now_ms))
        self.carrier.written = self.carrier.trade

    @rule()
    def look_at_position(self) -> None:
        self.carrier.hear(PositionSeen(self.venue.held(self.carrier.age_ms), self.venue.now_ms))

    # --- what holds ------------------------------------------------------------------------------------------------

    @invariant()
    def one_entry_at_most(self) -> None:
        assert sum(self.venue.entries.values()) <= 1

    @invariant()
    def the_books_never_hold_more_than_was_entered(self) -> None:
        holding = holding_of(self.carrier.trade)
        assert holding.entered <= sum(
            seen.quantity for seen, _, _ in self.venue.fills if seen.side == entry_side(self.carrier.trade)
        )

    @invariant()
    def never_long_without_a_stop(self) -> None:
        bare = self.venue.bare_since
        if bare is not None and not self.is_deaf and not self.venue.told and not self._is_the_guards():
            assert self.venue.now_ms - max(bare, self.carrier.troubled_ms) <= BARE_MS

    def _is_the_guards(self) -> bool:
        """From a break on nothing but missing stops is sent, and the venue takes none at a price that the market has passed."""
        trade, price = self.carrier.trade, self.venue.price
        if trade.bracket is None or not self.carrier.permits.only_stops:
            return False
        return price <= trade.bracket.stop if trade.direction == "long" else price >= trade.bracket.stop

    def teardown(self) -> None:
        """From here on nothing fails: it ends, flat, with nothing left, and as the venue has it."""
        carrier, venue = self.carrier, self.venue
        carrier.fates, carrier.age_ms, carrier.permits, carrier.dies_at = [], 0, Permits(entries=True), None
        carrier.look()
        carrier.settle(8_000)
        carrier.hear(CloseWished(CloseWish(reason="command", since_ms=venue.now_ms, wish_id="end")))
        for _ in range(4):
            carrier.settle(6_000)
            carrier.look()
        trade = carrier.trade
        assert trade.is_final, (trade.state, trade.orders)
        assert venue.position == 0
        assert venue.open_orders() == []
        assert {fill.trade_id for fill in trade.fills} == {seen.trade_id for seen, _, _ in venue.fills}
        assert (trade.state == "closed") == bool(venue.fills)
        flow = sum(
            ((1 if seen.side == "SELL" else -1) * seen.price * seen.quantity - seen.fee for seen, _, _ in venue.fills),
            Decimal(0),
        )
        assert profit_of_trade(trade).net == flow
        assert trade.state != "closed" or trade.exit_reason != "unexplained"


@pytest.mark.parametrize("examples", [300])
def test_a_life_under_every_trouble_ends_as_the_venue_has_it(examples: int) -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
