"""What files change in what is in force: decided file by file, in words, and said in the log with who, why and from where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from libs.contracts.control import StrategyActivated
from libs.contracts.identity import digest
from libs.streaming.strategies.answers import RESTART, Answers, Verdict
from libs.streaming.strategies.files import Checked, check_files, read_texts, strategy_files
from libs.streaming.strategies.log import Standing, Word, definition_digest, publish, read_standing
from libs.trading.differences import differences
from libs.trading.strategy import Strategy

FOLDER = "strategies folder"


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something and why; `by_hand`: a person, whose word the folder does not undo without a higher version."""

    who: str
    reason: str = ""
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Files:
    """Texts of strategy files by path. `whole`: they are all of the folder's: a strategy without one has lost its file."""

    texts: Mapping[Path, bytes]
    folder: Path
    whole: bool

    def name_of(self, path: Path) -> str:
        """The file's name in the folder, empty for one from elsewhere."""
        return path.name if path.parent.resolve() == self.folder.resolve() else ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What must be appended, each with its change in words. `problems`: one line each with file, place and what to do; those
    files change nothing. `waits`: the same of files that may count without being changed. `notes`: what was left as it is, and
    why."""

    news: tuple[StrategyActivated, ...] = ()
    changes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()


def plan_of(files: Files, standing: Standing, by: By) -> Plan:
    """What the files change; of a whole folder, a strategy whose file has gone is withdrawn.

    For the folder itself each file counts for itself: a wrong one keeps no other out. What a person asks for, and single files,
    change all or nothing.
    """
    checked = check_files(files.texts)
    plan = Plan()
    for path, text in files.texts.items():
        strategy = checked.strategies.get(path)
        if strategy is None:
            plan = _joined(plan, Plan(problems=tuple(checked.problems[path])))
            continue
        wanted = activation_of(strategy, text, by, files.name_of(path))
        last = standing.last.get(strategy.name)
        if last is not None and last.strategy == strategy:
            part = _of_same(path, last, wanted, by, standing.verdict(strategy.name))
        else:
            part = _of_other(path, strategy, wanted, standing)
        if part.news and (unknown := standing.answers.unknown(strategy.factors)):
            line = (_too_new(path, unknown),)
            part = Plan(problems=line) if by.by_hand else Plan(waits=line)
        plan = _joined(plan, part)
    if files.whole:
        plan = _joined(plan, _withdrawals(checked, standing, by))
    if plan.problems and (by.by_hand or not files.whole):
        return replace(plan, news=(), changes=())
    return plan


def _withdrawals(checked: Checked, standing: Standing, by: By) -> Plan:
    """Of strategies whose file has gone. A file that is there and cannot be read may be any strategy's: it withdraws none that
    it was of."""
    plan, names = Plan(), set(checked.names.values())
    wrong = {path.name for path in checked.problems}
    for name, word in sorted(standing.last.items()):
        file = word.file or f"{name}.json"
        if name not in names and file not in wrong and word.enabled and word.of_folder:
            gone = replace(by, reason=by.reason or "its file has gone")
            plan = _joined(plan, withdrawal(word, gone, file))
    return plan


def file_problems(files: Files, standing: Standing) -> dict[Path, list[str]]:
    """Why a file of the folder does not come into force, line by line; nothing for those that do, or are."""
    checked = check_files(files.texts)
    found = {path: list(lines) for path, lines in checked.problems.items()}
    for path in checked.strategies:
        one = Files({path: files.texts[path]}, files.folder, whole=False)
        plan = plan_of(one, standing, By(FOLDER))
        if lines := [*plan.problems, *plan.waits, *plan.notes]:
            found[path] = lines
    return found


def _too_new(path: Path, factors: Sequence[str]) -> str:
    """What the engine would refuse is not said at all: a replay whose code knows the factor would take it from there on."""
    names = ", ".join(factors)
    return f"{path}: $.factors: the running engine does not know {names}: {RESTART}"


def _joined(first: Plan, second: Plan) -> Plan:
    return Plan(
        first.news + second.news,
        first.changes + second.changes,
        first.problems + second.problems,
        first.notes + second.notes,
        first.waits + second.waits,
    )


def _of_other(path: Path, strategy: Strategy, wanted: StrategyActivated, standing: Standing) -> Plan:
    """The file says something else than the log, or the log has no word on its strategy."""
    name, version = strategy.name, strategy.version
    last, highest = standing.last.get(name), standing.highest.get(name, 0)
    if version <= highest:
        return Plan(problems=(_not_higher(path, strategy, last, highest),))
    if last is None:
        change = (
            f"{name} version {version} is new: signals from {strategy.threshold:g}, {len(strategy.factors)} factors"
        )
    else:
        change = f"{name} {'; '.join(map(str, differences(last.strategy, strategy)))}"
    return Plan((wanted,), (change,))


def _of_same(path: Path, last: Word, wanted: StrategyActivated, by: By, verdict: Verdict) -> Plan:
    """The file says what the log said last; it may have been withdrawn since, or refused by the engine."""
    name = wanted.strategy
    if last.enabled and verdict.state != "refused":
        return Plan()
    if last.enabled:
        if by.by_hand:
            return Plan(
                (wanted,), (f"{name} version {wanted.version} is said again: the engine has refused it before",)
            )
        return Plan(
            notes=(f"{path}: $: {verdict.refusal(last.event)}: {RESTART}, then `perpstream strategy activate {path}`",)
        )
    if not last.of_folder and not by.by_hand:
        why = f" ({last.reason})" if last.reason else ""
        return Plan(
            notes=(
                f"{name} stays withdrawn, as {last.event.activated_by} said{why}: `perpstream strategy activate {path}` "
                "brings it back, or a higher version",
            )
        )
    return Plan((wanted,), (f"{name} version {wanted.version} is back in force",))


def _not_higher(path: Path, strategy: Strategy, last: Word | None, highest: int) -> str:
    """Name and version are in every signal's id: two contents under one version would share ids."""
    other, hint = "that of a record which cannot be read", ""
    if last is not None:
        if not last.of_folder and strategy.version < last.strategy.version:
            hint = f"; {last.event.activated_by} has activated version {last.strategy.version}: copy its file here to keep it"
        changed = "; ".join(str(item) for item in differences(last.strategy, strategy) if item.field != "version")
        other = f"that of version {last.strategy.version} in the log" + (f" ({changed})" if changed else "")
    return (
        f"{path}: $.version: raise version above {highest}: the content is not {other} (found {strategy.version}){hint}"
    )


