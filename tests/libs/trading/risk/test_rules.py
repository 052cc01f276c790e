"""Each rule does not trip, warns, breaks, and never takes what is missing, NaN or stale for a number."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from pydantic import ValidationError

from libs.kit.discovery import BrokenPlugin
from libs.trading.risk.inputs import Figure, GuardInputs, Stop
from libs.trading.risk.limits import RiskLimits
from libs.trading.risk.rule import ActionKind, Rule, Verdict, VerdictLevel, plain
from libs.trading.risk.rules import all_rules, in_order
from libs.trading.risk.thresholds import Thresholds, at
from tests.libs.trading.risk.accounts import IN_ORDER, NOW_MS, bare, changed, figure, flat, position

Give = Callable[[GuardInputs, str], GuardInputs]


def number(path: str) -> Give:
    return lambda inputs, value: changed(inputs, path, figure(value))


def age(path: str) -> Give:
    return lambda inputs, value: changed(inputs, path, int(1000 * Decimal(value)))


def held(inputs: GuardInputs, minutes: str) -> GuardInputs:
    return changed(inputs, "positions.opened_ms", NOW_MS - int(60_000 * Decimal(minutes)))


def without_stop(inputs: GuardInputs, seconds: str) -> GuardInputs:
    return bare(inputs, int(1000 * Decimal(seconds)))


@dataclass(frozen=True)
class Case:
    """A rule's edges: the last value that is normal, the first that warns, the last that does, the first that breaks."""

    rule: str
    give: Give
    edges: tuple[str, str, str, str]
    action: ActionKind
    latches: bool = False


CASES = (
    Case("daily_loss_r", number("account.realised_today_r"), ("-2.99", "-3", "-5.99", "-6"), "flatten_all", True),
    Case("daily_loss_r", number("positions.unrealised_r"), ("-2.99", "-3", "-5.99", "-6"), "flatten_all", True),
    Case("daily_loss_usd", number("account.realised_today"), ("-299", "-300", "-599", "-600"), "flatten_all", True),
    Case("daily_loss_usd", number("account.unrealised"), ("-299", "-300", "-599", "-600"), "flatten_all", True),
    Case("unrealised_loss", number("positions.unrealised_r"), ("-2.99", "-3", "-4.99", "-5"), "flatten_all", True),
    Case("drawdown", number("account.equity"), ("9501", "9500", "9001", "9000"), "flatten_all", True),
    Case("balance_floor", number("account.balance"), ("200.01", "200", "100.01", "100"), "flatten_all", True),
    Case("data_freshness", age("feeds.age_ms"), ("9.999", "10", "29.999", "30"), "block_entries"),
    Case("data_completeness", number("feeds.complete"), ("0.9991", "0.999", "0.9901", "0.99"), "block_entries"),
    Case("engine_silent", age("services.engine_ms"), ("4.999", "5", "14.999", "15"), "block_entries"),
    Case("executor_silent", age("services.executor_ms"), ("4.999", "5", "14.999", "15"), "block_entries"),
    Case("reconciliation_failing", age("services.reconciled_ms"), ("29.999", "30", "59.999", "60"), "block_entries"),
    Case("hold_time", held, ("69.99", "70", "70.99", "71"), "close_position"),
    Case("consecutive_losses", number("account.losses_in_a_row"), ("3", "4", "5", "6"), "block_entries", True),
    Case("too_many_orders", number("account.orders_last_minute"), ("59", "60", "119", "120"), "block_entries", True),
    Case("slippage", number("account.worst_slippage_bps"), ("24.9", "25", "74.9", "75"), "block_entries", True),
    Case("price_gap", number("positions.last_price"), ("60299", "60300", "60599", "60600"), "block_entries"),
    Case("price_gap", number("positions.last_price"), ("59701", "59700", "59401", "59400"), "block_entries"),
    Case("position_without_stop", without_stop, ("0.999", "1", "2.999", "3"), "place_stop"),
    Case("clock_skew", number("services.clock_skew"), ("249", "250", "999", "1000"), "block_entries"),
    Case("clock_skew", number("services.clock_skew"), ("-249", "-250", "-999", "-1000"), "block_entries"),
)
# What a rule reads, each a figure of its own.
FIGURES = (
    ("daily_loss_r", "account.realised_today_r"),
    ("daily_loss_r", "positions.unrealised_r"),
    ("daily_loss_usd", "account.realised_today"),
    ("daily_loss_usd", "account.unrealised"),
    ("unrealised_loss", "positions.unrealised_r"),
    ("drawdown", "account.equity"),
    ("drawdown", "account.peak_equity"),
    ("drawdown", "account.moved"),
    ("balance_floor", "account.balance"),
    ("data_completeness", "feeds.complete"),
    ("consecutive_losses", "account.losses_in_a_row"),
    ("too_many_orders", "account.orders_last_minute"),
    ("slippage", "account.worst_slippage_bps"),
    ("price_gap", "positions.mark_price"),
    ("price_gap", "positions.last_price"),
    ("position_without_stop", "positions.quantity"),
    ("clock_skew", "services.clock_skew"),
)
AGES = (
    ("data_freshness", "feeds.age_ms"),
    ("engine_silent", "services.engine_ms"),
    ("executor_silent", "services.executor_ms"),
    ("reconciliation_failing", "services.reconciled_ms"),
)
BAD = {
    "missing": Figure(),
    "ageless": Figure(Decimal(1)),
    "NaN": figure("NaN"),
    "infinite": figure("-Infinity"),
    "stale": figure(1, 300_001),
    "from the future": figure(1, -1_001),
}


