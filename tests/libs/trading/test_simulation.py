"""What becomes of a signal, computed by hand: fills, fees, slippage, funding, and why a signal was not taken."""

from decimal import Decimal

import pytest

from libs.trading.costs import Costs
from libs.trading.market import MissingFunding, settlement_interval_ms
from libs.trading.outcome import NotTakenReason
from libs.trading.portfolio import PortfolioRules
from libs.trading.simulation import Simulator
from tests.libs.trading.accounts import (
    FEES_ONLY,
    HOUR_MS,
    MINUTE_MS,
    SHORT,
    START_MS,
    SYMBOL,
    Idea,
    Scene,
    Trade,
    exits,
    filters,
    funding,
    signal,
    tape,
)

D = Decimal
# The signal is of 60.000 s; its order arrives 250 ms later.
BEFORE: Trade = (60_100, "100.0")
ENTRY: Trade = (60_250, "100.1")


def test_a_long_position_takes_both_profits() -> None:
    # Risk 100 over 2.0 a unit: 50 units. A trade at 102.0 is a touch; the one at 102.1 went through it.
    market = tape(BEFORE, ENTRY, (61_000, "102.0"), (62_000, "102.1"), (63_000, "104.0"), (64_000, "104.5"))
    outcome = Scene([market]).only()
    assert (outcome.entry.time_ms, outcome.entry.price, outcome.entry.quantity) == (
        START_MS + 60_250,
        D("100.1"),
        D(50),
    )
    assert exits(outcome) == [("take_profit_1", "102.0", "25.000"), ("take_profit_2", "104.0", "25.000")]
    assert [fill.time_ms - START_MS for fill in outcome.exits] == [62_000, 64_000]
    assert outcome.entry.fee == D("2.5025")  # 50 * 100.1 * 0.0005
    assert [fill.fee for fill in outcome.exits] == [D("0.51"), D("0.52")]  # 25 * 102 and 104 * 0.0002
    assert outcome.gross == D(145)  # 25 * 1.9 + 25 * 3.9
    assert outcome.net == D("141.4675")
    assert outcome.risk == D(105)  # 50 * (100.1 - 98.0)
    assert outcome.net_r == pytest.approx(141.4675 / 105)
    assert outcome.adverse_r == 0
    assert outcome.favourable_r == pytest.approx(3.9 / 2.1)


def test_a_short_position_takes_both_profits() -> None:
    market = tape((60_250, "99.9"), (61_000, "97.9"), (62_000, "95.0"))
    outcome = Scene([market], [SHORT]).only()
    assert exits(outcome) == [("take_profit_1", "98.0", "25.000"), ("take_profit_2", "96.0", "25.000")]
    assert outcome.gross == D(145)
    assert outcome.net == D(145) - D("2.4975") - D("0.49") - D("0.48")
    assert outcome.direction == "short"


def test_one_trade_can_go_through_both_targets() -> None:
    outcome = Scene([tape(ENTRY, (61_000, "110.0"))]).only()
    assert exits(outcome) == [("take_profit_1", "102.0", "25.000"), ("take_profit_2", "104.0", "25.000")]


def test_the_stop_goes_to_where_nothing_is_lost_after_the_first_profit() -> None:
    # 100.1 * 1.0005 / 0.9995 = 100.20015: the next tick is 100.3.
    market = tape(ENTRY, (61_000, "100.0"), (62_000, "102.1"), (63_000, "100.4"), (64_000, "100.3"))
    outcome = Scene([market]).only()
    assert exits(outcome) == [("take_profit_1", "102.0", "25.000"), ("break_even_stop", "100.3", "25.000")]
    assert outcome.gross == D("52.5")  # 25 * 1.9 + 25 * 0.2
    assert outcome.adverse_r == pytest.approx(-0.1 / 2.1)


