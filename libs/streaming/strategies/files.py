"""Strategy files: where they are, what stands in them, and that all of it is right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Checked:
    """Files by path. `strategies`: of those without a problem; `problems`: one line each with file, place and what to do;
    `names`: which strategy each file defines, also where two define the same and neither can count."""

    strategies: Mapping[Path, Strategy]
    problems: Mapping[Path, list[str]]
    names: Mapping[Path, str]


def check_files(texts: Mapping[Path, bytes]) -> Checked:
    """Every text as a validated strategy, each for itself: a wrong file is no reason to doubt another. Of files that contradict
    each other, because they define the same strategy, none counts. Raises `ConfigurationError` where a factor's file
    cannot be imported: then nothing is known of any strategy."""
    strategies: dict[Path, Strategy] = {}
    problems: dict[Path, list[str]] = {}
    for path, text in texts.items():
        try:
            strategies[path] = read_strategy(text, str(path))
        except StrategyInvalid as error:
            problems[path] = error.problems
    names = {path: strategy.name for path, strategy in strategies.items()}
    for path, name in names.items():
        if others := [str(other) for other, same in names.items() if same == name and other != path]:
            also = ", ".join(others)
            problems[path] = [f"{path}: $.name: two files define the strategy {name}, also {also}: rename one of them"]
            del strategies[path]
    return Checked(strategies, problems, names)


def strategies_in(texts: Mapping[Path, bytes]) -> dict[Path, Strategy]:
    """Every text as a validated strategy. Raises `StrategyInvalid` with each problem of each file."""
    checked = check_files(texts)
    if checked.problems:
        raise StrategyInvalid([line for path in texts for line in checked.problems.get(path, ())])
    return dict(checked.strategies)


def read_files(files: Sequence[Path]) -> dict[Path, Strategy]:
    """Every file as a validated strategy; raises `ConfigurationError` for an unreadable or wrong file, or a doubled name."""
    return strategies_in(read_texts(files))


def strategy_names() -> list[str]:
    """The names of the folder's files, for the completion of a shell; none when there is no folder."""
    return sorted(path.stem for path in strategies_dir().glob("*.json") if path.name != SCHEMA_FILE)
