"""What a factor is: one opinion about direction (or about how much opinions count), with what it needs to have one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from libs.indicators.columns import columns_of_rows
from libs.indicators.features import FeatureRow
from libs.trading.columns import Columns, Values, columns_of
from libs.trading.inputs import FEED_OF_INPUT, FeedReading, InputName, Reading

SECOND_MS = 1_000
MINUTE_MS = 60_000
CoverageName = Literal["5m", "30m", "4h", "sizes", "large", "atr", "atr_rank"]
OmissionCode = Literal["coverage", "stale_input", "warm_up"]
FLOW_WINDOWS: frozenset[CoverageName] = frozenset(("5m", "30m", "4h", "large"))
"""Windows that are judged by what is missing in them. The others remember hours and days, of which a factor says its need."""
WARMED_WINDOWS: frozenset[CoverageName] = frozenset(("5m", "30m", "4h"))
"""Those that bars fill at a fresh start, so that what is unknown in them is a hole. Large trades are earned trade by trade."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One symbol at one evaluation: its features, the slow inputs and the states of feeds that stood in the log by then, none
    from after it. A feed that has said nothing of itself is not in `feeds`."""

    row: FeatureRow
    inputs: Mapping[str, Reading]
    feeds: Mapping[str, FeedReading] = field(default_factory=dict)
    coverage: Mapping[str, float] = field(init=False)
    said: "dict[Factor, float]" = field(default_factory=dict, init=False, compare=False, repr=False)
    """What factors have been asked already: see `ask_together`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "coverage", self.row.coverage())

    @property
    def columns(self) -> Columns:
        """The same as factors see it: columns of one row, made anew each time."""
        return columns_of_situations([self])

    def value(self, name: InputName) -> float:
        """A slow input that the factor has declared as needed."""
        return float(self.inputs[name].value)

    def age_ms(self, name: str) -> int:
        """How old an input is at the evaluation; never below 0."""
        return max(0, self.row.evaluation_time_ms - self.inputs[name].as_of_ms)


def columns_of_situations(situations: Sequence[Situation]) -> Columns:
    """The same as factors see it, one row for each. Raises `ValueError` for an ATR with more decimals than it can have."""
    known = [(situation.inputs, situation.feeds) for situation in situations]
    return columns_of(columns_of_rows([situation.row for situation in situations]), known)


@dataclass(frozen=True, slots=True)
class Omitted:
    """Why a factor has no opinion: a code for machines, words for people ("open interest was 14 minutes old")."""

    code: OmissionCode
    why: str


NOT_YET = Omitted("warm_up", "there is no VWAP or no ATR yet")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of its data something has (0 to 1), and which part of it has the least, in words."""

    share: float
    part: str

    def short_of(self, needed: float) -> str:
        """The sentence for a share below `needed`."""
        return f"coverage of {self.part} was {percent(self.share)} of {percent(needed)} needed"


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """One plug-in. `compute` gives a value within `bounds` for each evaluation, NaN where it has none, for the reason `unknown`.
    What it says where its inputs are not there, are too old, or its windows hold less than it needs is not counted.

    A "vote" lies in [-1, 1], positive for long. A "scale" lies in [0, 1] and shrinks the sum of the votes. `words` says in a
    few words what a value that is not 0 means. `needs_coverage`: smallest share by coverage name; `needs_inputs`: greatest
    age (ms) by input name. `contrarian`: the vote bets against the side that takers are on, on purpose; nothing is calculated
    from it, but whoever reads or tests the factor knows that its sign is meant.
    """

    name: str
    formula: str
    units: str
    source: str
    compute: Callable[[Columns], Values]
    words: Callable[[Situation, float], str]
    unknown: Omitted = NOT_YET
    role: Literal["vote", "scale"] = "vote"
    needs_coverage: Mapping[CoverageName, float] = field(default_factory=dict)
    needs_inputs: Mapping[InputName, int] = field(default_factory=dict)
    contrarian: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        return (-1.0, 1.0) if self.role == "vote" else (0.0, 1.0)


def opinion(factor: Factor, situation: Situation) -> float | Omitted:
    """The factor's value, or why there is none. Coverage is looked at first, then the age of inputs."""
    coverage = situation.coverage
    for window, needed in factor.needs_coverage.items():
        if coverage[window] < needed:
            return Omitted("coverage", Coverage(coverage[window], window).short_of(needed))
    for name, limit_ms in factor.needs_inputs.items():
        label = name.replace("_", " ")
        if name not in situation.inputs:
            return Omitted("stale_input", f"{label} was not there yet")
        age_ms = situation.age_ms(name)
        if age_ms > limit_ms:
            return Omitted("stale_input", f"{label} was {spoken_age(age_ms)} old")
    return _said(factor, situation)


