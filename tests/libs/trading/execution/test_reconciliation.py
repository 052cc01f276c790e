"""The reconciliation matrix in its pure form: each case ends consistent, or shut out for a reason that has a name."""

from dataclasses import replace
from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.trading.execution.adoption import Adoption, adopted_trade, adoption_of
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.exposure import attribute, held_of
from libs.trading.execution.facts import AlgoSeen, Filled, FillsRead, PositionSeen
from libs.trading.execution.findings import MEANINGS
from libs.trading.execution.folds import fold, is_seen_flat
from libs.trading.execution.venue_facts import STALE_MS, OpenConditional, PositionHeld
from tests.libs.trading.execution.matrix import (
    CASES,
    Case,
    delisted_and_gone,
    external_position_adopted,
    external_position_adopted_with_its_stop,
    orphaned_exits_of_a_flat_symbol,
)
from tests.libs.trading.execution.scene import BTC, ELSEWHERE, ETH, HALF, ONE, PRICE, RULES, START_MS, Scene, client_id


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_of_the_matrix(case: Case) -> None:
    scene = Scene()
    case.arrange(scene)
    seen, last = scene.settle()
    assert {one.name for one in seen} - {"not_explained_yet"} == case.found
    policy = scene.config.foreign_policy
    shut = bool(last.keeping_out(policy)), bool(last.symbols_kept_out(policy))
    assert shut == (case.end == "account", case.end == "symbol")
    assert last.wanted.is_nothing
    states = [trade.state for trade in scene.trades.values()]
    assert states == ([case.trade] if case.trade is not None else [])
    assert sum((abs(held_of(trade)) for trade in scene.trades.values()), Decimal(0)) == (case.left if states else 0)


def test_every_finding_has_a_case() -> None:
    shown = {name for case in CASES for name in case.found}
    assert shown == MEANINGS.keys() - {"not_explained_yet"}


def test_a_difference_counts_only_when_a_second_look_has_it() -> None:
    scene = Scene()
    scene.execute(ETH, "BUY", ONE)
    first = scene.step()
    assert [one.name for one in first.findings] == ["not_explained_yet"]
    assert first.look_again_ms == scene.now_ms + STALE_MS
    assert not first.adoptions
    assert [one.name for one in scene.step().findings] == ["foreign_position"]


def test_in_hedge_mode_nothing_is_adopted_whatever_the_policy() -> None:
    scene = Scene(is_hedged=True)
    external_position_adopted(scene)
    scene.step()
    found = scene.step()
    assert "foreign_position" in {one.name for one in found.findings}
    assert (found.adoptions, scene.trades) == ((), {})


def test_two_looks_that_are_too_near_are_one() -> None:
    scene = Scene()
    scene.execute(ETH, "BUY", ONE)
    scene.suspected = dict(scene.compare().suspected)
    scene.now_ms += STALE_MS - 1
    assert [one.name for one in scene.compare().findings] == ["not_explained_yet"]


def test_what_is_gone_at_the_second_look_was_late_news() -> None:
    scene = Scene()
    scene.hold()
    scene.stale = {}
    assert [one.name for one in scene.step().findings] == ["not_explained_yet"]
    last = scene.step()
    assert (last.findings, last.suspected, last.look_again_ms) == ((), {}, None)


def test_positions_are_not_compared_while_something_is_under_way_or_has_just_happened() -> None:
    scene = Scene()
    scene.enter("submitting")
    scene.execute(BTC, "BUY", ONE, client_id("signal-1", "entry"))
    assert scene.compare().findings == ()
    just_now = Scene()
    just_now.hold()
    just_now.now_ms = START_MS + STALE_MS - 1
    just_now.positions.clear()
    assert just_now.compare().findings == ()


def test_a_position_that_was_ours_and_somebody_elses_is_told_apart_by_its_fills() -> None:
    """The guard and the venue lessen ours first; a person undoes what a person has done."""
    scene = Scene()
    scene.hold()
    scene.execute(BTC, "BUY", HALF)
    scene.execute(BTC, "SELL", HALF, client_id("signal-1", "close", sender="guard"))
    found = scene.step(thorough=True)
    assert [(fact.by, fact.execution.quantity) for _, fact in found.facts if isinstance(fact, Filled)] == [
        ("guard", HALF)
    ]


