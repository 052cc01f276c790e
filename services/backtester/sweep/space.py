"""Which values of a strategy's parameters are tried, and a strategy's definition with some of them put in."""

import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from libs.kit.errors import ConfigurationError
from libs.kit.wording import what_is_wrong
from libs.trading.factors import all_factors
from libs.trading.strategy import Strategy

Value = float | int | str | bool
Point = dict[str, Value]
DIGITS = 6
"""Significant digits of a drawn number: more say nothing, and brackets are decimals."""
MOST_STEPS = 100_000


class SpaceInvalid(ConfigurationError):
    """A file with parameters that cannot be tried; exit code 2."""


class Axis(BaseModel):
    """The values of one parameter: a list, or the numbers from `low` to `high`, in steps if `step` is given."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    values: tuple[Value, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = Field(default=None, gt=0)
    log: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "Axis":
        if self.values:
            if self.low is not None or self.high is not None or self.step is not None or self.log:
                raise ValueError("values, or low and high: not both")
            return self
        if self.low is None or self.high is None:
            raise ValueError("a list of values, or low and high")
        if self.low >= self.high:
            raise ValueError("low must be below high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs a low above 0, and no step")
        if self.step is not None and (self.high - self.low) / self.step > MOST_STEPS:
            raise ValueError(f"more than {MOST_STEPS} steps")
        return self

    def listed(self) -> tuple[Value, ...] | None:
        """All values, or None when there is no end of them."""
        if self.values:
            return self.values
        if self.step is None or self.low is None or self.high is None:
            return None
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return tuple(rounded(self.low + place * self.step) for place in range(count))

    def at(self, share: float) -> Value:
        """The value at a share of the axis, from 0 up to, without, 1."""
        if listed := self.listed():
            return listed[min(len(listed) - 1, int(share * len(listed)))]
        assert self.low is not None, "checked"
        assert self.high is not None, "checked"
        if self.log:
            return rounded(self.low * (self.high / self.low) ** share)
        return rounded(self.low + share * (self.high - self.low))

    def place(self, value: Value) -> float:
        """Where a value is on the axis, from 0 to 1: what distances between configurations are measured in."""
        if listed := self.listed():
            return listed.index(value) / max(1, len(listed) - 1) if value in listed else 0.0
        assert self.low is not None, "checked"
        assert self.high is not None, "checked"
        if self.log:
            return math.log(float(value) / self.low) / math.log(self.high / self.low)
        return (float(value) - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Space:
    """A base strategy's definition and the axes of the parameters that change, by dotted path, in order of paths."""

    definition: dict[str, Any]
    axes: Mapping[str, Axis]

    def as_tried(self, point: Point) -> Point:
        """The point with the values that its strategy has: drawn numbers of whole parameters are rounded."""
        return {path: _fit(_found(self.definition, path), value) for path, value in point.items()}

    def strategy(self, point: Point) -> Strategy | None:
        """The strategy at a point; None where its values contradict each other (a first target beyond the second, …)."""
        try:
            return Strategy.model_validate(self.changed(point))
        except ValidationError:
            return None

    def changed(self, point: Point) -> dict[str, Any]:
        """The definition at a point. When a vote's weight is set, all voting weights are divided by their sum, so that they add
        up to 1: raising one takes from all others in proportion."""
        definition = deepcopy(self.definition)
        for path, value in point.items():
            _put(definition, path, value)
        if any(path.startswith("factors.") and path.endswith(".weight") for path in point):
            _normalise(definition["factors"])
        return definition


def on_finest_grid(strategy: Strategy, space: Space) -> Strategy:
    """The base strategy on the shortest evaluation interval that is tried: what is asked once on it serves the longer ones."""
    tried = _tried(space, "evaluation_interval")
    return min(tried, key=lambda each: each.interval_ms, default=strategy)


def with_marks(strategy: Strategy, space: Space) -> Strategy:
    """The strategy with stops by the mark price, where any that is tried has them: what is read for it serves the others too."""
    tried = {each.bracket.working_type for each in _tried(space, "bracket.working_type")}
    if not tried:
        return strategy
    bracket = strategy.bracket.model_copy(update={"working_type": "mark" if "mark" in tried else "last"})
    return strategy.model_copy(update={"bracket": bracket})


