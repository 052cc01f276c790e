"""pydantic at the edges, msgspec inside: what a person writes as a strategy file survives its way through the log."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.codec import decode, encode, header_map
from libs.contracts.control import StrategyActivated
from libs.trading.strategy import Strategy

FOLDER = Path(__file__).parents[3] / "strategies"
FILES = sorted(path for path in FOLDER.glob("*.json") if path.name != "schema.json")
assert FILES, "the product comes with strategies"


def through_the_log(strategy: Strategy) -> Strategy:
    """Validated model, record on control.strategy.v1, and back."""
    event = StrategyActivated(
        event_id="x",
        event_time_ms=0,
        strategy=strategy.name,
        version=strategy.version,
        enabled=strategy.enabled,
        definition=msgspec.Raw(strategy.model_dump_json().encode()),
        activated_by="test",
    )
    encoded = encode(event)
    back = decode(encoded.value, header_map(encoded.headers))
    assert isinstance(back, StrategyActivated)
    return Strategy.model_validate_json(bytes(back.definition))


def load(path: Path) -> Strategy:
    document = json.loads(path.read_text())
    document.pop("$schema", None)
    return Strategy.model_validate_json(json.dumps(document))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_strategy_file_survives_the_log(path: Path) -> None:
    strategy = load(path)
    assert through_the_log(strategy) == strategy


@given(
    threshold=st.floats(0.001, 100),
    cooldown=st.integers(0, 86_400),
    version=st.integers(1, 1_000_000),
    description=st.text(st.characters(codec="utf-8"), max_size=50),
)
def test_any_valid_numbers_survive_exactly(threshold: float, cooldown: int, version: int, description: str) -> None:
    changed = load(FILES[0]).model_copy(
        update={
            "threshold": threshold,
            "cooldown_seconds": cooldown,
            "version": version,
            "description": description,
        }
    )
    assert through_the_log(changed) == changed
