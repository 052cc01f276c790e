"""From the rules' verdicts to the account's state and what must be done now, as a pure state machine.

Measured losses flatten. Missing, NaN or stale inputs block entries as long as they last, and close something only where a
position has no stop, or nothing of the account has been heard for `account_missing_ms`: a broker's restart must not sell the
book. What nobody has read yet of a position that is new is not missing. A break stays, over restarts and days, until a person
resets it or everything that an automatic resume asks for is there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from libs.contracts.trading import RiskLevel
from libs.kit.durations import DAY_MS, MINUTE_MS
from libs.trading.risk.inputs import (
    MOST_AHEAD_MS,
    GuardInputs,
    Position,
    PositionKey,
    Unknown,
    checked_age,
    is_covered,
    seconds,
)
from libs.trading.risk.limits import RiskLimits
from libs.trading.risk.rule import ACTIONS, ActionKind, Verdict

MOST_STEP_MS = 10_000
"""What one look adds to the cooldown at most: neither a stopped guard nor a clock that jumps ahead waits for it."""
UNCLEAR: frozenset[str] = frozenset(("unknown", "break"))


class Cause(msgspec.Struct, frozen=True):
    """Why the circuit was broken: the rule, and its sentence when it first was."""

    rule: str
    sentence: str


class GuardState(msgspec.Struct, frozen=True):
    """What the guard remembers of an account. Times in ms (UTC); days count from 1970.

    `break_number` counts breaks, and is what a reset names; `broken_ms`: when this one, or the last one, began. `quiet_ms`: how
    long its rules have been looked at without a break. `flattens`: it closes everything until it is over. `resumes`: automatic
    ones on `resume_day`. `counts_from_ms`: the last look that saw a break, resume or reset, from which losses in a row and
    slippage count. `looked_ms` never goes back, whatever the clock does.
    """

    level: RiskLevel
    causes: tuple[Cause, ...] = ()
    break_number: int = 0
    broken_ms: int = 0
    quiet_ms: int = 0
    flattens: bool = False
    resumes: int = 0
    resume_day: int = -1
    counts_from_ms: int = 0
    looked_ms: int = 0

    def __post_init__(self) -> None:
        if (self.level == "circuit_break") != bool(self.causes):
            raise ValueError("a circuit break has causes, and nothing else has")


UNBROKEN = GuardState(level="normal")
"""Where an account begins that has no history."""


class Action(msgspec.Struct, frozen=True):
    """What has to be done until it is so. `symbol` and `side` are None for the whole account."""

    kind: ActionKind
    why: str
    symbol: str | None = None
    side: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from one look. `reasons`: why the circuit is broken, then everything that is not normal now, gravest first.

    `actions` has one for each position at most, the gravest; `flatten_all` stands alone.
    """

    state: GuardState
    entries_allowed: bool
    reasons: tuple[str, ...]
    actions: tuple[Action, ...]


def look(before: GuardState, inputs: GuardInputs, limits: RiskLimits) -> Decision:
    """One look at an account with every rule."""
    return decide(before, inputs, limits, limits.verdicts(inputs))


def decide(before: GuardState, inputs: GuardInputs, limits: RiskLimits, verdicts: Iterable[Verdict]) -> Decision:
    """What follows from the verdicts on these inputs, in whatever order they come."""
    found = sorted((*verdicts, *_of_policy(inputs, limits)), key=_rank)
    # Several signals come in the same moment: the first one's position must not keep the others out until it has been read.
    new = {one.key for one in inputs.positions if one.is_new}
    known = [one for one in found if one.level != "unknown" or one.position not in new]
    now_ms = max(before.looked_ms, inputs.now_ms)
    breaks = [one for one in found if one.level == "break" and one.latches]
    if breaks:
        state = _broken(before, breaks, now_ms)
    elif before.level == "circuit_break":
        state = _quiet(before, found, inputs, limits)
    else:
        state = msgspec.structs.replace(before, level=_level(known), looked_ms=now_ms)
    is_clear = not any(one.level in UNCLEAR for one in known)
    unusual = [one.sentence for one in known if one.level != "normal"]
    return Decision(
        state,
        state.level != "circuit_break" and is_clear,
        tuple(dict.fromkeys([*(one.sentence for one in state.causes), *unusual])),
        _actions(state, found, inputs, limits),
    )


def reset(before: GuardState, break_number: int, now_ms: int) -> GuardState:
    """The state after a person's reset of that break; unchanged where it is over, or another has come since.

    Nothing is allowed by it yet: the next look breaks again where the loss is still there.
    """
    if before.level != "circuit_break" or before.break_number != break_number:
        return before
    now_ms = max(before.looked_ms, now_ms)
    return msgspec.structs.replace(
        before, level="warning", causes=(), flattens=False, counts_from_ms=now_ms, looked_ms=now_ms
    )


def _of_policy(inputs: GuardInputs, limits: RiskLimits) -> list[Verdict]:
    """What no threshold turns off: silence of the account, and positions that stay without a stop."""
    return [_account_silence(inputs, limits), *(_bare_too_long(one, limits) for one in inputs.positions)]


