"""What became of commands, in the audit: a row beside that of who said it, because a row that stands is never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from libs.store.audit import Actor, Change, write_audit
from libs.store.engine import WriteSession
from libs.store.instants import instant

OBEYED, REFUSED = "command.obeyed", "command.refused"
_LONGEST_MS = 3_600_000
"""No command is answered so long after it was said."""
# Two gateways that hear the same answer would both find that nobody has written it.
_ALONE = text("SELECT pg_advisory_xact_lock(hashtext('audit outcomes'))")
_OF_COMMANDS = text(
    "SELECT who, user_id, action, target, after, address, request_id, session_id, token_id FROM audit_log"
    " WHERE happened_at >= :since AND action LIKE 'command.%' AND after ->> 'command_id' = ANY(:ids) ORDER BY audit_id"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of a service (`by`) to a command; `result` is its sentence."""

    command_id: str
    account: str
    command: str
    by: str
    accepted: bool
    result: str
    answered_ms: int

    @property
    def action(self) -> str:
        return OBEYED if self.accepted else REFUSED


async def write_outcomes(session: WriteSession, outcomes: Sequence[Outcome]) -> frozenset[str]:
    """Write each once, in the name of who said the command; the ids of the commands that the audit knows. One that was obeyed is
    refused when it comes again, which is no outcome."""
    await session.connection.execute(_ALONE)
    since = instant(min(each.answered_ms for each in outcomes) - _LONGEST_MS)
    values = {"since": since, "ids": sorted({each.command_id for each in outcomes})}
    rows = (await session.connection.execute(_OF_COMMANDS, values)).mappings().all()
    asked = {(row["after"]["command_id"], row["action"], row["after"].get("account")): row for row in rows}
    told = {(row["after"]["command_id"], row["action"]) for row in rows}
    known = set()
    for each in outcomes:
        row = asked.get((each.command_id, f"command.{each.command}", each.account))
        if row is None:
            continue
        known.add(each.command_id)
        if not told & {(each.command_id, OBEYED), (each.command_id, each.action)}:
            told.add((each.command_id, each.action))
            await write_audit(session, _actor(row), Change(each.action, row["target"], None, _after(each)))
    return frozenset(known)


def _actor(row: Mapping[Any, Any]) -> Actor:
    return Actor(**{name: row[name] for name in Actor.__slots__})


def _after(outcome: Outcome) -> dict[str, Any]:
    return {
        "account": outcome.account,
        "command_id": outcome.command_id,
        "command": outcome.command,
        "by": outcome.by,
        "result": outcome.result,
        "answered_ms": outcome.answered_ms,
    }