def test_a_fill_that_turns_the_position_is_ours_only_as_far_as_it_closes_it() -> None:
    scene = Scene()
    scene.hold()
    scene.execute(BTC, "SELL", 3 * ONE)
    [filled] = [fact for _, fact in scene.step().facts if isinstance(fact, Filled)]
    assert (filled.by, filled.execution.quantity) == ("person", ONE)
    assert filled.execution.fee * 3 == pytest.approx(Decimal("0.04"), abs=Decimal("1e-11"))


def test_a_cancelled_orphan_is_no_order_of_a_trade_that_is_open() -> None:
    scene = Scene()
    scene.hold()
    orphaned_exits_of_a_flat_symbol(scene)
    scene.settle()
    assert {one.client_id for one in scene.canceled} == {
        client_id("signal-0", "stop"),
        client_id("signal-0", "take_profit_2"),
    }
    assert len(scene.conditionals) == 1
    assert len(scene.orders) == 2


def test_an_order_of_an_unknown_trade_stays_where_a_position_may_need_it() -> None:
    scene = Scene()
    scene.hold()
    scene.trades.clear()
    scene.settle()
    assert scene.canceled == []


def test_an_adopted_position_has_a_stop_that_loses_one_r_from_where_the_price_is() -> None:
    scene = Scene()
    external_position_adopted(scene)
    scene.settle()
    [trade] = scene.trades.values()
    assert trade.bracket is not None
    assert (trade.origin, trade.bracket.stop, trade.orders) == ("adopted", PRICE - 10, ())
    with_stop = Scene()
    external_position_adopted_with_its_stop(with_stop)
    with_stop.settle()
    [trade] = with_stop.trades.values()
    assert [(order.leg, order.client_id) for order in trade.orders] == [("stop", "my-own-stop")]
    assert trade.bracket is not None
    assert trade.bracket.stop == PRICE - 3


def test_an_adopted_position_is_closed_by_hand_like_any_other() -> None:
    scene = Scene()
    external_position_adopted(scene)
    scene.settle()
    scene.execute(ETH, "SELL", ONE)
    seen, last = scene.settle()
    assert {one.name for one in seen} == {"closed_by_hand"}
    assert scene.trades == {}
    assert last.is_clean("adopt")


WHO = st.sampled_from(("person", "guard", "direct", "adl", "own"))
NAMES = {
    "person": "by-hand",
    "guard": client_id("signal-1", "close", sender="guard"),
    "direct": client_id("signal-1", "close", sender="direct", installation=ELSEWHERE),
    "adl": "adl_autoclose",
}


@given(st.lists(st.tuples(WHO, st.sampled_from(("BUY", "SELL")), st.integers(1, 30)), max_size=12))
def test_ours_and_theirs_are_the_whole_position_and_reading_again_adds_nothing(
    moves: list[tuple[str, Literal["BUY", "SELL"], int]],
) -> None:
    scene = Scene()
    trade = scene.hold()
    for count, (who, side, tenths) in enumerate(moves):
        name = client_id("signal-1", "close", count) if who == "own" else NAMES[who]
        scene.execute(BTC, "SELL" if who == "own" else side, Decimal(tenths) / 10, name)
    found = attribute([trade], scene.fills[BTC], scene.names)
    assert found.ours + found.extra == scene.positions[BTC]
    assert found.ours >= 0
    for _, fact in found.facts:
        trade = fold(trade, fact)
    again = attribute([trade], scene.fills[BTC], scene.names)
    assert (again.facts, again.ours, again.extra) == ((), found.ours, found.extra)
    assert held_of(trade) == found.ours


def test_a_fill_of_an_order_without_a_name_is_asked_for_first() -> None:
    scene = Scene()
    trade = scene.hold()
    fill = scene.execute(BTC, "SELL", HALF)
    assert attribute([trade], scene.fills[BTC], {}).unnamed == (fill.order_id,)
    [(_, fact)] = attribute([trade], scene.fills[BTC], {fill.order_id: ""}).facts
    assert fact.by == "stranger"


def test_two_reads_of_the_other_side_end_a_trade_as_two_of_nothing_do() -> None:
    scene = Scene()
    trade = scene.hold()
    for read_ms, amount in ((0, -ONE), (2_000, -HALF)):
        trade = fold(trade, PositionSeen(amount, scene.now_ms + read_ms))
    assert is_seen_flat(trade)
    assert not is_seen_flat(fold(trade, PositionSeen(HALF, scene.now_ms + 4_000)))