def without_limits(factor: Factor, situation: Situation) -> float | Omitted:
    """What the factor would say of what is there, however little coverage it has and however old its inputs are."""
    for name in factor.needs_inputs:
        if name not in situation.inputs:
            return Omitted("stale_input", f"{name.replace('_', ' ')} was not there yet")
    return _said(factor, situation)


def values_of(factor: Factor, columns: Columns) -> Values:
    """What the factor says of each evaluation, NaN where it has no opinion, whatever it needs. Infinity is no opinion either."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = factor.compute(columns)
    return np.where(np.isfinite(found), found, np.nan)


def ask_together(situations: Sequence[Situation], factors: Iterable[Factor]) -> None:
    """Ask factors about situations, of any symbols, at once, for little more than one costs; the answers are kept."""
    if not situations:
        return
    columns = columns_of_situations(situations)
    for factor in factors:
        for situation, value in zip(situations, values_of(factor, columns).tolist(), strict=True):
            situation.said[factor] = value


def _said(factor: Factor, situation: Situation) -> float | Omitted:
    value = situation.said.get(factor)
    if value is None:
        value = situation.said[factor] = float(values_of(factor, situation.columns)[0])
    return factor.unknown if value != value else value


def coverage_of(factor: Factor, situation: Situation) -> Coverage:
    """The least of what the factor reads.

    A window of trades counts with the share of it that is known; a memory of a day and more with the share of what the factor
    needs of it; a slow input as `input_coverage` says.
    """
    parts = []
    for window, needed in factor.needs_coverage.items():
        known = situation.coverage[window]
        parts.append(Coverage(known if window in FLOW_WINDOWS else min(1.0, known / needed), window))
    for name, limit_ms in factor.needs_inputs.items():
        parts.append(input_coverage(situation, name, limit_ms))
    return min(parts, key=lambda part: part.share, default=Coverage(1.0, factor.name))


def input_coverage(situation: Situation, name: InputName, limit_ms: int) -> Coverage:
    """1 for a value that is not older than its limit, else 0. While its feed is not live nothing follows it: then it counts with
    the share of the limit that is left."""
    label = name.replace("_", " ")
    age_ms = situation.age_ms(name) if name in situation.inputs else limit_ms + 1
    if age_ms > limit_ms:
        return Coverage(0.0, label)
    feed = situation.feeds.get(FEED_OF_INPUT[name])
    if feed is None or feed.live:
        return Coverage(1.0, label)
    return Coverage((limit_ms - age_ms) / limit_ms, f"{label} (its feed was {feed.state})")


def percent(share: float) -> str:
    """A share in percent, cut after one decimal, so that what is short of a whole number does not look like it."""
    return f"{int(share * 1_000 + 1e-9) / 10:g}%"


def either(positive: str, negative: str) -> Callable[[Situation, float], str]:
    """Words for a factor that needs no more than its sign."""
    return lambda _situation, value: positive if value > 0 else negative


def spoken_age(age_ms: int) -> str:
    """An age as one says it: "45 seconds", "4 minutes", "3 hours"."""
    for unit_ms, unit in ((60 * MINUTE_MS, "hour"), (MINUTE_MS, "minute")):
        if age_ms >= 2 * unit_ms:
            return f"{age_ms // unit_ms} {unit}s"
    count = age_ms // SECOND_MS
    return f"{count} second{'' if count == 1 else 's'}"
