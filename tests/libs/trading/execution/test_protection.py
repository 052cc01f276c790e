"""From any mess of exits at the venue to the right ones, never without a stop on the way, where a second one is refused."""

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.trading.execution.protection import Exit, Held, Levels, Resting, Step, first_part, next_step, wanted
from libs.trading.filter_rows import symbol_row
from libs.trading.filters import SymbolFilters, scale_of
from libs.trading.machine.sizing import first_part as compiled_first_part

STEP = Decimal("0.001")
FILTERS = SymbolFilters("BTCUSDT", Decimal("0.1"), STEP, min_quantity=Decimal("0.002"))
LEVELS = Levels(Decimal(90), Decimal(110), Decimal(120), Decimal(101))
KINDS = st.sampled_from(
    (
        LEVELS,
        Levels(Decimal(90), Decimal(110), Decimal(120), Decimal(101), Decimal("1.5")),
        Levels(Decimal(90), None, Decimal(120), Decimal(101)),
        Levels(Decimal(90), Decimal(110), None, Decimal(101)),
        Levels(Decimal(90), None, None, Decimal(90)),
    )
)
MOST_STEPS = 6

quantities = st.integers(1, 40).map(lambda steps: steps * STEP)
triggers = st.sampled_from([Decimal(price) for price in (85, 90, 101, 110, 120)])


@st.composite
def held(draw: st.DrawFn) -> Held:
    entered = draw(quantities)
    first = first_part(entered, FILTERS)
    taken = draw(st.sampled_from((Decimal(0), first, first - first % (2 * STEP)))) if first else Decimal(0)
    left = draw(st.sampled_from((Decimal(0), entered - taken)))
    return Held(entered, taken, left, reached_first=bool(first) and taken == first)


@st.composite
def mess(draw: st.DrawFn) -> list[Resting]:
    """What may rest after crashes: at most one closing stop, as the venue sees to, and anything else several times."""
    found = []
    if draw(st.booleans()):
        found.append(Resting(Exit("stop", "stop", draw(triggers), None), 0))
    for leg, kind in (
        ("bridge", "stop"),
        ("break_even", "stop"),
        ("take_profit_1", "take_profit"),
        ("take_profit_2", "take_profit"),
        ("trailing", "trailing"),
    ):
        for generation in range(draw(st.integers(0, 2))):
            found.append(Resting(Exit(leg, kind, draw(triggers), draw(quantities)), generation))  # type: ignore[arg-type]
    return found


@dataclass
class Venue:
    """Carries out steps, one part after the other, and looks whether the position is ever without a stop that it had."""

    left: Decimal
    resting: list[Resting]
    generation: int = 10
    covered: bool = field(init=False)

    def __post_init__(self) -> None:
        self.covered = self.covers()

    def covers(self) -> bool:
        stops = [one.exit for one in self.resting if one.exit.kind == "stop"]
        return any(one.quantity is None or one.quantity >= self.left for one in stops)

    def carry_out(self, step: Step) -> None:
        for exit_ in step.place:
            assert exit_.quantity is None or 0 < exit_.quantity <= self.left, "reduces more than there is"
            closing = [one for one in self.resting if one.exit.quantity is None]
            assert exit_.quantity is not None or not closing, "-4130"
            twice = any(one.exit.leg == exit_.leg for one in self.resting)
            assert exit_.kind != "take_profit" or not twice, "two at once could sell twice"
            self.generation += 1
            self.resting.append(Resting(exit_, self.generation))
            self.look()
        for one in step.cancel:
            self.resting.remove(one)
            self.look()

    def look(self) -> None:
        assert not self.left or not self.covered or self.covers(), "without a stop"
        self.covered = self.covers()


@settings(max_examples=1_000)
@given(KINDS, held(), mess())
def test_every_mess_becomes_what_is_wanted_and_is_never_without_its_stop(
    levels: Levels, position: Held, found: list[Resting]
) -> None:
    venue = Venue(position.left, found)
    for _ in range(MOST_STEPS):
        step = next_step(levels, position, FILTERS, venue.resting)
        if step.is_nothing:
            break
        venue.carry_out(step)
    assert next_step(levels, position, FILTERS, venue.resting).is_nothing
    assert sorted(one.exit.leg for one in venue.resting) == sorted(one.leg for one in wanted(levels, position, FILTERS))
    assert {one.exit for one in venue.resting} == set(wanted(levels, position, FILTERS))


