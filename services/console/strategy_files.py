"""Strategy files: where they are, and that each is right."""

from collections.abc import Sequence
from pathlib import Path

from libs.kit.errors import ConfigurationError
from libs.kit.settings import SettingsGroup, load_settings
from libs.trading.strategy import Strategy, read_strategy


class StrategySettings(SettingsGroup):
    """Where the strategy files are."""

    strategies_dir: Path = Path("strategies")


def strategies_dir() -> Path:
    """The folder of PERPSTREAM_STRATEGIES_DIR, by default `strategies`."""
    return load_settings(StrategySettings).strategies_dir


def strategy_files(folder: Path) -> list[Path]:
    """The strategy files of a folder by name; raises `ConfigurationError` when there are none."""
    files = sorted(path for path in folder.glob("*.json") if path.name != "schema.json")
    if not files:
        raise ConfigurationError(
            "there is no strategy file", where=str(folder), todo="set PERPSTREAM_STRATEGIES_DIR to the folder of *.json"
        )
    return files


def read_files(files: Sequence[Path]) -> dict[Path, Strategy]:
    """Every file as a validated strategy; raises `ConfigurationError` for an unreadable or wrong file, or a doubled name."""
    strategies: dict[Path, Strategy] = {}
    for path in files:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"the strategy file cannot be read: {error.strerror}", where=str(path), todo="check the path"
            ) from None
        strategy = read_strategy(text, str(path))
        if any(other.name == strategy.name for other in strategies.values()):
            raise ConfigurationError(
                f"two files define the strategy {strategy.name}", where=str(path), todo="rename one of them"
            )
        strategies[path] = strategy
    return strategies
