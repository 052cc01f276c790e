"""Whether and how much is entered: every refusal has its reason, sizes lose no more than 1 R, and names are the venue's."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.signals import SignalScored
from libs.trading.execution.admission import LONGEST_PRICE_AGE_MS, Quote, Standing, objection
from libs.trading.execution.client_ids import read_client_id
from libs.trading.execution.config import LiveConfig, SymbolOverride
from libs.trading.execution.document import Bracket, Trade
from libs.trading.execution.entry import EntryTerms, Naming, entered
from libs.trading.execution.levels import on_ticks
from libs.trading.execution.wish import REFUSALS, EntryWish, Refusal, RefusalReason, refused, refused_wish, wish_of
from libs.trading.filters import SymbolFilters
from libs.trading.signal_columns import signal_columns
from tests.libs.trading.execution.carrier import FILTERS, PRICE, START_MS, VALID_MS, a_wish

CONFIG = LiveConfig(strategies=("one",), risk_per_trade=Decimal("0.1"), signal_valid_seconds=VALID_MS // 1000)
TERMS = EntryTerms(FILTERS, PRICE, Decimal(10_000))
NAMING = Naming("a", "i")
SIGNAL = SignalScored(
    event_id="signal-1",
    event_time_ms=START_MS,
    strategy="one",
    version=3,
    symbol="BTCUSDT",
    score=80.0,
    threshold=70.0,
    direction="long",
    state="emitted",
    reason=None,
    sentence="",
    price=PRICE,
    atr=Decimal(5),
    take_profit_1=Decimal(110),
    take_profit_2=Decimal(120),
    stop_loss=Decimal(90),
    hold_until_ms=START_MS + 60_000,
    contributions=(),
    inputs={},
    coverage={},
)


def changed(config: LiveConfig, **changes: Any) -> LiveConfig:
    return LiveConfig.model_validate(config.model_dump() | changes)


def test_every_reason_has_its_sentence() -> None:
    assert set(REFUSALS) == set(get_args(RefusalReason))
    assert all(sentence and not sentence.endswith(".") for sentence in REFUSALS.values())


def test_a_signal_becomes_a_wish_with_its_bracket() -> None:
    wish = wish_of(SIGNAL, CONFIG, START_MS + 1_000)
    assert isinstance(wish, EntryWish)
    assert (wish.trade_id, wish.direction, wish.price) == ("signal-1", "long", PRICE)
    bracket = wish.bracket
    assert [bracket.stop, bracket.take_profit_1, bracket.take_profit_2] == [Decimal(90), Decimal(110), Decimal(120)]
    assert wish.bracket.hold_until_ms == START_MS + 60_000
    assert wish.valid_until_ms == START_MS + VALID_MS


def test_how_the_exits_work_is_the_strategys_word() -> None:
    said = _with(take_profit_type="market", trailing_distance=Decimal(2), working_type="mark")
    wish = wish_of(said, CONFIG, START_MS)
    assert isinstance(wish, EntryWish)
    assert (wish.bracket.take_profit_type, wish.bracket.working_type) == ("market", "mark")
    assert wish.trailing_distance == Decimal(2)
    plain = wish_of(SIGNAL, CONFIG, START_MS)
    assert isinstance(plain, EntryWish)
    assert (plain.bracket.take_profit_type, plain.bracket.working_type) == ("limit", "last")
    assert plain.trailing_distance is None


def test_no_position_is_held_longer_than_is_configured() -> None:
    wish = wish_of(SIGNAL, changed(CONFIG, hold_minutes=1, signal_valid_seconds=600), START_MS)
    late = wish_of(_with(hold_until_ms=START_MS + 10**9), changed(CONFIG, hold_minutes=2), START_MS)
    assert isinstance(wish, EntryWish)
    assert isinstance(late, EntryWish)
    assert late.bracket.hold_until_ms == START_MS + 120_000


@pytest.mark.parametrize(
    ("signal", "config", "after_ms", "reason"),
    [
        (SIGNAL, changed(CONFIG, strategies=("two",)), 0, "not_enabled"),
        (SIGNAL, changed(CONFIG, symbols=("ETHUSDT",)), 0, "not_enabled"),
        (SIGNAL, changed(CONFIG, blacklist=("BTCUSDT",)), 0, "not_enabled"),
        (SIGNAL, CONFIG, VALID_MS + 1, "expired"),
    ],
)
def test_a_signal_that_may_not_be_entered_says_why(
    signal: SignalScored, config: LiveConfig, after_ms: int, reason: str
) -> None:
    found = wish_of(signal, config, START_MS + after_ms)
    assert isinstance(found, Refusal)
    assert found.reason == reason
    trade = refused(signal, "a", found, START_MS)
    assert (trade.state, trade.reason, trade.orders) == ("refused", reason, ())
    assert trade.history[-1].why.startswith(REFUSALS[found.reason])


def test_a_signal_without_a_bracket_is_not_supported() -> None:
    found = wish_of(_with(stop_loss=None), CONFIG, START_MS)
    assert isinstance(found, Refusal)
    assert found.reason == "not_supported"


def _with(**changes: Any) -> SignalScored:
    fields = {name: getattr(SIGNAL, name) for name in SIGNAL.__struct_fields__}
    return SignalScored(**(fields | changes))


# --- admission -----------------------------------------------------------------------------------------------------

NOW = START_MS + 1_000
QUOTE = Quote(PRICE, NOW)


@pytest.mark.parametrize(
    ("standing", "quote", "reason"),
    [
        (Standing(), QUOTE, None),
        (Standing(blocked=(("guard_silent", ""), ("risk_blocked", ""))), QUOTE, "guard_silent"),
        (Standing(foreign=frozenset({"BTCUSDT"})), QUOTE, "foreign"),
        (Standing(locked={"BTCUSDT": NOW + 1}), QUOTE, "locked"),
        (Standing(locked={"BTCUSDT": NOW}), QUOTE, None),
        (Standing(busy=frozenset({"BTCUSDT"})), QUOTE, "position_open"),
        (Standing(cooling={"BTCUSDT": NOW + 1}), QUOTE, "cooldown"),
        (Standing(busy=frozenset({"A1", "A2", "A3"})), QUOTE, "max_positions"),
        (Standing(busy=frozenset({"A1", "A2"})), QUOTE, None),
        (Standing(), None, "price_unknown"),
        (Standing(), Quote(PRICE, NOW - LONGEST_PRICE_AGE_MS - 1), "price_unknown"),
        (Standing(), Quote(PRICE * Decimal("1.005"), NOW), None),
        (Standing(), Quote(PRICE * Decimal("0.994"), NOW), "price_gap"),
    ],
)
def test_what_keeps_an_entry_back(standing: Standing, quote: Quote | None, reason: str | None) -> None:
    found = objection(a_wish(), CONFIG, standing, quote, NOW)
    assert (None if found is None else found.reason) == reason


def test_a_wish_that_has_expired_is_no_longer_admitted() -> None:
    found = objection(a_wish(), CONFIG, Standing(), QUOTE, START_MS + VALID_MS + 1)
    assert found is not None
    assert found.reason == "expired"
    trade = refused_wish(a_wish(), "a", found, NOW)
    assert (trade.state, trade.reason) == ("refused", "expired")


# --- size ----------------------------------------------------------------------------------------------------------


def test_an_entry_is_at_market_for_one_r_and_its_id_says_whose_it_is() -> None:
    trade = entered(a_wish(), CONFIG, TERMS, NAMING, START_MS)
    assert isinstance(trade, Trade)
    entry = trade.orders[0]
    assert (entry.side, entry.quantity, entry.price, entry.trigger, entry.status) == (
        "BUY",
        Decimal("0.010"),
        None,
        None,
        "intended",
    )
    tag = read_client_id(entry.client_id)
    assert tag is not None
    assert (tag.sender, tag.leg, tag.signal) == ("executor", "entry", trade.signal_letters)


@pytest.mark.parametrize(
    ("config", "terms", "reason"),
    [
        (changed(CONFIG, risk_per_trade=Decimal("0.001")), TERMS, "below_minimum"),
        (CONFIG, replace(TERMS, filters=replace(FILTERS, min_notional=Decimal(5))), "below_minimum"),
        (changed(CONFIG, max_notional=Decimal("0.9")), TERMS, "over_notional"),
        (CONFIG, replace(TERMS, available=Decimal("0.2")), "over_margin"),
        (changed(CONFIG, leverage=10, margin_type="ISOLATED"), TERMS, "near_liquidation"),
        (CONFIG, replace(TERMS, price=Decimal(90)), "stop_passed"),
        (CONFIG, replace(TERMS, price=Decimal(80)), "stop_passed"),
    ],
)
def test_a_size_that_may_not_be_is_refused(config: LiveConfig, terms: EntryTerms, reason: str) -> None:
    found = entered(a_wish(), config, terms, NAMING, START_MS)
    assert isinstance(found, Refusal)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("configured", "own", "asked", "taken"),
    [
        ("0.1", None, "0.1", True),
        ("0.1", None, "0.101", False),
        ("0.1", None, "1000000", False),
        ("0.1", "0.2", "0.2", True),
        ("0.2", "0.1", "0.2", False),
    ],
)
def test_nobody_risks_more_by_hand_than_is_configured(
    configured: str, own: str | None, asked: str, taken: bool
) -> None:
    override = {} if own is None else {"BTCUSDT": SymbolOverride(risk_per_trade=Decimal(own)).model_dump()}
    config = changed(CONFIG, risk_per_trade=Decimal(configured), overrides=override)
    found = entered(replace(a_wish(), risk=Decimal(asked)), config, TERMS, NAMING, START_MS)
    assert isinstance(found, Trade if taken else Refusal)
    assert isinstance(found, Trade) or found.reason == "over_risk"


@pytest.mark.parametrize(("distance", "percent"), [("0.14", "0.1"), ("2.26", "2.3"), ("10", "10.0")])
def test_a_trailing_distance_is_sent_in_tenths_of_a_percent(distance: str, percent: str) -> None:
    trade = entered(a_wish(trailing=Decimal(distance)), CONFIG, TERMS, NAMING, START_MS)
    assert isinstance(trade, Trade)
    assert trade.trailing is not None
    assert trade.trailing.callback_percent == Decimal(percent)


@pytest.mark.parametrize("distance", ["0.04", "10.1"])
def test_a_trailing_distance_that_the_venue_does_not_take_is_refused(distance: str) -> None:
    found = entered(a_wish(trailing=Decimal(distance)), CONFIG, TERMS, NAMING, START_MS)
    assert isinstance(found, Refusal)
    assert found.reason == "not_supported"


def test_a_symbols_own_risk_counts() -> None:
    config = changed(CONFIG, overrides={"BTCUSDT": SymbolOverride(risk_per_trade=Decimal("0.2")).model_dump()})
    trade = entered(a_wish(), config, TERMS, NAMING, START_MS)
    assert isinstance(trade, Trade)
    assert trade.quantity == Decimal("0.020")


@settings(deadline=None)
@given(
    direction=st.sampled_from(("long", "short")),
    stop=st.decimals("0.01", "30", places=4),
    price=st.decimals("70", "130", places=1),
    risk=st.decimals("0.05", "50", places=2),
)
def test_no_more_than_one_r_is_lost_at_the_stop(direction: str, stop: Decimal, price: Decimal, risk: Decimal) -> None:
    """Whatever the rounding: the stop goes to the nearest tick, the quantity, for that stop, down to a step."""
    wish = a_wish(direction)  # type: ignore[arg-type]
    sign = 1 if direction == "long" else -1
    meant = PRICE - sign * stop
    wish = replace(wish, bracket=msgspec.structs.replace(wish.bracket, stop=meant))
    trade = entered(wish, changed(CONFIG, risk_per_trade=risk), replace(TERMS, price=price), NAMING, START_MS)
    if isinstance(trade, Refusal):
        return
    assert trade.bracket is not None
    placed = trade.bracket.stop
    assert placed % FILTERS.tick == 0
    assert abs(placed - meant) <= FILTERS.tick / 2
    assert sign * (price - placed) > 0
    assert trade.quantity * abs(price - placed) <= risk
    assert trade.quantity % FILTERS.quantity_step == 0


@given(
    level=st.integers(1, 10**9),
    direction=st.sampled_from(["long", "short"]),
    tick=st.sampled_from(["0.1", "0.05", "0.5"]),
)
def test_a_bracket_stands_on_the_ticks_that_it_has_on_paper(level: int, direction: str, tick: str) -> None:
    price = Decimal(level).scaleb(-3)
    filters = SymbolFilters("BTCUSDT", Decimal(tick), Decimal("0.001"))
    bracket = Bracket(stop=price, take_profit_1=price + 1, take_profit_2=price + 2, hold_until_ms=1)
    signal = msgspec.structs.replace(
        SIGNAL, direction=direction, hold_until_ms=1, stop_loss=price, take_profit_1=price + 1, take_profit_2=price + 2
    )
    paper = signal_columns([signal], {"BTCUSDT": (2, 3)}, {"BTCUSDT": filters})
    placed = on_ticks(bracket, filters)
    levels = [placed.stop, placed.take_profit_1, placed.take_profit_2]
    columns = (paper.stop, paper.target_1, paper.target_2)
    assert levels == [Decimal(int(column[0])).scaleb(-2) for column in columns]
