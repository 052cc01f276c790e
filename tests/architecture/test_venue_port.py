"""A venue is one folder: `libs/exchanges/venue.py` names the adapters, services and their tests know the port alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXCHANGES = ROOT / "libs/exchanges"


def adapters() -> set[str]:
    """The packages of the venues there are; a new folder is one of them at once."""
    return {f"libs.exchanges.{path.parent.name}" for path in EXCHANGES.glob("*/__init__.py")}


def _imported(path: Path) -> Iterator[str]:
    """Full names, so that `from libs.exchanges import binance` is seen as well; imports inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def adapters_named_by(path: Path) -> set[str]:
    return {found for found in adapters() for name in _imported(path) if f"{name}.".startswith(f"{found}.")}


def test_no_service_and_no_test_of_a_service_names_an_adapter() -> None:
    files = [path for folder in ("services", "tests/services") for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): named for path in files if (named := adapters_named_by(path))}
    assert found == {}, "ask the Venue of libs.exchanges.venue for it"


def test_the_one_place_that_knows_the_venues_is_seen_by_this_check() -> None:
    assert adapters_named_by(EXCHANGES / "venue.py") == {"libs.exchanges.binance", "libs.exchanges.coinbase"}
    assert adapters() >= {"libs.exchanges.binance", "libs.exchanges.coinbase", "libs.exchanges.simulated"}
