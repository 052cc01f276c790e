"""What differs between two configurations of a strategy, field by field: as data, and in the words that people read."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from libs.trading.strategy import Strategy


class Difference(msgspec.Struct, frozen=True):
    """One field by its place ("factors.basis.weight"); None: the field is not there. Values are those of the JSON file."""

    field: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.field} added: {_said(self.after)}"
        if self.after is None:
            return f"{self.field} removed: {_said(self.before)}"
        return f"{self.field} {_said(self.before)} -> {_said(self.after)}"


def differences(before: Strategy, after: Strategy) -> tuple[Difference, ...]:
    """In the order of the fields. What a file leaves out counts as its default, and neither spacing nor order is a difference.

    A factor that only one of them uses is one difference, with everything that the file says of it.
    """
    return tuple(_between("", before.model_dump(mode="json"), after.model_dump(mode="json")))


def _between(place: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _between(f"{place}{name}.", old, new)
        elif old != new:
            yield Difference(f"{place}{name}", old, new)


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_said, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value) or "nothing"
