"""What a risk rule is: a measure, its thresholds, what a break asks for; and the verdict that follows, with its numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from libs.trading.risk.inputs import (
    Account,
    Age,
    Feed,
    Figure,
    GuardInputs,
    Position,
    PositionKey,
    Unknown,
    checked,
    checked_age,
)
from libs.trading.risk.thresholds import Thresholds

ActionKind = Literal["flatten_all", "flatten_symbol", "close_position", "place_stop", "block_entries"]
ACTIONS: tuple[ActionKind, ...] = ("flatten_all", "flatten_symbol", "close_position", "place_stop", "block_entries")
"""From the gravest on. All of them block entries; `flatten_symbol` also cancels what would open there."""
VerdictLevel = Literal["normal", "warning", "unknown", "break"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A number in the rule's unit, or why there is none. `about`: which position or feed; empty: the account. With a number and
    a `why` the true one is worse, by what nobody knows: it breaks where this one does, and is unknown else."""

    value: Decimal | None
    about: str = ""
    position: PositionKey | None = None
    why: str = ""


Measure = Callable[[GuardInputs, int], tuple[Measured, ...]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One plug-in. `words` names what is measured, as in "WORDS is 6.2 UNIT"; `defaults` are the shipped thresholds.

    `measure` gives one number per account, position or feed, from inputs no older than the ms it is given; the more, the worse,
    or the less where `is_floor`. `latches`: a break stays until a reset or an automatic resume, otherwise it lasts as long as
    its cause.
    """

    name: str
    words: str
    unit: str
    defaults: Thresholds
    action: ActionKind
    measure: Measure
    latches: bool = False
    is_floor: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of the account, a position or a feed, with a sentence for people. "unknown": an input is missing, no
    number, or stale, and is never better than a warning; then there is no `value`."""

    rule: str
    level: VerdictLevel
    sentence: str
    action: ActionKind = "block_entries"
    latches: bool = False
    position: PositionKey | None = None
    value: Decimal | None = None


def judge(rule: Rule, inputs: GuardInputs, thresholds: Thresholds, stale_ms: int) -> tuple[Verdict, ...]:
    """The rule's verdicts; none where it is off, or there is nothing that it could be about."""
    if thresholds.are_off:
        return ()
    return tuple(_verdict(rule, one, thresholds) for one in rule.measure(inputs, stale_ms))


def of_account(measure: Callable[[GuardInputs, int], Decimal]) -> Measure:
    """Measures the account: one number."""
    return lambda inputs, stale_ms: (_measured("", None, lambda: measure(inputs, stale_ms)),)


def of_positions(measure: Callable[[GuardInputs, Position, int], Decimal]) -> Measure:
    """Measures each open position; a list of them that is not known is one unknown."""

    def measure_all(inputs: GuardInputs, stale_ms: int) -> tuple[Measured, ...]:
        try:
            positions = inputs.open_positions(stale_ms)
        except Unknown as error:
            return (Measured(None, why=str(error)),)
        return tuple(
            _measured(f"{one.symbol} {one.side}", one.key, lambda one=one: measure(inputs, one, stale_ms))  # type: ignore[misc]
            for one in positions
        )

    return measure_all


def of_feeds(measure: Callable[[Feed, int], Decimal]) -> Measure:
    """Measures each feed; no feed at all is an unknown, not a market in order."""

    def measure_all(inputs: GuardInputs, stale_ms: int) -> tuple[Measured, ...]:
        if not inputs.feeds:
            return (Measured(None, why="no feed is known"),)
        return tuple(_measured(one.name, None, lambda one=one: measure(one, stale_ms)) for one in inputs.feeds)  # type: ignore[misc]

    return measure_all


def of_figure(name: str, figure: Callable[[Account], Figure]) -> Measure:
    """Measures a number of the account as it is."""
    return of_account(lambda inputs, stale_ms: figure(inputs.account).read(name, stale_ms))


def in_seconds(name: str, age_ms: Age) -> Decimal:
    """An age in s. Raises `Unknown` without one, and for one from the future."""
    return checked_age(name, age_ms) / 1000


def _measured(about: str, position: PositionKey | None, measure: Callable[[], Decimal]) -> Measured:
    try:
        return Measured(checked("what was measured", measure()), about, position)
    except Unknown as error:
        return Measured(None, about, position, str(error))


def _verdict(rule: Rule, measured: Measured, thresholds: Thresholds) -> Verdict:
    name = f"{rule.words} of {measured.about}" if measured.about else rule.words
    if measured.value is None:
        unknown = f"{name} is not known"
        sentence = measured.why if measured.why.startswith(unknown) else f"{unknown}: {measured.why}"
        return Verdict(rule.name, "unknown", sentence, position=measured.position)
    level: VerdictLevel = "normal"
    if _reaches(rule, measured.value, thresholds.breach):
        level = "break"
    elif measured.why:
        sentence = f"{name} is more than {plain(measured.value)} {rule.unit}: {measured.why}"
        return Verdict(rule.name, "unknown", sentence, position=measured.position)
    elif _reaches(rule, measured.value, thresholds.warning):
        level = "warning"
    limits = ", ".join(
        f"{word} at {plain(limit)}"
        for word, limit in (("warning", thresholds.warning), ("break", thresholds.breach))
        if limit is not None
    )
    sentence = f"{name} is {plain(measured.value)} {rule.unit} ({limits})"
    return Verdict(rule.name, level, sentence, rule.action, rule.latches, measured.position, measured.value)


def _reaches(rule: Rule, value: Decimal, limit: Decimal | None) -> bool:
    if limit is None:
        return False
    return value <= limit if rule.is_floor else value >= limit


def plain(value: Decimal) -> str:
    """A number as people write it, with 4 decimals at most."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