def verdict(rule: str, inputs: GuardInputs, limits: RiskLimits | None = None) -> Verdict:
    (found,) = [one for one in (limits or RiskLimits()).verdicts(inputs) if one.rule == rule]
    return found


def level(rule: str, inputs: GuardInputs) -> VerdictLevel:
    return verdict(rule, inputs).level


def test_an_account_in_order_is_normal_by_every_rule() -> None:
    found = RiskLimits().verdicts(IN_ORDER)
    assert {one.rule for one in found} == {rule.name for rule in all_rules()}
    assert {one.level for one in found} == {"normal"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}:{case.edges[-1]}")
def test_a_rule_warns_and_breaks_at_its_thresholds(case: Case) -> None:
    found = [verdict(case.rule, case.give(IN_ORDER, value)) for value in case.edges]
    assert [one.level for one in found] == ["normal", "warning", "warning", "break"]
    assert (found[-1].action, found[-1].latches) == (case.action, case.latches)


def test_every_rule_stands_in_the_tables() -> None:
    names = {rule.name for rule in all_rules()}
    assert {case.rule for case in CASES} == names
    assert {rule for rule, _ in (*FIGURES, *AGES)} == names - {"hold_time"}


@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
@pytest.mark.parametrize(("rule", "path"), FIGURES, ids=lambda text: text)
def test_what_is_no_number_of_now_is_unknown(rule: str, path: str, bad: Figure) -> None:
    found = verdict(rule, changed(IN_ORDER, path, bad))
    assert (found.level, found.action, found.latches) == ("unknown", "block_entries", False)
    assert "is not known" in found.sentence


@pytest.mark.parametrize("bad", [None, -1_001])
@pytest.mark.parametrize(("rule", "path"), AGES, ids=lambda text: text)
def test_a_silence_that_nobody_knows_is_unknown(rule: str, path: str, bad: int | None) -> None:
    assert level(rule, changed(IN_ORDER, path, bad)) == "unknown"


@pytest.mark.parametrize("opened_ms", [None, NOW_MS + 1_001])
def test_a_hold_of_unknown_length_is_unknown(opened_ms: int | None) -> None:
    assert level("hold_time", changed(IN_ORDER, "positions.opened_ms", opened_ms)) == "unknown"


