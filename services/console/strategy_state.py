"""Strategy files beside what is in force: one row each for `perpstream strategy list` and `diff`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from libs.kit.errors import ConfigurationError, UserError
from libs.streaming.strategies.activation import By, Files, file_problems, plan_of
from libs.streaming.strategies.answers import RESTART, Verdict
from libs.streaming.strategies.files import check_files, strategy_files
from libs.streaming.strategies.log import Standing, Word
from libs.trading.differences import Difference, differences
from libs.trading.execution.checklist import StrategyState
from libs.trading.strategy import Strategy

FileState = Literal["same", "differs", "new", "no file", "invalid", "blocked"]
"""`blocked`: it is a strategy, and it does not come into force, for the reason that stands beside."""


class StrategyRow(msgspec.Struct, frozen=True):
    """A strategy: what the log said last (since when, by the broker's clock, ms), what the engines made of it, and what its file
    says. `disabled`: in force, and its own file says that every signal is refused. `refused`: by the engine, so what it took
    before stays. `unanswered`: no engine has said yet that it counts. `problems`: why the state or the file is not as it should
    be."""

    strategy: str
    version: int | None
    state: StrategyState
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
    problems: tuple[str, ...] = ()


class CheckedRow(msgspec.Struct, frozen=True):
    """A file and what is wrong with it; what it defines where it can be read."""

    file: str
    strategy: str | None = None
    version: int | None = None
    threshold: float | None = None
    problems: list[str] = []


def validated(texts: Mapping[Path, bytes], folder: Path, standing: Standing | None) -> list[CheckedRow]:
    """A row for each file; beside a log (`standing`) also what keeps its version from counting."""
    checked = check_files(texts)
    problems: dict[Path, list[str]] = {path: list(lines) for path, lines in checked.problems.items()}
    if standing is not None:
        for path in checked.strategies:
            plan = plan_of(Files({path: texts[path]}, folder, whole=False), standing, By("validate"))
            problems[path] = [*plan.problems, *plan.waits]
    found = []
    for path in texts:
        strategy = checked.strategies.get(path)
        row = CheckedRow(str(path), problems=problems.get(path, []))
        if strategy is not None:
            said = {"strategy": strategy.name, "version": strategy.version, "threshold": strategy.threshold}
            row = msgspec.structs.replace(row, **said)
        found.append(row)
    return found


def rows(folder: Path, standing: Standing) -> list[StrategyRow]:
    """Every strategy that has a file in the folder or stands in the log, by name."""
    texts, problems = _texts_of(folder)
    checked = check_files(texts)
    problems |= file_problems(Files(texts, folder, whole=True), standing)
    files = {checked.names.get(path, path.stem): path for path in [*problems, *texts]}
    found = []
    for name in sorted({*files, *standing.last}):
        path = files.get(name)
        found.append(_row(name, standing, path, checked.strategies.get(path) if path else None, problems))
    return found


def _texts_of(folder: Path) -> tuple[dict[Path, bytes], dict[Path, list[str]]]:
    """What stands in the folder's files, and a line for those that cannot be read."""
    texts: dict[Path, bytes] = {}
    problems: dict[Path, list[str]] = {}
    for path in strategy_files(folder) if folder.is_dir() else []:
        try:
            texts[path] = path.read_bytes()
        except OSError as error:
            problems[path] = [f"{path}: it cannot be read: {error.strerror}"]
    return texts, problems


def _row(
    name: str, standing: Standing, path: Path | None, strategy: Strategy | None, problems: Mapping[Path, list[str]]
) -> StrategyRow:
    word = standing.last.get(name)
    shown = word.strategy if word else strategy
    lines = list(problems.get(path, ())) if path else []
    verdict = standing.verdict(name) if word else None
    if (
        word
        and word.enabled
        and verdict
        and verdict.state == "refused"
        and not any(verdict.reason in line for line in lines)
    ):
        lines.append(f"{verdict.refusal(word.event)}: {RESTART}")
    return StrategyRow(
        strategy=name,
        version=shown.version if shown else None,
        state=_state(word, verdict),
        since_ms=word.since_ms if word else None,
        activated_by=word.event.activated_by if word else None,
        reason=word.reason or None if word else None,
        threshold=shown.threshold if shown else None,
        factors=len(shown.factors) if shown else None,
        file=str(path) if path else None,
        file_state=_file_state(word, strategy, missing=path is None, blocked=path in problems),
        problems=lines,
    )


def states(standing: Standing) -> dict[str, StrategyState]:
    """The state of every strategy that the log has ever named."""
    return {name: _state(word, standing.verdict(name)) for name, word in standing.last.items()}


def _state(word: Word | None, verdict: Verdict | None) -> StrategyState:
    if word is None or verdict is None:
        return "not in force"
    if not word.enabled:
        return "withdrawn"
    if verdict.state == "refused":
        return "refused"
    if verdict.state == "unanswered":
        return "unanswered"
    return "in force" if word.strategy.enabled else "disabled"


def _file_state(word: Word | None, strategy: Strategy | None, *, missing: bool, blocked: bool) -> FileState:
    if missing:
        return "no file"
    if strategy is None:
        return "invalid"
    if word is not None and word.strategy == strategy:
        return "same"
    if blocked:
        return "blocked"
    return "new" if word is None else "differs"


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


def diffs(files: Files, standing: Standing) -> list[DiffRow]:
    """What each file would change, and why it cannot; of a whole folder, with the strategies in force that have no file."""
    checked, problems = check_files(files.texts), file_problems(files, standing)
    found = []
    for path in files.texts:
        strategy = checked.strategies.get(path)
        if strategy is None:
            found.append(DiffRow(path.stem, str(path), "invalid", None, None, problems=tuple(problems[path])))
        else:
            found.append(_diff(path, strategy, standing.last.get(strategy.name), tuple(problems.get(path, ()))))
    names = {*checked.names.values(), *(row.strategy for row in found)}
    gone = [
        DiffRow(name, None, "no file", word.strategy.version, None, problems=_refusal(standing, word))
        for name, word in sorted(standing.last.items())
        if files.whole and word.enabled and name not in names
    ]
    return found + gone


def _refusal(standing: Standing, word: Word) -> tuple[str, ...]:
    verdict = standing.verdict(word.event.strategy)
    return (f"{verdict.refusal(word.event)}: {RESTART}",) if verdict.state == "refused" else ()


def _diff(path: Path, strategy: Strategy, word: Word | None, problems: tuple[str, ...]) -> DiffRow:
    in_force = word.strategy if word and word.enabled else None
    changed = differences(word.strategy, strategy) if word else ()
    same = in_force == strategy
    return DiffRow(
        strategy=strategy.name,
        file=str(path),
        state="same" if same else "blocked" if problems else "new" if in_force is None else "differs",
        version_in_force=in_force.version if in_force else None,
        version_of_file=strategy.version,
        differences=changed,
        problems=problems,
    )


def lines_of(row: DiffRow) -> list[str]:
    """A diff as people read it: what is compared, a line for each field, and why it waits."""
    if row.state == "no file":
        what = "was refused by the engine" if row.problems else "is in force"
        return [
            f"{row.strategy}: version {row.version_in_force} {what} and has no file",
            *(f"  {x}" for x in row.problems),
        ]
    head = f"{row.strategy} ({row.file})"
    below = [*(f"  {item}" for item in row.differences), *(f"  it waits: {line}" for line in row.problems)]
    if row.state == "invalid":
        return [f"{head}: it is no strategy", *(f"  {line}" for line in row.problems)]
    if row.state == "same":
        return [f"{head}: {'same as what was said last' if row.problems else 'same as in force'}", *below]
    if row.version_in_force is None:
        return [f"{head}: version {row.version_of_file}, not in force", *below]
    return [f"{head}: differs from what is in force", *below]


def unknown_strategy(name: str, standing: Standing) -> UserError:
    """Nothing of that name is in force: wrong input where the log has never heard of it."""
    known = ", ".join(each for each, word in sorted(standing.last.items()) if word.enabled)
    kind = UserError if name in standing.last else ConfigurationError
    return kind(f"{name} is not in force", todo=f"name one of {known}" if known else "nothing is in force")
