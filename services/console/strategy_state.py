"""Strategy files beside what is in force: one row each for `perpstream strategy list` and `diff`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from libs.kit.errors import ConfigurationError, UserError
from libs.trading.differences import Difference, differences
from libs.trading.strategy import Strategy, StrategyInvalid
from services.console.strategy_files import read_files, strategies_in, strategy_files
from services.console.strategy_log import Standing, Word

FileState = Literal["same", "differs", "new", "no file", "invalid"]
State = Literal["in force", "withdrawn", "disabled", "not in force"]


class StrategyRow(msgspec.Struct, frozen=True):
    """A strategy: what the log said last (since when, by the broker's clock, ms), and what its file says. `disabled`: in force,
    and its own file says that every signal is refused."""

    strategy: str
    version: int | None
    state: State
    since_ms: int | None
    activated_by: str | None
    reason: str | None
    threshold: float | None
    factors: int | None
    file: str | None
    file_state: FileState
    problems: list[str]


class DiffRow(msgspec.Struct, frozen=True):
    """What a file would change in what is in force."""

    strategy: str
    file: str | None
    state: FileState
    version_in_force: int | None
    version_of_file: int | None
    differences: tuple[Difference, ...] = ()


def rows(folder: Path, standing: Standing) -> list[StrategyRow]:
    """Every strategy that has a file in the folder or stands in the log, by name."""
    files: dict[str, tuple[Path, Strategy | None, list[str]]] = {}
    for path in strategy_files(folder) if folder.is_dir() else []:
        try:
            strategy: Strategy | None = next(iter(strategies_in({path: path.read_bytes()}).values()))
            problems: list[str] = []
        except StrategyInvalid as error:
            strategy, problems = None, error.problems
        except OSError as error:
            strategy, problems = None, [f"{path}: it cannot be read: {error.strerror}"]
        files[strategy.name if strategy else path.stem] = (path, strategy, problems)
    return [_row(name, standing.last.get(name), files.get(name)) for name in sorted({*files, *standing.last})]


def _row(name: str, word: Word | None, found: tuple[Path, Strategy | None, list[str]] | None) -> StrategyRow:
    path, strategy, problems = found or (None, None, [])
    shown = word.strategy if word else strategy
    return StrategyRow(
        strategy=name,
        version=shown.version if shown else None,
        state=_state(word),
        since_ms=word.since_ms if word else None,
        activated_by=word.event.activated_by if word else None,
        reason=word.reason or None if word else None,
        threshold=shown.threshold if shown else None,
        factors=len(shown.factors) if shown else None,
        file=str(path) if path else None,
        file_state=_file_state(word, strategy, missing=path is None),
        problems=problems,
    )


def _state(word: Word | None) -> State:
    if word is None:
        return "not in force"
    if not word.enabled:
        return "withdrawn"
    return "in force" if word.strategy.enabled else "disabled"


def _file_state(word: Word | None, strategy: Strategy | None, *, missing: bool) -> FileState:
    if missing:
        return "no file"
    if strategy is None:
        return "invalid"
    if word is None:
        return "new"
    return "same" if word.strategy == strategy else "differs"


def chosen_files(targets: Sequence[str], folder: Path, standing: Standing) -> list[Path]:
    """The files that are meant by files and names of strategies; all of the folder's without any. Raises `ConfigurationError`."""
    if not targets:
        return strategy_files(folder)
    return [_chosen(target, folder, standing) for target in targets]


def _chosen(target: str, folder: Path, standing: Standing) -> Path:
    if target.endswith(".json") or Path(target).is_file():
        return Path(target)
    named = folder / f"{target}.json"
    if named.is_file():
        return named
    what = f"{target} is in force without a file" if target in standing.last else f"there is no strategy {target}"
    known = ", ".join(sorted({path.stem for path in folder.glob("*.json")} - {"schema"} | set(standing.last)))
    raise ConfigurationError(what, where=str(folder), todo=f"name a file, or one of {known or 'none that are known'}")


def diffs(files: Sequence[Path], standing: Standing, *, whole: bool) -> list[DiffRow]:
    """What each file would change; `whole`: with the strategies in force that have no file. Raises `ConfigurationError` for a
    wrong file."""
    found = [_diff(path, strategy, standing.last.get(strategy.name)) for path, strategy in read_files(files).items()]
    names = {row.strategy for row in found}
    gone = [
        DiffRow(name, None, "no file", word.strategy.version, None)
        for name, word in sorted(standing.last.items())
        if whole and word.enabled and name not in names
    ]
    return found + gone


def _diff(path: Path, strategy: Strategy, word: Word | None) -> DiffRow:
    in_force = word.strategy if word and word.enabled else None
    changed = differences(word.strategy, strategy) if word else ()
    same = in_force == strategy
    return DiffRow(
        strategy=strategy.name,
        file=str(path),
        state="same" if same else "new" if in_force is None else "differs",
        version_in_force=in_force.version if in_force else None,
        version_of_file=strategy.version,
        differences=changed,
    )


def lines_of(row: DiffRow) -> list[str]:
    """A diff as people read it: what is compared, then a line for each field."""
    if row.state == "no file":
        return [f"{row.strategy}: version {row.version_in_force} is in force and has no file"]
    head = f"{row.strategy} ({row.file})"
    if row.state == "same":
        return [f"{head}: same as in force"]
    if row.state == "new":
        return [f"{head}: version {row.version_of_file}, not in force", *(f"  {item}" for item in row.differences)]
    return [f"{head}: differs from what is in force", *(f"  {item}" for item in row.differences)]


def unknown_strategy(name: str, standing: Standing) -> UserError:
    """Nothing of that name is in force: wrong input where the log has never heard of it."""
    known = ", ".join(each for each, word in sorted(standing.last.items()) if word.enabled)
    kind = UserError if name in standing.last else ConfigurationError
    return kind(f"{name} is not in force", todo=f"name one of {known}" if known else "nothing is in force")
