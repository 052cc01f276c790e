"""Strategy files: where they are, what stands in them, and that all of it is right."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from libs.kit.errors import ConfigurationError
from libs.kit.settings import SettingsGroup, load_settings
from libs.trading.strategy import Strategy, StrategyInvalid, read_strategy

SCHEMA_FILE = "schema.json"


class StrategySettings(SettingsGroup):
    """Where the strategy files are."""

    strategies_dir: Path = Path("strategies")


def strategies_dir() -> Path:
    """The folder of PERPSTREAM_STRATEGIES_DIR, by default `strategies`."""
    return load_settings(StrategySettings).strategies_dir


def strategy_files(folder: Path) -> list[Path]:
    """The strategy files of a folder by name; raises `ConfigurationError` when there are none."""
    files = sorted(path for path in folder.glob("*.json") if path.name != SCHEMA_FILE)
    if not files:
        raise ConfigurationError(
            "there is no strategy file", where=str(folder), todo="set PERPSTREAM_STRATEGIES_DIR to the folder of *.json"
        )
    return files


def read_texts(files: Sequence[Path]) -> dict[Path, bytes]:
    """What stands in the files; raises `ConfigurationError` for one that cannot be read."""
    texts: dict[Path, bytes] = {}
    for path in files:
        try:
            texts[path] = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"the strategy file cannot be read: {error.strerror}", where=str(path), todo="check the path"
            ) from None
    return texts


def strategies_in(texts: Mapping[Path, bytes]) -> dict[Path, Strategy]:
    """Every text as a validated strategy. All of them are looked at: raises `StrategyInvalid` with each problem of each file,
    or `ConfigurationError` when two define the same strategy."""
    strategies: dict[Path, Strategy] = {}
    problems: list[str] = []
    for path, text in texts.items():
        try:
            strategies[path] = read_strategy(text, str(path))
        except StrategyInvalid as error:
            problems += error.problems
    if problems:
        raise StrategyInvalid(problems)
    _require_distinct(strategies)
    return strategies


def _require_distinct(strategies: Mapping[Path, Strategy]) -> None:
    names: set[str] = set()
    for path, strategy in strategies.items():
        if strategy.name in names:
            raise ConfigurationError(
                f"two files define the strategy {strategy.name}", where=str(path), todo="rename one of them"
            )
        names.add(strategy.name)


def read_files(files: Sequence[Path]) -> dict[Path, Strategy]:
    """Every file as a validated strategy; raises `ConfigurationError` for an unreadable or wrong file, or a doubled name."""
    return strategies_in(read_texts(files))


def strategy_names() -> list[str]:
    """The names of the folder's files, for the completion of a shell; none when there is no folder."""
    return sorted(path.stem for path in strategies_dir().glob("*.json") if path.name != SCHEMA_FILE)