@pytest.mark.parametrize("age_ms", [None, 10_001])
def test_an_old_list_of_no_positions_is_no_flat_account(age_ms: int | None) -> None:
    inputs = changed(flat(IN_ORDER), "positions_age_ms", age_ms)
    for rule in ("daily_loss_r", "unrealised_loss", "hold_time", "price_gap", "position_without_stop"):
        assert level(rule, inputs) == "unknown"
    assert level("unrealised_loss", flat(IN_ORDER)) == "normal"


def test_no_feed_is_no_market_in_order() -> None:
    inputs = changed(IN_ORDER, "feeds", ())
    assert level("data_freshness", inputs) == level("data_completeness", inputs) == "unknown"


@pytest.mark.parametrize("share", ["-0.1", "1.1"])
def test_a_completeness_that_is_no_share_is_unknown(share: str) -> None:
    assert level("data_completeness", changed(IN_ORDER, "feeds.complete", figure(share))) == "unknown"


@pytest.mark.parametrize("path", ["positions.mark_price", "positions.last_price"])
def test_a_price_of_nothing_is_unknown(path: str) -> None:
    assert level("price_gap", changed(IN_ORDER, path, figure(0))) == "unknown"


def test_open_losses_and_wins_add_to_the_days_result() -> None:
    both = replace(IN_ORDER, positions=(position(), position("ETHUSDT")))
    both = changed(changed(both, "account.realised_today_r", figure(-4)), "positions.unrealised_r", figure(-2))
    assert verdict("daily_loss_r", both).level == "break"
    assert verdict("daily_loss_r", changed(both, "positions.unrealised_r", figure(3))).level == "normal"
    unknown = replace(both, positions=(both.positions[0], replace(position("ETHUSDT"), unrealised_r=Figure())))
    assert verdict("daily_loss_r", unknown).level == "unknown"


def test_money_that_was_moved_is_no_drawdown() -> None:
    withdrawn = changed(changed(IN_ORDER, "account.equity", figure(6_000)), "account.moved", figure(-4_000))
    assert level("drawdown", withdrawn) == "normal"
    deposited = changed(changed(IN_ORDER, "account.equity", figure(10_800)), "account.moved", figure(2_000))
    assert level("drawdown", deposited) == "break"
    assert level("drawdown", changed(IN_ORDER, "account.moved", figure(-10_000))) == "unknown"


@pytest.mark.parametrize(
    ("stop", "covers"),
    [
        (Stop("long", None), True),
        (Stop("long", Decimal("0.5")), True),
        (Stop("long", Decimal("0.499")), False),
        (Stop("long", Decimal("NaN")), False),
        (Stop("long", None, waits=False), False),
        (Stop("long", Decimal(1), waits=False), False),
        (Stop("short", None), False),
    ],
    ids=str,
)
def test_which_stop_covers_a_position(stop: Stop, covers: bool) -> None:
    assert (level("position_without_stop", bare(IN_ORDER, 3_000, (stop,))) == "normal") is covers


def test_two_halves_are_no_stop_and_a_whole_one_beside_others_is() -> None:
    half = Stop("long", Decimal("0.25"))
    assert level("position_without_stop", bare(IN_ORDER, 3_000, (half, half))) == "break"
    assert level("position_without_stop", bare(IN_ORDER, 3_000, (half, Stop("long", None)))) == "normal"


@pytest.mark.parametrize(("path", "value"), [("stops", None), ("stops_age_ms", 10_001), ("stops_age_ms", None)])
def test_stops_that_are_not_known_are_unknown(path: str, value: int | None) -> None:
    assert level("position_without_stop", changed(IN_ORDER, f"positions.{path}", value)) == "unknown"


