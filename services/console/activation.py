"""What files change in what is in force: decided as a whole, in words, and said in the log with who, why and from where."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from libs.contracts.control import StrategyActivated
from libs.contracts.identity import digest
from libs.trading.differences import differences
from libs.trading.strategy import Strategy
from services.console.strategy_files import read_texts, strategies_in, strategy_files
from services.console.strategy_log import Standing, Word, definition_digest, publish, read_standing

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
    """What must be appended, each with its change in words. Where there are problems, nothing is: one line each, with file,
    place and what to do. `notes`: what was left as it is, and why."""

    news: tuple[StrategyActivated, ...] = ()
    changes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_of(files: Files, standing: Standing, by: By) -> Plan:
    """What the files change; of a whole folder, a strategy whose file has gone is withdrawn.

    Raises `ConfigurationError` for a wrong file: all of them are looked at before any counts.
    """
    plan = Plan()
    strategies = strategies_in(files.texts)
    for path, strategy in strategies.items():
        wanted = activation_of(strategy, files.texts[path], by, files.name_of(path))
        last = standing.last.get(strategy.name)
        if last is not None and last.strategy == strategy:
            part = _of_same(path, last, wanted, by)
        else:
            part = _of_other(path, strategy, wanted, standing)
        plan = _joined(plan, part)
    if files.whole:
        names = {strategy.name for strategy in strategies.values()}
        for name, word in sorted(standing.last.items()):
            if name not in names and word.enabled and word.of_folder:
                gone = replace(by, reason=by.reason or "its file has gone")
                plan = _joined(plan, withdrawal(word, gone, word.file or f"{name}.json"))
    return replace(plan, news=(), changes=()) if plan.problems else plan


def _joined(first: Plan, second: Plan) -> Plan:
    return Plan(
        first.news + second.news,
        first.changes + second.changes,
        first.problems + second.problems,
        first.notes + second.notes,
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


def _of_same(path: Path, last: Word, wanted: StrategyActivated, by: By) -> Plan:
    """The file says what the log said last; it may have been withdrawn since."""
    name = wanted.strategy
    if last.enabled:
        return Plan()
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
    other = "that of a record which cannot be read"
    if last is not None:
        changed = "; ".join(str(item) for item in differences(last.strategy, strategy) if item.field != "version")
        other = f"that of version {last.strategy.version} in the log" + (f" ({changed})" if changed else "")
    return f"{path}: $.version: raise version above {highest}: the content is not {other} (found {strategy.version})"


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
    """Bring control.strategy.v1 up to date with the folder; doing it twice adds nothing. Raises `ConfigurationError` for a wrong
    file, before anything is published; a plan with problems was not carried out."""
    files = Files(read_texts(strategy_files(folder)), folder, whole=True)
    plan = plan_of(files, await read_standing(bootstrap), by)
    await publish(bootstrap, plan.news)
    return plan