def withdrawal(word: Word, by: By, file: str = "") -> Plan:
    """What takes a strategy out of force; it is scored on, and its signals are refused as disabled. `file`: the one that has
    gone from the folder; without it the folder does not bring the strategy back."""
    name, version = word.event.strategy, word.event.version
    event = _activation(name, version, bytes(word.event.definition), enabled=False)
    change = f"{name} version {version} is withdrawn" + (f": {by.reason}" if by.reason else "")
    return Plan((_said(event, by, file),), (change,))


def activation_of(strategy: Strategy, text: bytes, by: By, file: str = "") -> StrategyActivated:
    """The record that puts this file in force. Equal files give equal ids: it carries no clock (its time is 0)."""
    definition = msgspec.json.encode(msgspec.json.decode(text))
    return _said(_activation(strategy.name, strategy.version, definition, enabled=True), by, file)


def _said(event: StrategyActivated, by: By, file: str) -> StrategyActivated:
    return msgspec.structs.replace(
        event, activated_by=by.who, reason=by.reason or msgspec.UNSET, file=file or msgspec.UNSET
    )


def _activation(name: str, version: int, definition: bytes, *, enabled: bool) -> StrategyActivated:
    return StrategyActivated(
        event_id=digest("strategy", name, version, definition_digest(definition), enabled),
        event_time_ms=0,
        strategy=name,
        version=version,
        enabled=enabled,
        definition=msgspec.Raw(definition),
        activated_by="",
    )


async def activate_folder(bootstrap: str, folder: Path, by: By) -> Plan:
    """Bring control.strategy.v1 up to date with the folder, before any engine runs; doing it twice adds nothing.

    Files with problems change nothing; what engines that are gone have answered does not count. Raises `ConfigurationError` for
    a folder without files, or a file that nobody may read.
    """
    files = Files(read_texts(strategy_files(folder)), folder, whole=True)
    standing = replace(await read_standing(bootstrap), answers=Answers())
    plan = plan_of(files, standing, by)
    await publish(bootstrap, plan.news)
    return plan
