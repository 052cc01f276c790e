"""What must hold for every market: the compiled loop equals the naive one, cuts change nothing, nothing knows the future."""

import random
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.signals import Direction
from libs.trading.arrays import prepare, simulate_arrays
from libs.trading.costs import Costs
from libs.trading.mark_prices import MarkTape
from libs.trading.market import FundingRates, TradeTape
from libs.trading.outcome import Fill, Outcome
from libs.trading.portfolio import PortfolioRules
from libs.trading.signal_columns import signal_columns
from libs.trading.simulation import Simulator
from tests.libs.trading.accounts import HOUR_MS, START_MS, Idea, Scene, funding, signal
from tests.libs.trading.naive import Naive

UNTIL = 3 * HOUR_MS
# Around midnight and a settlement, so that both happen.
SHIFT = 23 * HOUR_MS
D = Decimal


@dataclass(frozen=True)
class Draw:
    """From what a random market and its signals are made."""

    seed: int
    costs: Costs
    rules: PortfolioRules


def random_tape(chance: random.Random, symbol: str) -> TradeTape:
    """Some thousands of trades in three hours, with bursts, silences, jumps and many of the same millisecond."""
    count = chance.randrange(600, 2_500)
    now, price = SHIFT, 1_000
    times, prices = [], []
    for _ in range(count):
        now += chance.choice((0, 0, 1, 40, 900, 3_000, 9_000)) if chance.random() > 0.002 else 300_000
        if chance.random() < 0.1:  # in the millisecond of a mark, a signal or a settlement
            now = -(-now // 5_000) * 5_000
        jump = chance.randrange(-40, 41) if chance.random() < 0.01 else 0
        price = max(300, price + chance.choice((-2, -1, 0, 0, 1, 2)) + jump)
        times.append(START_MS + now)
        prices.append(price)
    kept = sum(ms < START_MS + SHIFT + UNTIL for ms in times)
    return TradeTape(
        symbol,
        1,
        3,
        np.array(times[:kept], np.int64),
        np.array(prices[:kept], np.int64),
        np.array([chance.randrange(1, 90_000) for _ in range(kept)], np.int64),
        np.zeros(kept, np.uint8),
    )


def random_marks(chance: random.Random, tape: TradeTape) -> MarkTape:
    """Steps of some seconds near the tape's price, with spikes, silences, finer decimals than the tape's, and some in the
    millisecond of a trade, a signal or a settlement."""
    now, rows = SHIFT, list[tuple[int, int, int]]()
    while (now := now + chance.choice((0, 1_000, 2_000, 2_000, 2_000, 5_000, 90_000))) < UNTIL + SHIFT:
        ms = START_MS + now
        if chance.random() < 0.2:
            seen = min(int(np.searchsorted(tape.time_ms, ms)), len(tape) - 1)
            ms = max(rows[-1][0] if rows else START_MS + SHIFT, min(int(tape.time_ms[seen]), ms))
        price = int(tape.price[max(0, int(np.searchsorted(tape.time_ms, ms)) - 1)]) * 10**7
        reach = chance.choice((0, 1, 5_000_000, 10**7, 4 * 10**7, 20 * 10**7 if chance.random() < 0.1 else 10**7))
        middle = price + chance.randrange(-(10**7), 10**7) if chance.random() < 0.7 else price
        if not rows or ms >= rows[-1][0]:
            rows.append((ms, middle - chance.randrange(reach + 1), middle + chance.randrange(reach + 1)))
    time_ms, low, high = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return MarkTape(tape.symbol, time_ms, low, high)


def random_ideas(chance: random.Random, tapes: list[TradeTape]) -> list[Idea]:
    ideas = []
    for tape in tapes:
        for at in sorted(chance.sample(range(SHIFT, SHIFT + UNTIL, 15_000), 40)):
            seen = int(np.searchsorted(tape.time_ms, START_MS + at)) - 1
            if seen < 0:
                continue
            price = int(tape.price[seen])
            side = chance.choice((1, -1))
            stop, near = chance.randrange(1, 30), chance.randrange(1, 30)
            levels = [price, price - side * stop, price + side * near, price + side * (near + chance.randrange(1, 30))]
            texts = [str(D(level) / 10) for level in levels]
            direction: Direction = "long" if side > 0 else "short"
            hold = chance.randrange(30_000, 70 * 60_000)
            idea = Idea(at, direction, texts[0], texts[1], (texts[2], texts[3]), tape.symbol, hold)
            ideas.append(replace(idea, **random_ways(chance)))
    return ideas


def random_ways(chance: random.Random) -> dict[str, Any]:
    """How a bracket works: some trail, some take profits at market, some are closed by an opposite signal."""
    return {
        "trailing": chance.choice((None, None, "0.1", "0.4", "1.5", "0.04")),
        "at_market": chance.random() < 0.3,
        "closes": chance.random() < 0.5,
        "strategy": chance.choice(("v51", "v51", "v52")),
        "by_mark": chance.random() < 0.5,
    }


def random_scene(draw: Draw) -> Scene:
    chance = random.Random(draw.seed)
    tapes = [random_tape(chance, symbol) for symbol in ("AAAUSDT", "BBBUSDT", "CCCUSDT")]
    rates: list[FundingRates] = [
        funding((24 * HOUR_MS, "0.0003", "100.123"), (25 * HOUR_MS, "-0.0002", None), symbol=tape.symbol)
        for tape in tapes
    ]
    told = [random_marks(chance, tape) for tape in tapes]
    ideas = random_ideas(chance, tapes)
    return Scene(tapes, ideas, draw.costs, draw.rules, funding=rates, until=SHIFT + UNTIL, marks=told)


draws = st.builds(
    Draw,
    seed=st.integers(0, 1_000_000),
    costs=st.sampled_from(
        [
            Costs(),
            Costs(stop_latency_ms=400, impact_coefficient=D("2.5")),
            Costs(slippage=False, latency_ms=0),
            Costs(gaps=True),
        ]
    ),
    rules=st.sampled_from(
        [
            PortfolioRules(
                max_positions=2, daily_loss_r=D(2), warning_r=D(1), circuit_break_r=D("1.5"), cooldown_minutes=7
            ),
            PortfolioRules(daily_loss_r=None, warning_r=None, circuit_break_r=D(1), cooldown_minutes=3, flatten=True),
            PortfolioRules(daily_loss_r=None, warning_r=None, circuit_break_r=None, max_positions=3),
            PortfolioRules(daily_loss_r=D(3), circuit_break_r=D(50), warning_r=D(40)),
        ]
    ),
)
few = settings(max_examples=25, deadline=None)


def naive_fill(fill: Fill) -> tuple[str, int, int, int, int]:
    return (fill.reason, fill.time_ms, int(fill.price * 100_000), int(fill.quantity * 1_000), int(fill.fee * 10**8))


def naive_shape(outcome: Outcome) -> tuple[object, ...]:
    fills = tuple(naive_fill(fill) for fill in (outcome.entry, *outcome.exits))
    return (outcome.signal_id, fills, int(outcome.funding * 10**8))


def everything(simulator: Simulator) -> tuple[bytes, ...]:
    curve = simulator.equity
    arrays = (curve.time_ms, curve.equity, curve.open_positions, curve.exposure)
    return (
        msgspec.msgpack.encode(simulator.outcomes),
        msgspec.msgpack.encode(simulator.not_taken),
        *(array.tobytes() for array in arrays),
    )


@few
@given(draws)
def test_the_compiled_loop_equals_the_naive_one(draw: Draw) -> None:
    scene = random_scene(draw)
    naive = Naive(scene.setup(), scene.tapes, [signal(idea) for idea in scene.ideas], START_MS, START_MS + scene.until)
    naive.marks = scene.marks
    naive.play()
    simulator = scene.play()
    assert [naive_shape(outcome) for outcome in simulator.outcomes] == [row[:3] for row in naive.closed]
    assert [(each.signal_id, each.time_ms, each.reason) for each in simulator.not_taken] == naive.refused
    curve = [(ms, balance / 10**8, count) for ms, balance, count in naive.curve]
    found = zip(
        simulator.equity.time_ms.tolist(),
        simulator.equity.equity.tolist(),
        simulator.equity.open_positions.tolist(),
        strict=True,
    )
    assert list(found)[:-1] == curve
    for outcome, row in zip(simulator.outcomes, naive.closed, strict=True):
        worst, best = (row[3], row[4]) if outcome.direction == "long" else (row[4], row[3])
        side = 1 if outcome.direction == "long" else -1
        distance = abs(outcome.entry.price - outcome.stop_loss)
        assert outcome.adverse_r == pytest.approx(
            min(0, float(side * (D(worst) / 10 - outcome.entry.price) / distance))
        )
        assert outcome.favourable_r == pytest.approx(
            max(0, float(side * (D(best) / 10 - outcome.entry.price) / distance))
        )


@few
@given(draws, st.lists(st.integers(SHIFT, SHIFT + UNTIL), max_size=12))
def test_how_the_time_is_cut_changes_nothing(draw: Draw, cuts: list[int]) -> None:
    scene = random_scene(draw)
    assert everything(scene.play(*cuts)) == everything(scene.play())


@few
@given(draws, st.integers(SHIFT + HOUR_MS // 2, SHIFT + UNTIL))
def test_nothing_knows_the_future(draw: Draw, now: int) -> None:
    scene = random_scene(draw)
    now_ms = START_MS + now
    other = replace(
        scene,
        tapes=[perturbed(tape, now_ms, draw.seed) for tape in scene.tapes],
        marks=[moved(told, now_ms) for told in scene.marks],
    )
    known, changed = scene.play(), other.play()

    def fills(simulator: Simulator) -> list[Fill]:
        both = [fill for each in simulator.outcomes for fill in (each.entry, *each.exits) if fill.time_ms < now_ms]
        return sorted(both, key=lambda fill: (fill.time_ms, str(fill)))

    assert fills(known) == fills(changed)
    assert [each for each in known.not_taken if each.time_ms < now_ms] == [
        each for each in changed.not_taken if each.time_ms < now_ms
    ]
    before = known.equity.time_ms <= now_ms
    assert known.equity.equity[before].tolist() == changed.equity.equity[before].tolist()


def perturbed(tape: TradeTape, from_ms: int, seed: int) -> TradeTape:
    chance = np.random.default_rng(seed)
    later = tape.time_ms >= from_ms
    price = np.where(later, tape.price + chance.integers(-200, 200, len(tape)), tape.price)
    return replace(tape, price=price, quantity=np.where(later, tape.quantity * 3, tape.quantity))


def moved(told: MarkTape, from_ms: int) -> MarkTape:
    later = told.time_ms >= from_ms
    return replace(told, low=np.where(later, told.low // 2, told.low), high=np.where(later, told.high * 2, told.high))


@few
@given(draws)
def test_money_is_neither_made_nor_lost(draw: Draw) -> None:
    scene = random_scene(draw)
    simulator = scene.play()
    total = sum((outcome.net for outcome in simulator.outcomes), D(0))
    assert simulator.balance == draw.rules.starting_balance + total
    for outcome in simulator.outcomes:
        assert outcome.net == outcome.gross - outcome.fees - outcome.slippage - outcome.funding
        assert outcome.entry.quantity == sum(fill.quantity for fill in outcome.exits)
        assert outcome.fees == outcome.entry.fee + sum(fill.fee for fill in outcome.exits)
    ids = [outcome.signal_id for outcome in simulator.outcomes] + [each.signal_id for each in simulator.not_taken]
    assert sorted(ids) == sorted(signal(idea).event_id for idea in scene.ideas)


@few
@given(draws)
def test_a_sweep_gives_what_the_simulator_gives(draw: Draw) -> None:
    scene = random_scene(draw)
    setup = scene.setup()
    prepared = prepare(
        {tape.symbol: tape for tape in scene.tapes},
        setup,
        (START_MS, START_MS + scene.until),
        equity_ms=60_000,
        marks={told.symbol: told for told in scene.marks},
    )
    ordered = sorted((signal(idea) for idea in scene.ideas), key=lambda each: (each.event_time_ms, each.symbol))
    result = simulate_arrays(prepared, signal_columns(ordered, prepared.scales, setup.used_filters), setup)
    simulator = scene.play()
    assert [ordered[number].event_id for number in result.signals] == [each.signal_id for each in simulator.outcomes]
    assert result.net.tolist() == [int(each.net * 10**8) for each in simulator.outcomes]
    assert result.entry_ms.tolist() == [each.entry.time_ms for each in simulator.outcomes]
    assert result.exit_ms.tolist() == [each.exit_time_ms for each in simulator.outcomes]
    assert (result.equity[:, 1] / 10**8).tolist() == simulator.equity.equity.tolist()
