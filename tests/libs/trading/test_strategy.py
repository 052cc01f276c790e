"""Strategy files: the ones we ship, the published schema, and clear lines for wrong ones."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from libs.trading.factors import all_factors
from libs.trading.strategy import StrategyInvalid, read_strategy, strategy_schema

FOLDER = Path(__file__).parents[3] / "strategies"
FILES = sorted(path.name for path in FOLDER.glob("*.json") if path.name != "schema.json")

BRACKET = {"take_profit_1_atr": 1.0, "take_profit_2_atr": 2.0, "stop_loss_atr": 1.0}


def data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "v51.json").read_text())
    return found


@pytest.mark.parametrize("file", FILES)
def test_shipped_files_are_valid_by_model_and_by_schema(file: str) -> None:
    text = (FOLDER / file).read_text()
    read = read_strategy(text, file)
    assert f"{read.name}.json" == file
    assert read.hold_minutes == 70
    jsonschema.validate(json.loads(text), strategy_schema())


def test_v51_looks_at_trades_alone_and_v52_at_positioning_too() -> None:
    known = all_factors()
    first, second = (read_strategy((FOLDER / f"{name}.json").read_text(), name) for name in ("v51", "v52"))
    assert not any(known[name].needs_inputs for name in first.factors)
    positioning = {name for name in second.factors if known[name].needs_inputs}
    assert positioning >= {
        "liquidation_pressure",
        "open_interest_change",
        "long_short_crowding",
        "funding_rate",
        "basis",
    }


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"threshold": 120}, "$.threshold: must be at most 100 (found 120)"),
        ({"name": "V 51"}, '$.name: must match ^[a-z][a-z0-9_]{0,31}$ (found "V 51")'),
        ({"version": "1"}, '$.version: must be a whole number (found "1")'),
        ({"symbols": "BTCUSDT"}, '$.symbols: must be "*" or a list of symbols (found "BTCUSDT")'),
        ({"symbols": ["btc"]}, '$.symbols[0]: must match ^[A-Z0-9]{2,24}$ (found "btc")'),
        ({"symbols": []}, "$.symbols: must have 1 or more entries"),
        ({"hold_minutes": None}, "$.hold_minutes: must be a whole number (found null)"),
        ({"enabled": "no"}, '$.enabled: must be true or false (found "no")'),
        ({"factors": []}, "$.factors: must be an object of names and values"),
        ({"evaluation_interval": "5s"}, "$.evaluation_interval: must be '15s' or '1s' (found \"5s\")"),
        (
            {"color": 1},
            "$.color: is not a field of a strategy; see strategies/schema.json for those that are (found 1)",
        ),
        ({"atr_percentile_band": {"low": 0.9, "high": 0.1}}, "$.atr_percentile_band: low must be below high"),
        (
            {"bracket": {"take_profit_1_atr": 3, "take_profit_2_atr": 1, "stop_loss_atr": 1}},
            "$.bracket: take_profit_1_atr must be below take_profit_2_atr",
        ),
        (
            {"bracket": BRACKET | {"working_type": "index"}},
            "$.bracket.working_type: must be 'last' or 'mark' (found \"index\")",
        ),
        (
            {"bracket": BRACKET | {"on_opposite_signal": "reverse"}},
            "$.bracket.on_opposite_signal: must be 'ignore' or 'close' (found \"reverse\")",
        ),
        (
            {"factors": {"cvd_momentum": {"weight": 0.4}}, "direction": {}},
            "$: the weights of the voting factors add up to 0.4; they must add up to 1",
        ),
    ],
)
def test_a_wrong_field_is_one_line_with_its_place(change: dict[str, Any], line: str) -> None:
    with pytest.raises(StrategyInvalid) as caught:
        read_strategy(json.dumps(data() | change), "strategies/mine.json")
    assert caught.value.problems == [f"strategies/mine.json: {line}"]
    assert str(caught.value).startswith(f"strategies/mine.json: {line}\n")


def test_an_unknown_factor_is_named_with_those_that_exist() -> None:
    wrong = data()
    wrong["factors"]["moon_phase"] = {"weight": 0.1}
    with pytest.raises(
        StrategyInvalid, match=r"mine\.json: \$: unknown factor moon_phase; known are atr_regime, basis"
    ):
        read_strategy(json.dumps(wrong), "mine.json")


def test_a_confirming_factor_must_vote() -> None:
    wrong = data() | {"direction": {"confirmed_by": ["atr_regime"]}}
    with pytest.raises(StrategyInvalid, match="names atr_regime, which does not vote"):
        read_strategy(json.dumps(wrong), "mine.json")


def test_several_problems_are_several_lines() -> None:
    wrong = data() | {"threshold": 0, "version": 0}
    del wrong["bracket"]
    with pytest.raises(StrategyInvalid) as caught:
        read_strategy(json.dumps(wrong), "mine.json")
    assert [line.split(": ")[1] for line in caught.value.problems] == ["$.version", "$.threshold", "$.bracket"]


def test_what_is_no_json_says_where_it_breaks() -> None:
    with pytest.raises(StrategyInvalid, match=r"mine\.json: \$: not JSON: .* line 1 column 2"):
        read_strategy("{", "mine.json")


def test_symbols_are_all_or_a_list() -> None:
    assert read_strategy(json.dumps(data()), "f").covers("BTCUSDT")
    chosen = read_strategy(json.dumps(data() | {"symbols": ["ETHUSDT"]}), "f")
    assert chosen.covers("ETHUSDT")
    assert not chosen.covers("BTCUSDT")
