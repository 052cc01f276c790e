"""The audit: who has changed what, from where. Written in the transaction of the change itself, and only ever added to."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import text

from libs.store.engine import ReadSession, WriteSession

_WRITE = text(
    "INSERT INTO audit_log (who, user_id, action, target, before, after, address, request_id, session_id, token_id) VALUES"
    " (:who, :user_id, :action, :target, CAST(:before AS jsonb), CAST(:after AS jsonb), :address, :request_id, :session_id,"
    " :token_id) RETURNING audit_id"
)
_WRITE_ONCE = text(
    "INSERT INTO audit_log"
    " (happened_at, who, user_id, action, target, before, after, address, request_id, session_id, token_id)"
    " SELECT CAST(:at AS timestamptz), :who, :user_id, :action, :target, CAST(:before AS jsonb), CAST(:after AS jsonb), :address,"
    " :request_id, :session_id, :token_id WHERE NOT EXISTS (SELECT 1 FROM audit_log WHERE happened_at = CAST(:at AS timestamptz)"
    " AND who = :who AND action = :action AND request_id IS NOT DISTINCT FROM CAST(:request_id AS text))"
)
_PAGE = text(
    "SELECT audit_id, happened_at, who, user_id, action, target, before, after, address, request_id, session_id, token_id"
    " FROM audit_log WHERE audit_id < :before AND (CAST(:who AS text) IS NULL OR who = :who)"
    " AND (CAST(:action AS text) IS NULL OR action = :action)"
    " AND (CAST(:start AS timestamptz) IS NULL OR happened_at >= :start)"
    " AND (CAST(:stop AS timestamptz) IS NULL OR happened_at < :stop) ORDER BY audit_id DESC LIMIT :most"
)
_NEWEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something, and from where: the same for all that one request does."""

    who: str
    user_id: str | None = None
    address: str | None = None
    request_id: str | None = None
    session_id: str | None = None
    token_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed: `action` as NOUN.VERB, `target` what it was done to; never a secret in before or after."""

    action: str
    target: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


async def write_audit(session: WriteSession, actor: Actor, change: Change) -> int:
    """Add a row; its number. It is there when, and only when, the transaction is."""
    written: int = (await session.connection.execute(_WRITE, _values(actor, change))).scalar_one()
    return written


async def write_audit_once(session: WriteSession, actor: Actor, change: Change, at: dt.datetime) -> None:
    """Add a row of what happened then, unless it is there: for who does not know whether an earlier try has written it."""
    await session.connection.execute(_WRITE_ONCE, _values(actor, change) | {"at": at})


def _values(actor: Actor, change: Change) -> dict[str, Any]:
    values = {name: getattr(actor, name) for name in Actor.__slots__}
    values |= {"action": change.action, "target": change.target}
    return values | {"before": _json(change.before), "after": _json(change.after)}


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of the audit."""

    audit_id: int
    happened_at: dt.datetime
    who: str
    user_id: str | None
    action: str
    target: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str | None
    request_id: str | None
    session_id: str | None
    token_id: str | None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows; `before`: older than the row of that number."""

    who: str | None = None
    action: str | None = None
    start: dt.datetime | None = None
    stop: dt.datetime | None = None
    before: int = _NEWEST
    most: int = 100


async def audit_rows(session: ReadSession, wanted: AuditFilter) -> list[AuditRow]:
    """The newest rows first."""
    values = {name: getattr(wanted, name) for name in AuditFilter.__slots__}
    return [AuditRow(**row) for row in (await session.connection.execute(_PAGE, values)).mappings()]