def _tried(space: Space, name: str) -> list[Strategy]:
    """The base strategy with each value of a listed parameter alone; none where it is not one of the space."""
    listed = space.axes[name].listed() if name in space.axes else ()
    return [each for value in listed or () if (each := space.strategy({name: value})) is not None]


def rounded(value: float) -> float:
    """To six significant digits."""
    return float(f"{value:.{DIGITS}g}")


def read_space(path: Path, strategy: Strategy) -> Space:
    """The parameters in a TOML or JSON file, for a base strategy. Raises `SpaceInvalid` for what cannot be tried."""
    try:
        text = path.read_bytes()
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text.decode())
    except (OSError, ValueError) as error:
        raise SpaceInvalid(f"the space cannot be read: {error}", where=str(path), todo="write TOML or JSON") from None
    given = found.get("parameters") if isinstance(found, dict) else None
    if not isinstance(given, dict) or not given or set(found) != {"parameters"}:
        raise SpaceInvalid(
            "there is no table of parameters", where=str(path), todo="write [parameters] and e.g. threshold = [50, 60]"
        )
    definition = json.loads(strategy.model_dump_json())
    axes = {name: _axis(path, name, values) for name, values in sorted(_flat(given))}
    for name, axis in axes.items():
        _check(path, Space(definition, {}), name, axis)
    return Space(definition, axes)


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested tables as dotted paths; a table with `low` or `values` is an axis."""
    for name, value in table.items():
        path = f"{before}{name}"
        if isinstance(value, dict) and not {"low", "high", "values"} & set(value):
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


def _axis(path: Path, name: str, given: Any) -> Axis:
    try:
        return Axis.model_validate({"values": given} if isinstance(given, list) else given)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        what = " ".join([*map(str, detail["loc"]), what_is_wrong(detail)])
        raise SpaceInvalid(f"{name}: {what}", where=str(path), todo="give a list, or low and high [and step]") from None


def _check(path: Path, space: Space, name: str, axis: Axis) -> None:
    """The parameter exists, and some of its values alone would make a strategy, or at least have the right kind."""
    try:
        space.changed({name: axis.at(0.0)})
    except (KeyError, TypeError):
        raise SpaceInvalid(
            f"the strategy has no parameter {name}", where=str(path), todo="use paths like bracket.stop_loss_atr"
        ) from None
    if type(_found(space.definition, name)) is int and any(
        isinstance(value, float) and value % 1 for value in axis.listed() or ()
    ):
        raise SpaceInvalid(
            f"{name} is a whole number", where=str(path), todo="give whole values, or a whole low and step"
        )
    ends = [space.changed({name: axis.at(share)}) for share in (0.0, 0.5, 1 - 1e-9)]
    problems = []
    for definition in ends:
        try:
            Strategy.model_validate(definition)
            return
        except ValidationError as error:
            problems.append(what_is_wrong(error.errors(include_url=False)[0]))
    raise SpaceInvalid(f"{name}: {problems[0]}", where=str(path), todo="choose values that a strategy may have")


def _put(definition: dict[str, Any], path: str, value: Value) -> None:
    """Set what stands at the path; a whole number stays one. Raises `KeyError` where nothing stands."""
    parent, _, last = path.rpartition(".")
    table = _found(definition, parent) if parent else definition
    table[last] = _fit(table[last], value)


def _found(definition: dict[str, Any], path: str) -> Any:
    found: Any = definition
    for name in path.split("."):
        found = found[name]
    return found


def _fit(old: Value, value: Value) -> Value:
    """A value in the place of another: whole where that one is."""
    return round(value) if type(old) is int and isinstance(value, float) else value


def _normalise(factors: dict[str, Any]) -> None:
    known = all_factors()
    votes = [name for name in sorted(factors) if known[name].role == "vote"]
    total = math.fsum(factors[name]["weight"] for name in votes)
    for name in votes:
        factors[name]["weight"] /= total