def test_a_gap_fills_a_stop_at_the_price_that_was_there() -> None:
    market = tape((60_250, "99.9"), (61_000, "101.9"), (62_000, "103.5"), (63_000, "102.0"))
    outcome = Scene([market], [SHORT]).only()
    assert exits(outcome) == [("stop_loss", "103.5", "50.000")]
    assert outcome.gross == D(-180)
    assert outcome.net == D("-185.085")  # - 50 * 99.9 * 0.0005 - 50 * 103.5 * 0.0005
    assert outcome.net_r == pytest.approx(-185.085 / 105)
    assert outcome.adverse_r == pytest.approx(-3.6 / 2.1)


def test_a_stop_is_triggered_by_a_touch() -> None:
    assert exits(Scene([tape(ENTRY, (61_000, "98.0"))]).only()) == [("stop_loss", "98.0", "50.000")]


def test_a_stop_that_takes_its_time_meets_a_later_trade() -> None:
    late = FEES_ONLY.model_copy(update={"stop_latency_ms": 100})
    market = tape(ENTRY, (61_000, "97.9"), (61_050, "105.0"), (61_100, "97.0"))
    assert exits(Scene([market], costs=late).only()) == [("stop_loss", "97.0", "50.000")]


@pytest.mark.parametrize("idea", [Idea(), SHORT])
def test_a_position_is_closed_when_its_hold_is_over(idea: Idea) -> None:
    over = MINUTE_MS + 70 * MINUTE_MS
    market = tape((60_250, "100.0"), (over - 1, "100.5"), (over + 249, "100.6"), (over + 250, "100.7"))
    outcome = Scene([market], [idea]).only()
    assert exits(outcome) == [("hold_expired", "100.7", "50.000")]
    assert outcome.held_ms == 70 * MINUTE_MS
    assert outcome.gross == (D(35) if idea.direction == "long" else D(-35))


@pytest.mark.parametrize(("idea", "sign"), [(Idea(at=8 * HOUR_MS - MINUTE_MS), 1), (SHORT, -1)])
def test_funding_is_paid_by_longs_and_received_by_shorts(idea: Idea, sign: int) -> None:
    idea = Idea(8 * HOUR_MS - MINUTE_MS, idea.direction, idea.price, idea.stop, idea.targets)
    market = tape((8 * HOUR_MS - 30_000, "100.0"), (8 * HOUR_MS + 10, "100.5"), (10 * HOUR_MS, "100.5"))
    rates = funding((8 * HOUR_MS + 7, "0.0001", "101.0"))
    costs = Costs(slippage=False)
    outcome = Scene([market], [idea], costs, funding=[rates]).only()
    assert outcome.funding == sign * D("0.505")  # 50 * 101.0 * 0.0001
    assert outcome.net == outcome.gross - outcome.fees - outcome.funding
    opposite = funding((8 * HOUR_MS, "-0.0001", None))
    assert Scene([market], [idea], costs, funding=[opposite]).only().funding == -sign * D(
        "0.5"
    )  # at the last trade's 100.0


def test_only_what_is_left_pays_funding_and_who_enters_with_it_does_not() -> None:
    start = 8 * HOUR_MS - MINUTE_MS
    market = tape((start + 250, "100.0"), (start + 1_000, "102.1"), (9 * HOUR_MS, "103.0"), (12 * HOUR_MS, "103.0"))
    costs = Costs(slippage=False, latency_ms=0)
    outcome = Scene([market], [Idea(at=start)], costs, funding=[funding((8 * HOUR_MS, "0.001", "100"))]).only()
    assert outcome.funding == D("2.5")
    entered_with_it = tape((8 * HOUR_MS, "100.0"), (9 * HOUR_MS, "97.0"))
    scene = Scene([entered_with_it], [Idea(at=start)], costs, funding=[funding((8 * HOUR_MS, "0.001", "100"))])
    assert scene.only().funding == 0


