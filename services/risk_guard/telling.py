"""What the guard says: its heartbeat with what every rule sees, and alerts with ids that say which fact they are about."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from libs.contracts.identity import digest
from libs.contracts.trading import AlertRaised, RiskStateChanged, RuleMeasure
from libs.trading.risk.inputs import GuardInputs, Unknown
from libs.trading.risk.limits import RiskLimits
from libs.trading.risk.policy import Decision, GuardState
from libs.trading.risk.rule import Verdict
from libs.trading.risk.rules import all_rules
from libs.trading.risk.rules.unrealised_loss import unrealised_r
from services.risk_guard.memory import Memory

SOURCE = "risk_guard"
Severity = Literal["info", "warning", "critical"]
_GRAVITY = ("break", "unknown", "warning", "normal")


def measures(verdicts: Sequence[Verdict], limits: RiskLimits) -> tuple[RuleMeasure, ...]:
    """What every rule sees, gravest first."""
    thresholds = {rule.name: limits.of(rule) for rule in all_rules()}
    found = sorted(verdicts, key=lambda one: _GRAVITY.index(one.level))
    return tuple(
        RuleMeasure(
            rule=one.rule,
            level=one.level,
            sentence=one.sentence,
            value=one.value,
            warning=thresholds[one.rule].warning,
            breach=thresholds[one.rule].breach,
        )
        for one in found
    )


def heartbeat(
    memory: Memory, decision: Decision, seen: tuple[GuardInputs, tuple[RuleMeasure, ...]], also: Sequence[str]
) -> RiskStateChanged:
    """The record that the executor waits for. `also`: what blocks entries besides the rules."""
    inputs, measured = seen
    blocked = [*(("entries are paused by a person",) if memory.paused else ()), *also]
    return RiskStateChanged(
        event_id=digest("risk_state", memory.account, inputs.now_ms),
        event_time_ms=inputs.now_ms,
        account=memory.account,
        level=decision.state.level,
        entries_allowed=decision.entries_allowed and not blocked,
        reasons=(*blocked, *decision.reasons),
        daily_pnl_r=daily_r(inputs),
        heartbeat=inputs.now_ms,
        break_number=decision.state.break_number,
        paused=memory.paused,
        locks=dict(memory.locks),
        measures=measured,
    )


def paper_heartbeat(account: str, now_ms: int) -> RiskStateChanged:
    """On paper there is no account at a venue, so that nothing is guarded and nothing may be entered there."""
    return RiskStateChanged(
        event_id=digest("risk_state", account, now_ms),
        event_time_ms=now_ms,
        account=account,
        level="normal",
        entries_allowed=False,
        reasons=("paper mode: there is no account at a venue to guard",),
        daily_pnl_r=Decimal(0),
        heartbeat=now_ms,
        break_number=0,
        paused=False,
        locks={},
        measures=(),
    )


def daily_r(inputs: GuardInputs) -> Decimal:
    """The day's result in R as far as it is known, however old."""
    realised = inputs.account.realised_today_r.value or Decimal(0)
    try:
        return realised + unrealised_r(inputs, 1 << 62)
    except Unknown:
        return realised


def alert(account: str, severity: Severity, words: tuple[str, str], time_ms: int) -> AlertRaised:
    """`words`: title and detail."""
    title, detail = words
    return AlertRaised(
        event_id=digest("alert", SOURCE, account, title.replace("|", "/"), time_ms),
        event_time_ms=time_ms,
        severity=severity,
        source=SOURCE,
        title=f"{account}: {title}",
        detail=detail,
        runbook=None,
    )


def level_alert(account: str, before: GuardState, after: GuardState, decision: Decision) -> AlertRaised | None:
    """The alert for what has changed between two looks; None where nothing has that a person must know."""
    detail = "; ".join(decision.reasons[:5])
    if after.break_number != before.break_number:
        words = (f"circuit break {after.break_number}", detail)
        return alert(account, "critical", words, after.broken_ms)
    if before.level == "circuit_break" and after.level != "circuit_break":
        words = (f"circuit break {before.break_number} is over", detail or "the account is as it should be")
        return alert(account, "info", words, after.looked_ms)
    return None