def test_a_trade_does_not_wait_for_a_list_that_nobody_has() -> None:
    scene = Scene()
    delisted_and_gone(scene)
    first, second = scene.step(), scene.step()
    assert not [fact for _, fact in first.facts if isinstance(fact, FillsRead)]
    assert [fact.at_ms for _, fact in second.facts if isinstance(fact, FillsRead)] == [scene.now_ms]


def test_the_guards_stop_goes_where_the_trade_has_its_own() -> None:
    scene = Scene()
    scene.hold()
    name = client_id("signal-1", "stop", sender="guard")
    scene.rest(BTC, name, "SELL", PRICE - 12)
    seen, _ = scene.settle()
    assert {one.name for one in seen} - {"not_explained_yet"} == {"orphaned_order"}
    assert [one.client_id for one in scene.canceled] == [name]


def test_an_order_that_was_placed_a_moment_ago_is_not_missing() -> None:
    scene = Scene()
    trade = scene.hold()
    own = client_id("signal-1", "stop")
    scene.change(trade, own, updated_ms=scene.now_ms - STALE_MS)
    del scene.conditionals[own]
    assert "order_missing" not in {one.name for one in scene.compare().findings}
    scene.now_ms += 1
    assert "order_missing" in {one.name for one in scene.compare().findings}


@pytest.mark.parametrize(
    ("amount", "liquidation", "stop"),
    [
        (ONE, None, "90.0"),
        (-ONE, None, "110.0"),
        (ONE, "90", "95.0"),
        (-ONE, "108", "104.0"),
        (100 * ONE, None, "99.5"),
        (ONE / 10, None, "50.0"),
        (ONE * 3, None, "96.7"),
        (-ONE * 3, None, "103.3"),
    ],
)
def test_where_an_adopted_position_is_left(amount: Decimal, liquidation: str | None, stop: str) -> None:
    """1 R of 10 away, at least half a percent, at most half of the way to the liquidation; on a tick of 0.1, never further."""
    held = PositionHeld(BTC, amount, PRICE, PRICE, None if liquidation is None else Decimal(liquidation))
    found = adoption_of(held, Decimal(10), Scene().picture())
    trade = adopted_trade(found, ("main", "aaaa", "bbbbbb"), RULES, LiveConfig())
    assert trade.bracket is not None
    assert trade.bracket.stop == Decimal(stop)
    assert trade.initial_risk == abs(PRICE - Decimal(stop)) * abs(amount)
    assert held_of(trade) == amount


def test_what_was_filled_before_an_adoption_is_in_it() -> None:
    """Two adoptions of one symbol have openings of their own, and no list that reaches further back changes what they hold."""
    scene = Scene()
    external_position_adopted(scene)
    scene.settle()
    [trade] = scene.trades.values()
    found = attribute([trade], scene.fills[ETH], scene.names)
    assert (found.facts, found.ours) == ((), ONE)
    assert found.extra == 0
    later = adopted_trade(
        adoption_of(PositionHeld(ETH, ONE, PRICE, PRICE), Decimal(10), scene.picture()),
        ("main", "aaaa", "bbbbbb"),
        RULES,
        LiveConfig(),
    )
    assert later.fills[0].trade_id != trade.fills[0].trade_id
    assert max(later.fills[0].trade_id, trade.fills[0].trade_id) < 0


def test_what_triggers_an_adopted_stop_triggers_those_after_it() -> None:
    seen = AlgoSeen(
        "my-own-stop", 5, "SELL", "waiting", Decimal(0), PRICE - 3, close_position=True, working_type="mark"
    )
    there = Adoption(ETH, "long", ONE, PRICE, PRICE - 3, START_MS, OpenConditional(ETH, seen))
    trade = adopted_trade(there, ("main", "aaaa", "bbbbbb"), RULES, LiveConfig())
    assert trade.bracket is not None
    assert (trade.bracket.working_type, [order.working_type for order in trade.orders]) == ("mark", ["mark"])
    bare = adopted_trade(replace(there, existing=None), ("main", "aaaa", "bbbbbb"), RULES, LiveConfig())
    assert bare.bracket is not None
    assert bare.bracket.working_type == "last"