def test_missing_funding_is_an_error_that_names_the_hour() -> None:
    market = tape((8 * HOUR_MS - 30_000, "100.0"), (8 * HOUR_MS, "97.0"))
    scene = Scene([market], [Idea(at=8 * HOUR_MS - MINUTE_MS)], Costs(slippage=False))
    with pytest.raises(MissingFunding, match="BTCUSDT has no funding rate at 2024-10-04T08:00Z") as caught:
        scene.play()
    assert (caught.value.symbol, caught.value.hour_ms) == ("BTCUSDT", START_MS + 8 * HOUR_MS)
    assert scene.having(costs=FEES_ONLY).only().funding == 0
    elsewhere = funding((16 * HOUR_MS, "0.0001", "100"))
    with pytest.raises(MissingFunding):
        scene.having(funding=[elsewhere]).play()


@pytest.mark.parametrize(
    ("hours", "interval"),
    [
        ((0, 8, 16, 24, 40, 48), 8),
        ((0, 4, 8, 16, 20), 4),  # the one at 12 is missing
        ((0, 1, 2, 2, 3, 7), 1),  # one of two sources has it again
        ((0, 8, 16, 20, 24, 28), 8),  # the venue shortened it at 16
        ((0, 4, 8), 4),
        ((0, 4), 8),
        ((), 8),
        ((0, 24, 48), 8),
        ((0, 3, 6), 8),
    ],
)
def test_the_interval_of_funding_is_the_distance_that_repeats(hours: tuple[int, ...], interval: int) -> None:
    stamps = [START_MS + hour * HOUR_MS + place % 3 for place, hour in enumerate(hours)]
    assert settlement_interval_ms(stamps) == interval * HOUR_MS


def test_a_market_order_gives_away_half_a_spread_and_its_impact() -> None:
    # Traded in the last minute: 200 * 99.5 + 1 * 100.0 = 20,000; own 50 * 100 = 5,000; range 0.5.
    # Half a spread: the tick of 0.1 is more than 5 bp of 100. Impact: 0.5 * sqrt(5,000 / 20,000) = 0.25.
    market = tape((10, "90.0", "5"), (50_000, "99.5", "200"), (60_250, "100.0"), (61_000, "110.0"))
    costs = Costs(half_spread_bps=D(5), funding=False)
    outcome = Scene([market], costs=costs).only()
    assert outcome.entry.price == D("100.35")
    assert outcome.entry.slippage == D("17.5")
    assert outcome.entry.fee == D("2.50875")
    assert [fill.slippage for fill in outcome.exits] == [0, 0]
    assert outcome.gross == D(150)
    assert outcome.net == D(150) - D("17.5") - D("2.50875") - D("0.51") - D("0.52")
    assert outcome.risk == 50 * D("2.35")


def test_a_stop_and_a_short_entry_slip_downwards_and_upwards() -> None:
    costs = Costs(impact_coefficient=D(0), half_spread_bps=D(20), funding=False)
    long = Scene([tape((60_250, "100.0"), (61_000, "97.0"))], costs=costs).only()
    assert (long.entry.price, long.exits[0].price) == (D("100.2"), D("96.806"))  # 20 bp of 97.0 is 0.194
    short = Scene([tape((60_250, "100.0"), (61_000, "103.0"))], [SHORT], costs).only()
    assert (short.entry.price, short.exits[0].price) == (D("99.8"), D("103.206"))
    assert short.net == short.gross - short.fees - short.slippage


def test_ideal_costs_nothing() -> None:
    market = tape((60_000, "100.0"), (61_000, "97.0"))
    outcome = Scene([market], costs=Costs.ideal(), filters={}).only()
    assert exits(outcome) == [("stop_loss", "98.0", "50.000")]
    assert outcome.net == outcome.gross == D(-100)
    assert outcome.net_r == -1
    assert Costs.ideal().describe()[0].startswith("IDEAL")