def test_each_position_and_feed_has_its_verdict() -> None:
    two = replace(IN_ORDER, positions=(position(), replace(position("ETHUSDT"), opened_ms=NOW_MS - 71 * 60_000)))
    found = [one for one in RiskLimits().verdicts(two) if one.rule == "hold_time"]
    assert [(one.position, one.level) for one in found] == [
        (("BTCUSDT", "long"), "normal"),
        (("ETHUSDT", "long"), "break"),
    ]


def test_a_sentence_says_the_numbers() -> None:
    found = verdict("daily_loss_r", changed(IN_ORDER, "account.realised_today_r", figure("-6.25")))
    assert found.sentence == "today's loss is 6.25 R (warning at 3, break at 6)"
    found = verdict("price_gap", changed(IN_ORDER, "positions.mark_price", figure(1, 12_345)))
    assert found.sentence == (
        "the gap between last and mark price of BTCUSDT long is not known: the mark price is 12.3 s old"
    )


def test_numbers_are_written_plainly() -> None:
    assert [plain(Decimal(text)) for text in ("6.00", "1E+2", "0.00001", "-0.00001", "10", "1.23456")] == [
        *("6", "100", "0", "0", "10", "1.2346")
    ]


def test_rules_come_gravest_first() -> None:
    actions = [rule.action for rule in all_rules()]
    assert actions[0] == "flatten_all"
    assert actions[-1] == "block_entries"
    assert len(all_rules()) == 17
    assert in_order({rule.name: rule for rule in reversed(all_rules())}) == all_rules()
    with pytest.raises(BrokenPlugin, match="must be named another, not balance_floor"):
        in_order({"another": all_rules()[0]})


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_shipped_thresholds_are_in_order(rule: Rule) -> None:
    assert rule.defaults.are_ordered(rule.is_floor)
    assert None not in (rule.defaults.warning, rule.defaults.breach)


def test_thresholds_may_be_changed_and_turned_off() -> None:
    limits = RiskLimits(rules={"hold_time": at("1", "2"), "slippage": Thresholds()})
    inputs = held(IN_ORDER, "2")
    assert verdict("hold_time", inputs, limits).level == "break"
    assert "slippage" not in {one.rule for one in limits.verdicts(inputs)}
    never = RiskLimits(rules={"hold_time": Thresholds(warning=Decimal(1))})
    assert verdict("hold_time", held(IN_ORDER, "999"), never).level == "warning"
    quiet = RiskLimits(rules={"hold_time": Thresholds(breach=Decimal(71))})
    assert verdict("hold_time", held(IN_ORDER, "70"), quiet).level == "normal"


@pytest.mark.parametrize(
    "settings",
    [
        {"rules": {"hold_time": {"warning": 3, "breach": 2}}},
        {"rules": {"balance_floor": {"warning": 2, "breach": 3}}},
        {"rules": {"hold_time": {"warning": "NaN", "breach": 2}}},
        {"rules": {"hold_time": {"warning": "Infinity", "breach": "Infinity"}}},
        {"rules": {"hold_time": {"warning": -1}}},
        {"rules": {"hold_time": {"wanring": 1}}},
        {"rules": {"no_such_rule": {}}},
        {"cooldown": 3},
        {"cooldown_minutes": 0},
        {"stale_ms": float("nan")},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RiskLimits.model_validate(settings)


@pytest.mark.parametrize(
    ("realised", "level", "sentence"),
    [
        (-700, "break", "today's loss is 700 USD"),
        (-100, "unknown", "today's loss is more than 100 USD: nobody knows yet what the fees in BNB were worth"),
    ],
)
def test_a_measured_loss_flattens_although_more_of_it_is_not_known(realised: int, level: str, sentence: str) -> None:
    lacking = replace(figure(realised), lacks="nobody knows yet what the fees in BNB were worth")
    [found] = [
        one
        for one in RiskLimits().verdicts(changed(IN_ORDER, "account.realised_today", lacking))
        if one.rule == "daily_loss_usd"
    ]
    assert (found.level, found.sentence.startswith(sentence)) == (level, True)
