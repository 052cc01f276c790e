"""The pictures of what may trade: the version that counts, and what each one changed."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from libs.store.live_questions import ConfigVersion
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.config_change import OVERRIDES, settings_names
from services.console.watch.words import said

SHIPPED = "as shipped: no strategy trades"


class ConfigChange(msgspec.Struct, frozen=True):
    """What a version changed: old and new value in words, by name. Of the first, against what is shipped."""

    account: str
    version: int
    changed_at: str
    changed_by: str
    reason: str
    changes: dict[str, tuple[str, str]]


def config_screen(account: str, config: LiveConfig, word: ConfigVersion | None) -> Group:
    """Every setting with its value and meaning, then what symbols have of their own."""
    said = (
        SHIPPED
        if word is None
        else f"version {word.version}, {word.changed_at:%Y-%m-%d %H:%M:%S}Z by {word.changed_by}"
    )
    table = Table("setting", "value", box=None, pad_edge=False)
    table.add_column("meaning", style="dim", overflow="fold")
    values = flat(config.model_dump(mode="json"))
    for name in settings_names():
        table.add_row(name, Text(values[name] or "none"), LiveConfig.model_fields[name].description or "")
    for name, value in values.items():
        if name.startswith(f"{OVERRIDES}."):
            table.add_row(name, Text(value), "of this symbol alone")
    return Group(Text(f"account {account}, {said}"), table)


def flat(document: Mapping[str, Any]) -> dict[str, str]:
    """Values in words by the names that `set` takes; without the version."""
    found: dict[str, str] = {}
    for name, value in document.items():
        if name == OVERRIDES:
            found |= {
                f"{OVERRIDES}.{symbol}.{own}": str(one)
                for symbol, owns in sorted(value.items())
                for own, one in owns.items()
                if one is not None
            }
        elif name != "version":
            found[name] = ",".join(value) if isinstance(value, list | tuple) else str(value)
    return found


def history_rows(versions: Sequence[ConfigVersion]) -> list[ConfigChange]:
    """What each version changed, the newest first, as they come."""
    documents = [one.document for one in versions] + [LiveConfig().model_dump(mode="json")]
    return [
        ConfigChange(
            one.account,
            one.version,
            one.changed_at.isoformat(),
            one.changed_by,
            one.reason,
            changes_between(older, newer),
        )
        for one, (newer, older) in zip(versions, pairwise(documents), strict=True)
    ]


def changes_between(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Old and new value in words, by name, of what differs between two versions."""
    before, after = flat(older), flat(newer)
    pairs = {name: (before.get(name, "none"), after.get(name, "none")) for name in dict.fromkeys((*after, *before))}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def changes_in_words(changes: Mapping[str, tuple[str, str]]) -> list[str]:
    """A line a setting: what it was, and what it is."""
    return [f"{name}: {old or 'none'} → {new or 'none'}" for name, (old, new) in changes.items()]


def history_screen(rows: Sequence[ConfigChange]) -> Table | Text:
    """For people."""
    if not rows:
        return Text(SHIPPED)
    table = Table("version", "when", "by", box=None, pad_edge=False)
    table.add_column("what", overflow="fold")
    table.add_column("why", overflow="fold")
    for row in rows:
        table.add_row(
            str(row.version),
            row.changed_at[:19].replace("T", " ") + "Z",
            Text(row.changed_by),
            Text("; ".join(changes_in_words(row.changes))),
            Text(said(row.reason)),
        )
    return table