def test_the_end_of_the_data_closes_what_is_open() -> None:
    simulator = Scene([tape(ENTRY, (61_000, "101.0"))]).play()
    (outcome,) = simulator.outcomes
    assert exits(outcome) == [("data_end", "101.0", "50.000")]
    assert simulator.equity.equity[-1] == pytest.approx(10_000 + float(outcome.net))
    assert simulator.equity.open_positions.max() == 1


def refusal(scene: Scene) -> NotTakenReason:
    (refused,) = scene.play().not_taken
    assert refused.why
    return refused.reason


def test_why_a_signal_is_not_taken() -> None:
    market = tape(ENTRY, (61_000, "101.0"))
    assert refusal(Scene([tape((60_250, "98.0"))])) == "stop_passed"
    assert refusal(Scene([market], [Idea(stop="100.0")])) == "stop_passed"
    assert refusal(Scene([tape(BEFORE)])) == "data_end"
    assert refusal(Scene([tape((60_000 + 70 * MINUTE_MS, "100.0"))])) == "no_trade_to_fill"
    least = {"BTCUSDT": filters(min_notional=D(5001))}
    assert refusal(Scene([market], filters=least)) == "below_minimum_notional"
    few = {"BTCUSDT": filters(min_quantity=D(51))}
    assert refusal(Scene([market], filters=few)) == "below_minimum_quantity"
    capped = {"BTCUSDT": filters(max_leverage=2)}
    small = PortfolioRules(starting_balance=D(2_400))
    assert refusal(Scene([market], filters=capped, rules=small)) == "above_leverage"


def test_a_large_order_is_cut_to_the_largest_market_order() -> None:
    cut = {"BTCUSDT": filters(max_quantity=D("10.0005"))}
    outcome = Scene([tape(ENTRY, (61_000, "97.0"))], filters=cut).only()
    assert outcome.entry.quantity == D(10)


def test_half_of_the_least_quantity_is_not_closed_at_the_first_target() -> None:
    whole = {"BTCUSDT": filters(min_quantity=D(30))}
    market = tape(ENTRY, (61_000, "102.1"), (62_000, "100.1"))
    assert exits(Scene([market], filters=whole).only()) == [("break_even_stop", "100.1", "50.000")]


def test_one_position_a_symbol_and_so_many_an_account() -> None:
    other = tape((60_300, "100.0"), (70_000, "97.0"), symbol="ETHUSDT")
    ideas = [Idea(), Idea(at=60_100), Idea(symbol="ETHUSDT"), Idea(at=75_000)]
    market = tape(ENTRY, (65_000, "97.0"), (76_000, "100.0"))
    scene = Scene([market, other], ideas)
    simulator = scene.play()
    assert [(each.reason, each.symbol) for each in simulator.not_taken] == [("symbol_locked", "BTCUSDT")]
    assert [each.symbol for each in simulator.outcomes] == ["BTCUSDT", "ETHUSDT", "BTCUSDT"]
    one = scene.having(rules=PortfolioRules(max_positions=1)).play()
    assert [(each.reason, each.symbol) for each in one.not_taken] == [
        ("max_positions", "ETHUSDT"),
        ("symbol_locked", "BTCUSDT"),
    ]


def test_a_decision_does_not_know_the_trades_of_its_own_millisecond() -> None:
    # The stop is met in the millisecond of the second signal, which still finds the symbol locked.
    market = tape(ENTRY, (75_000, "97.0"), (75_250, "100.0"), (91_000, "100.0"))
    simulator = Scene([market], [Idea(), Idea(at=75_000), Idea(at=90_000)]).play()
    assert [(each.reason, each.time_ms - START_MS) for each in simulator.not_taken] == [("symbol_locked", 75_000)]
    assert [each.exit_reason for each in simulator.outcomes] == ["stop_loss", "data_end"]


