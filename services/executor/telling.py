"""What a change of a document tells others: events for topics, rows for the audit, alerts for people. Ids follow from content."""

from dataclasses import dataclass, field

from libs.contracts.commands import CommandIssued
from libs.contracts.event import Event
from libs.contracts.identity import digest
from libs.contracts.trading import AlertRaised, RiskStateChanged
from libs.trading.execution.books import GUARD_BROKE, GUARD_WORKS, LiveEvent
from libs.trading.execution.document import Trade
from libs.trading.execution.findings import Finding
from libs.trading.execution.tellings import told

RUNBOOK = "docs/trading.md"


@dataclass(frozen=True, slots=True)
class Told:
    """`told`: for topics, once the page stands; `kept`: in the page."""

    told: list[Event] = field(default_factory=list)
    kept: list[LiveEvent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Teller:
    """Speaks for one account."""

    account: str

    def tell(self, before: Trade | None, after: Trade) -> Told:
        """What is new in a document."""
        found = told(before, after)
        return Told([*found.orders, *found.trades, *found.positions, *found.alerts], list(_changes(before, after)))

    def found(self, finding: Finding, at_ms: int) -> AlertRaised:
        """Something that books and venue differ in."""
        meaning = finding.meaning
        return AlertRaised(
            event_id=digest("found", self.account, *finding.key, at_ms),
            event_time_ms=at_ms,
            severity=meaning.severity,
            source="executor",
            title=f"{self.account}: {meaning.when}",
            detail=f"{finding.symbol or 'account'}: {finding.detail}; {meaning.done}",
            runbook=RUNBOOK,
        )

    def broke(self, said: RiskStateChanged, at_ms: int) -> LiveEvent:
        """The guard has told of a break, or of its end."""
        kind = GUARD_BROKE if said.level == "circuit_break" else GUARD_WORKS
        event_id = digest("guard", self.account, kind, said.break_number, at_ms)
        return LiveEvent(event_id, kind, at_ms, {"number": said.break_number, "reasons": list(said.reasons)})

    def command_refused(self, command: CommandIssued, why: str, kept: LiveEvent) -> AlertRaised:
        """Somebody has said what does not count: a forger, a repetition, or a command that came too late."""
        return AlertRaised(
            event_id=digest("command_refused", self.account, kept.event_id),
            event_time_ms=kept.time_ms,
            severity="warning",
            source="executor",
            title=f"{self.account}: the command {command.command} of {command.issued_by[:32]} was refused",
            detail=why,
            runbook=RUNBOOK,
        )

    def warning(self, title: str, detail: str, at_ms: int) -> AlertRaised:
        """Something else that a person should know at once."""
        return AlertRaised(
            event_id=digest("warning", self.account, title, detail.replace("|", "/"), at_ms),
            event_time_ms=at_ms,
            severity="critical",
            source="executor",
            title=f"{self.account}: {title}",
            detail=detail,
            runbook=RUNBOOK,
        )


def _changes(before: Trade | None, after: Trade) -> list[LiveEvent]:
    """States that were reached, and wishes that were heard."""
    seen = len(before.history) if before is not None else 0
    states = [
        LiveEvent(
            event_id=digest("state", after.account, after.trade_id, number, change.state),
            kind=f"state:{change.state}",
            time_ms=change.time_ms,
            detail={"why": change.why, "symbol": after.symbol, "strategy": after.strategy},
            trade_id=after.trade_id,
        )
        for number, change in enumerate(after.history)
        if number >= seen
    ]
    known = {wish.wish_id or wish.reason for wish in before.closes} if before is not None else set()
    wishes = [
        LiveEvent(
            event_id=digest("wish", after.account, after.trade_id, wish.wish_id or wish.reason),
            kind=f"close:{wish.reason}",
            time_ms=wish.since_ms,
            detail={"quantity": "all" if wish.quantity is None else str(wish.quantity), "symbol": after.symbol},
            trade_id=after.trade_id,
        )
        for wish in after.closes
        if (wish.wish_id or wish.reason) not in known
    ]
    return [*states, *wishes]
