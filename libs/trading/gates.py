"""The gates of a signal in their order (docs/decisions/0009-scoring.md), for those who read one later."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import msgspec

from libs.contracts.signals import RefusalReason, SignalScored
from libs.trading.factor import WARMED_WINDOWS, percent
from libs.trading.factors import all_factors
from libs.trading.strategy import Strategy

GateState = Literal["passed", "shut", "not looked at"]
_BECAUSE = "; refused because "


class GateResult(msgspec.Struct, frozen=True):
    """One gate of one signal: what had to hold, and with which figures, as far as the signal and its strategy tell."""

    name: str
    state: GateState
    words: str


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate: its name, what has to hold, and the reasons with which it refuses."""

    name: str
    holds: str
    reasons: frozenset[RefusalReason]


_KNOWN, _INSISTED, _WINDOWS = "price and ATR", "factors it insists on", "windows"
GATES: tuple[Gate, ...] = (
    Gate("enabled", "the strategy is enabled and not withdrawn", frozenset(("disabled",))),
    Gate("trade feed", "the symbol's trades are live", frozenset(("feed_not_live",))),
    Gate(_KNOWN, "price, ATR and its rank are known", frozenset(("warm_up",))),
    Gate(_INSISTED, "each has its data", frozenset(("coverage", "stale_input", "warm_up"))),
    Gate(_WINDOWS, "each window of trades is known well enough", frozenset(("coverage",))),
    Gate(
        "ATR regime", "volatility is usual and does not lower the score below the threshold", frozenset(("atr_regime",))
    ),
    Gate("direction", "the direction is allowed and confirmed", frozenset(("direction_conflict",))),
    Gate("cooldown", "the last signal is long enough ago", frozenset(("cooldown",))),
    Gate("symbol lock", "no position is open in the symbol (the traders look)", frozenset(("symbol_locked",))),
)


def gate_results(signal: SignalScored, strategy: Strategy | None) -> tuple[GateResult, ...]:
    """What each gate said to a signal; those behind the first that was shut were not looked at, and the last is the traders'.

    `strategy` is the configuration that was in force, None when it is not known: then limits are left out.
    """
    shut = _shut_gate(signal, strategy)
    results = []
    state: GateState = "passed"
    for gate in GATES:
        words = (_figures(gate, signal, strategy) if strategy else "") or gate.holds
        if gate.name == shut:
            results.append(GateResult(gate.name, "shut", signal.sentence.rpartition(_BECAUSE)[2]))
            state = "not looked at"
        else:
            mine = "not looked at" if "symbol_locked" in gate.reasons else state
            results.append(GateResult(gate.name, mine, words if mine == "passed" else gate.holds))
    return tuple(results)


def _shut_gate(signal: SignalScored, strategy: Strategy | None) -> str | None:
    """The gate that refused. Two reasons are those of several gates: the facts in the signal tell which."""
    reason = signal.reason
    if reason == "warm_up":
        unknown = signal.price == 0 or not signal.atr or signal.inputs.get("atr_percentile") is None
        return _KNOWN if unknown else _INSISTED
    if reason == "coverage":
        return _INSISTED if _insisted_and_missing(signal, strategy) else _WINDOWS
    return next((gate.name for gate in GATES if reason in gate.reasons), None)


def _insisted_and_missing(signal: SignalScored, strategy: Strategy | None) -> bool:
    why = signal.sentence.rpartition(_BECAUSE)[2]
    for part in signal.contributions:
        use = None if strategy is None else strategy.factors.get(part.factor)
        if part.omitted == why and (use is None or use.when_missing == "refuse"):
            return True
    return False


def _figures(gate: Gate, signal: SignalScored, strategy: Strategy) -> str:
    """What a gate that let the signal pass had before it; nothing where its words say all."""
    if gate.name == _INSISTED:
        names = [name for name, use in strategy.factors.items() if use.when_missing == "refuse"]
        return f"{', '.join(names)}: {gate.holds}" if names else "it insists on none"
    if gate.name == _WINDOWS:
        known = all_factors()
        read = {window for name in strategy.factors if name in known for window in known[name].needs_coverage}
        shares = [
            f"{name} {percent(signal.coverage[name])}" for name in sorted(read & WARMED_WINDOWS & set(signal.coverage))
        ]
        return f"{', '.join(shares) or 'none is read'}; at least {percent(strategy.min_coverage)}"
    if gate.name == "ATR regime":
        rank, band = signal.inputs.get("atr_percentile"), strategy.atr_percentile_band
        percentile = "unknown" if rank is None else f"{rank * Decimal(100):.0f}"
        return f"ATR percentile {percentile}, allowed {band.low * 100:.0f} to {band.high * 100:.0f}"
    if gate.name == "direction":
        confirmed = ", ".join(strategy.direction.confirmed_by)
        return f"{strategy.direction.allow} allowed" + (f", confirmed by {confirmed}" if confirmed else "")
    if gate.name == "cooldown":
        return f"at least {strategy.cooldown_seconds} seconds after the last signal"
    return ""
