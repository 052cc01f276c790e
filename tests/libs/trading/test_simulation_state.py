"""A simulation whose state was kept and restored in the middle gives what an unbroken one gives."""

import hashlib
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.trading.costs import Costs
from libs.trading.machine import layout
from libs.trading.portfolio import PortfolioRules
from libs.trading.simulation import Results, Simulator
from libs.trading.simulation_state import VERSION, ForeignState, load
from tests.libs.trading.accounts import FEES_ONLY, HOUR_MS, MINUTE_MS, START_MS, Idea, Scene, between, signal, tape
from tests.libs.trading.accounts import funding as settlements
from tests.libs.trading.test_simulation_properties import SHIFT, UNTIL, Draw, draws, few, random_scene

# The numbers of `machine.layout` by version: whoever changes a column, state or reason that is kept needs a new version.
LAYOUTS = {1: "3ab74998", 2: "090dd3fc", 3: "bee0516e"}


def played(scene: Scene, cuts: list[int], *, kept: bool) -> tuple[list[Results], list[bytes]]:
    """The results between cuts (ms after the start), and the state at each; `kept`: each slice goes on from the bytes."""
    simulator = Simulator(scene.setup(), START_MS)
    signals = [signal(idea) for idea in scene.ideas]
    results, states, begin = [], [], START_MS
    for end in (*(START_MS + cut for cut in sorted(cuts)), START_MS + scene.until):
        tapes = {each.symbol: between(each, begin, end) for each in scene.tapes}
        coming = [each for each in signals if begin <= each.event_time_ms < end]
        simulator.advance(tapes, coming, end, {each.symbol: each.between(begin, end) for each in scene.marks})
        begin = end
        states.append(simulator.state())
        results.append(simulator.drain())
        if kept:
            simulator = Simulator.restore(scene.setup(), states[-1])
            assert simulator.state() == states[-1]
    simulator.finish()
    results.append(simulator.drain())
    return results, states


def said(results: list[Results]) -> tuple[bytes, ...]:
    curves = [each.equity for each in results]
    return (
        msgspec.msgpack.encode([outcome for each in results for outcome in each.outcomes]),
        msgspec.msgpack.encode([refusal for each in results for refusal in each.not_taken]),
        b"".join(curve.time_ms.tobytes() for curve in curves),
        b"".join(curve.equity.tobytes() for curve in curves),
        b"".join(curve.exposure.tobytes() for curve in curves),
    )


@few
@given(draws, st.lists(st.integers(SHIFT, SHIFT + UNTIL), min_size=1, max_size=8))
def test_restored_in_the_middle_it_gives_the_same(draw: Draw, cuts: list[int]) -> None:
    scene = random_scene(draw)
    broken, states = played(scene, cuts, kept=True)
    whole, at_the_end = played(scene, [], kept=False)
    assert said(broken) == said(whole)
    assert states[-1] == at_the_end[-1]


@few
@given(draws, st.lists(st.integers(SHIFT, SHIFT + UNTIL), min_size=2, max_size=8))
def test_the_bytes_do_not_depend_on_the_cuts(draw: Draw, cuts: list[int]) -> None:
    scene = random_scene(draw)
    last = max(cuts)
    assert played(scene, cuts, kept=False)[1][len(cuts) - 1] == played(scene, [last], kept=False)[1][0]


def test_a_state_of_another_version_is_refused() -> None:
    setup = Scene([tape((0, "100.0"))]).setup()
    state = Simulator(setup, START_MS).state()
    fields = msgspec.msgpack.decode(state)
    fields[0] = VERSION + 1
    with pytest.raises(ForeignState, match=f"version {VERSION + 1}, and this one reads {VERSION}"):
        Simulator.restore(setup, msgspec.msgpack.encode(fields))
    for data in (b"", b"\x00", state[:-1], msgspec.msgpack.encode([VERSION]), msgspec.msgpack.encode({"a": 1})):
        with pytest.raises(ForeignState):
            load(data)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("latency", [0, 400])