@given(held())
def test_take_profits_sell_what_is_there_and_no_more(position: Held) -> None:
    sold = [one.quantity for one in wanted(LEVELS, position, FILTERS) if one.kind == "take_profit"]
    assert sum(quantity for quantity in sold if quantity) == position.left


@settings(deadline=None)  # the first call compiles
@given(quantities)
def test_the_split_is_the_backtesters(quantity: Decimal) -> None:
    scale = scale_of(FILTERS)
    whole = int(quantity.scaleb(scale[1]))
    assert first_part(quantity, FILTERS) == Decimal(
        int(compiled_first_part(symbol_row("X", scale, FILTERS), whole))
    ).scaleb(-scale[1])


def test_a_fresh_position_gets_its_stop_first() -> None:
    step = next_step(LEVELS, Held(Decimal("0.010"), Decimal(0), Decimal("0.010")), FILTERS, [])
    assert [(one.leg, one.quantity) for one in step.place] == [
        ("stop", None),
        ("take_profit_1", Decimal("0.005")),
        ("take_profit_2", Decimal("0.005")),
    ]


def test_a_position_too_small_to_split_has_one_take_profit_at_the_second_target() -> None:
    found = wanted(LEVELS, Held(Decimal("0.003"), Decimal(0), Decimal("0.003")), FILTERS)
    assert [(one.leg, one.trigger) for one in found] == [("stop", Decimal(90)), ("take_profit_2", Decimal(120))]


def test_after_the_first_target_a_second_stop_stands_at_break_even() -> None:
    position = Held(Decimal("0.010"), Decimal("0.005"), Decimal("0.005"), reached_first=True)
    found = wanted(LEVELS, position, FILTERS)
    assert [(one.leg, one.trigger, one.quantity) for one in found] == [
        ("stop", Decimal(90), None),
        ("break_even", Decimal(101), Decimal("0.005")),
        ("take_profit_2", Decimal(120), Decimal("0.005")),
    ]


def test_moving_a_stop_goes_over_a_bridge() -> None:
    position = Held(Decimal("0.003"), Decimal(0), Decimal("0.003"))
    old = Resting(Exit("stop", "stop", Decimal(85), None), 0)
    profit = Resting(Exit("take_profit_2", "take_profit", Decimal(120), Decimal("0.003")), 0)
    bridge = Exit("bridge", "stop", Decimal(90), Decimal("0.003"))
    assert next_step(LEVELS, position, FILTERS, [old, profit]) == Step(place=(bridge,))
    over = Resting(bridge, 0)
    assert next_step(LEVELS, position, FILTERS, [old, profit, over]) == Step(cancel=(old,))
    closing = Exit("stop", "stop", Decimal(90), None)
    assert next_step(LEVELS, position, FILTERS, [profit, over]) == Step(place=(closing,))
    assert next_step(LEVELS, position, FILTERS, [profit, over, Resting(closing, 1)]) == Step(cancel=(over,))


def test_a_bridge_that_is_too_small_holds_nothing() -> None:
    position = Held(Decimal("0.003"), Decimal(0), Decimal("0.003"))
    old = Resting(Exit("stop", "stop", Decimal(85), None), 0)
    small = Resting(Exit("bridge", "stop", Decimal(90), Decimal("0.002")), 0)
    step = next_step(LEVELS, position, FILTERS, [old, small])
    assert [one.quantity for one in step.place if one.leg == "bridge"] == [Decimal("0.003")]
    assert step.cancel == (small,)


def test_a_first_take_profit_that_was_filled_in_part_asks_for_its_rest() -> None:
    found = wanted(LEVELS, Held(Decimal("0.010"), Decimal("0.002"), Decimal("0.008")), FILTERS)
    assert [(one.leg, one.quantity) for one in found[1:]] == [
        ("take_profit_1", Decimal("0.003")),
        ("take_profit_2", Decimal("0.005")),
    ]


def test_a_flat_position_keeps_nothing() -> None:
    rest = [Resting(Exit("stop", "stop", Decimal(90), None), 0)]
    assert next_step(LEVELS, Held(Decimal(1), Decimal(0), Decimal(0)), FILTERS, rest) == Step(cancel=tuple(rest))