def losing(days: int = 1) -> tuple[list[Trade], list[Idea]]:
    """Three losses of a little more than 1 R, a minute apart, on each of some days."""
    trades: list[Trade] = []
    ideas = []
    for day in range(days):
        for minute in (1, 2, 3):
            at = day * 24 * HOUR_MS + minute * MINUTE_MS
            ideas.append(Idea(at=at))
            trades += [(at + 250, "100.0"), (at + 20_000, "98.0")]
    return trades, ideas


def test_the_day_is_over_when_its_loss_is_reached() -> None:
    trades, ideas = losing(days=2)
    rules = PortfolioRules(daily_loss_r=D(2), warning_r=None, circuit_break_r=None)
    simulator = Scene([tape(*trades)], ideas, rules=rules, until=2 * 24 * HOUR_MS).play()
    assert [each.exit_time_ms // (24 * HOUR_MS) - 20_000 for each in simulator.outcomes] == [0, 0, 1, 1]
    assert [each.reason for each in simulator.not_taken] == ["daily_loss", "daily_loss"]


def test_a_circuit_break_counts_what_is_not_realised_and_ends_after_its_cooldown() -> None:
    # At 65 s the guard sees the mark of 91.0: 0.9 R below the entry, while the stop is not reached.
    wide = Idea(stop="90.0", targets=("120.0", "140.0"))  # 10 units
    other = tape((61_300, "100.0"), (80_000, "100.0"), (12 * MINUTE_MS, "100.0"), symbol="ETHUSDT")
    ideas = [wide, Idea(at=70_000, symbol="ETHUSDT"), Idea(at=11 * MINUTE_MS, symbol="ETHUSDT")]
    market = tape((60_250, "100.0"), (62_000, "91.0"), (70_000, "99.0"), (71_000, "99.5"))
    rules = PortfolioRules(circuit_break_r=D("0.8"), warning_r=None, cooldown_minutes=5)
    scene = Scene([market, other], ideas, rules=rules)
    kept = scene.play()
    assert [each.reason for each in kept.not_taken] == ["risk_state"]
    assert [(each.symbol, each.exit_reason) for each in kept.outcomes] == [
        ("BTCUSDT", "data_end"),
        ("ETHUSDT", "data_end"),
    ]
    closed = scene.having(rules=rules.model_copy(update={"flatten": True})).play()
    first = closed.outcomes[0]
    assert exits(first) == [("risk_guard", "99.0", "10.000")]


def test_what_a_report_prints_on_top() -> None:
    lines = Costs().describe()
    assert any("taker 0.05 %, maker 0.02 %" in line for line in lines)
    assert any("250 ms" in line for line in lines)
    assert any(line.startswith("slippage") and "60 s" in line for line in lines)
    assert any("1 R" in line for line in PortfolioRules().describe())


def test_time_only_goes_forward_and_slices_hold_only_their_own() -> None:
    scene = Scene([tape(ENTRY)])
    finished = scene.play()
    with pytest.raises(ValueError, match="forward"):
        finished.advance({}, [], START_MS + 30 * HOUR_MS)
    simulator = Simulator(scene.setup(), START_MS)
    with pytest.raises(ValueError, match="outside the slice"):
        simulator.advance({SYMBOL: tape(ENTRY)}, [], START_MS + 60_250)
    with pytest.raises(ValueError, match="outside the slice"):
        simulator.advance({SYMBOL: tape()}, [signal(Idea())], START_MS + MINUTE_MS)
    with pytest.raises(ValueError, match="trades are not there"):
        simulator.advance({}, [signal(Idea(symbol="SOLUSDT"))], START_MS + HOUR_MS)
    with pytest.raises(ValueError, match="filters are on"):
        scene.having(filters={}).play()


def test_a_tape_is_looked_at_before_it_is_believed() -> None:
    with pytest.raises(ValueError, match="times of the tape fall"):
        tape((2, "100.0"), (1, "100.0"))
    with pytest.raises(ValueError, match="not above 0"):
        tape((2, "0.0"))