@given(seed=st.integers(0, 1_000), cut=st.integers(SHIFT, SHIFT + UNTIL))
@settings(max_examples=10, deadline=None)
def test_positions_of_former_versions_go_on(version: int, latency: int, seed: int, cut: int) -> None:
    scene = random_scene(Draw(seed, Costs(stop_latency_ms=latency), PortfolioRules(daily_loss_r=None)))
    usual: dict[str, Any] = {"trailing": None, "at_market": False, "closes": False} if version == 1 else {}
    scene = scene.having(ideas=[replace(idea, by_mark=False, **usual) for idea in scene.ideas])
    state = played(scene, [cut], kept=False)[1][0]
    fields = msgspec.msgpack.decode(state)
    fields[0] = version
    for symbol in fields[6]:
        row = np.frombuffer(symbol[4], "<i8").copy()
        if version == 1 and row[layout.STATE] == layout.CLOSING:  # there was one column for both
            row[layout.CLOSE_WHY] = row[layout.TRIGGERED]
        symbol[4] = row[: layout.FILLS_END if version == 1 else layout.BY_MARK].tobytes()
    known, upgraded = (Simulator.restore(scene.setup(), data) for data in (state, msgspec.msgpack.encode(fields)))
    later = [signal(idea) for idea in scene.ideas if idea.at >= cut]
    tapes = {each.symbol: between(each, START_MS + cut, START_MS + scene.until) for each in scene.tapes}
    for simulator in (known, upgraded):
        simulator.advance(tapes, later, START_MS + scene.until)
        simulator.finish()
    assert said([known.drain()]) == said([upgraded.drain()])


def test_a_row_of_another_length_is_refused() -> None:
    fields = msgspec.msgpack.decode(Simulator(Scene([tape((0, "100.0"))]).setup(), START_MS).state())
    fields[4] = fields[4][:-8]
    with pytest.raises(ForeignState, match="columns"):
        load(msgspec.msgpack.encode(fields))


def test_the_version_stands_for_this_layout() -> None:
    columns = sorted((name, value) for name, value in vars(layout).items() if isinstance(value, int))
    assert hashlib.sha256(repr(columns).encode()).hexdigest()[:8] == LAYOUTS[VERSION], (
        "kept states would be misread: a new VERSION"
    )


def test_an_open_position_says_where_it_stands() -> None:
    market = tape((0, "100.0"), (MINUTE_MS + 250, "100.0"), (2 * MINUTE_MS, "102.5"), (3 * MINUTE_MS, "101.0"))
    scene = Scene([market], costs=FEES_ONLY)
    simulator = Simulator(scene.setup(), START_MS)
    early = between(market, START_MS, START_MS + MINUTE_MS + 100)
    simulator.advance({market.symbol: early}, [signal(scene.ideas[0])], START_MS + MINUTE_MS + 100)
    (ordered,) = simulator.positions
    assert (ordered.state, ordered.due_ms) == ("ordered", START_MS + MINUTE_MS + 250)
    assert (str(ordered.left), str(ordered.risk), ordered.fills) == ("0.000", "0", ())
    late = between(market, START_MS + MINUTE_MS + 100, START_MS + HOUR_MS)
    simulator.advance({market.symbol: late}, [], START_MS + 4 * MINUTE_MS)
    (held,) = simulator.positions
    assert [fill.reason for fill in held.fills] == ["entry", "take_profit_1"]
    assert (held.state, held.quantity, held.left) == ("open", Decimal("50.000"), Decimal("25.000"))
    assert (held.stop_loss, held.stop, held.price) == (Decimal("98.0"), Decimal("100.2"), Decimal("101.0"))
    assert (held.risk, held.unrealised, held.unrealised_r) == (Decimal(100), Decimal(25), 0.25)
    # 25 sold at 102, and the fees of both fills.
    assert held.realised == Decimal(50) - Decimal("2.5") - Decimal("0.51")
    assert simulator.balance == Decimal(10_000) + held.realised


def test_funding_that_becomes_known_is_paid_and_the_past_stays() -> None:
    market = tape((0, "100.0"), (MINUTE_MS + 250, "100.0"), (9 * HOUR_MS, "100.0"))
    costs = Costs(slippage=False)
    scene = Scene([market], [Idea(hold_ms=10 * HOUR_MS)], costs=costs)
    simulator = Simulator(scene.setup(), START_MS)
    until = START_MS + 8 * HOUR_MS
    simulator.advance({market.symbol: between(market, START_MS, until)}, [signal(scene.ideas[0])], until)
    simulator.know_funding(settlements((8 * HOUR_MS, "0.0001", "100")))
    simulator.advance({market.symbol: between(market, until, until + 2 * HOUR_MS)}, [], until + 2 * HOUR_MS)
    (held,) = simulator.positions
    assert held.funding == Decimal("0.5")
    with pytest.raises(ValueError, match="before now"):
        simulator.know_funding(settlements((7 * HOUR_MS, "0.0001", "100"), (8 * HOUR_MS, "0.0001", "100")))