def _account_silence(inputs: GuardInputs, limits: RiskLimits) -> Verdict:
    try:
        age_ms = checked_age("the last word of the account", inputs.account.age_ms)
    except Unknown as error:
        return Verdict("account_missing", "unknown", str(error))
    sentence = f"the account was last heard {seconds(age_ms)} ago"
    if age_ms >= limits.account_missing_ms and limits.flatten_without_account:
        return Verdict("account_missing", "break", sentence, "flatten_all", latches=True)
    return Verdict("account_missing", "unknown" if age_ms > limits.stale_ms else "normal", sentence)


def _bare_too_long(position: Position, limits: RiskLimits) -> Verdict:
    """Nobody has managed to place a stop: the position goes. One that is bare for nobody knows how long is so too."""
    name = f"{position.symbol} {position.side}"
    try:
        if is_covered(position, limits.stale_ms):
            return Verdict("bare_too_long", "normal", f"{name} has its stop")
    except Unknown as error:
        return Verdict("bare_too_long", "unknown", str(error), position=position.key)
    if position.bare_ms is not None and -MOST_AHEAD_MS <= position.bare_ms < limits.bare_close_ms:
        return Verdict("bare_too_long", "normal", f"{name} still waits for its stop")
    how_long = "an unknown time" if position.bare_ms is None else seconds(position.bare_ms)
    sentence = f"{name} has had no stop for {how_long}"
    return Verdict("bare_too_long", "break", sentence, "close_position", position=position.key)


def _broken(before: GuardState, breaks: Sequence[Verdict], now_ms: int) -> GuardState:
    """Broken by these, or broken as before and by what is new among them."""
    is_new = before.level != "circuit_break"
    causes = {one.rule: one for one in before.causes}
    for verdict in breaks:
        causes.setdefault(verdict.rule, Cause(verdict.rule, verdict.sentence))
    return msgspec.structs.replace(
        before,
        level="circuit_break",
        causes=tuple(causes.values()),
        break_number=before.break_number + is_new,
        broken_ms=now_ms if is_new else before.broken_ms,
        quiet_ms=0,
        # Otherwise the losses that broke it would keep it broken for ever.
        counts_from_ms=now_ms,
        flattens=before.flattens or any(one.action == "flatten_all" for one in breaks),
        looked_ms=now_ms,
    )


def _quiet(before: GuardState, found: Sequence[Verdict], inputs: GuardInputs, limits: RiskLimits) -> GuardState:
    """No rule breaks any more: broken as before until the cooldown is over, everything is known and in order (reconciliation
    too), the account is flat if it was to be, and automatic resumes of the day are left."""
    now_ms = max(before.looked_ms, inputs.now_ms)
    today = now_ms // DAY_MS
    resumes = before.resumes if before.resume_day == today else 0
    waiting = msgspec.structs.replace(
        before, quiet_ms=before.quiet_ms + min(now_ms - before.looked_ms, MOST_STEP_MS), looked_ms=now_ms
    )
    if (
        waiting.quiet_ms < limits.cooldown_minutes * MINUTE_MS
        or any(one.level in UNCLEAR for one in found)
        or (before.flattens and not _is_flat(inputs, limits))
        or resumes >= limits.auto_resumes
    ):
        return waiting
    return msgspec.structs.replace(
        waiting,
        level=_level(found),
        causes=(),
        flattens=False,
        resumes=resumes + 1,
        resume_day=today,
        counts_from_ms=now_ms,
    )


def _level(found: Sequence[Verdict]) -> RiskLevel:
    return "normal" if all(one.level == "normal" for one in found) else "warning"


def _actions(
    state: GuardState, found: Sequence[Verdict], inputs: GuardInputs, limits: RiskLimits
) -> tuple[Action, ...]:
    if state.flattens and not _is_flat(inputs, limits):
        return (Action("flatten_all", state.causes[0].sentence),)
    unclear = {one.position for one in found if one.level == "unknown"}
    wished: dict[PositionKey, Action] = {}
    for verdict in found:
        if verdict.level != "break" or verdict.position is None or verdict.action == "block_entries":
            continue
        # Without its figures nobody can say where a stop belongs.
        no_place = verdict.action == "place_stop" and verdict.position in unclear
        kind: ActionKind = "flatten_symbol" if no_place else verdict.action
        action = Action(kind, verdict.sentence, *verdict.position)
        wished[verdict.position] = min(
            wished.get(verdict.position, action), action, key=lambda one: ACTIONS.index(one.kind)
        )
    return tuple(sorted(wished.values(), key=lambda one: (ACTIONS.index(one.kind), one.symbol, one.side)))


def _is_flat(inputs: GuardInputs, limits: RiskLimits) -> bool:
    try:
        return not inputs.open_positions(limits.stale_ms)
    except Unknown:
        return False


def _rank(verdict: Verdict) -> tuple[int, str, tuple[str, ...], str]:
    return ACTIONS.index(verdict.action), verdict.rule, verdict.position or (), verdict.sentence
