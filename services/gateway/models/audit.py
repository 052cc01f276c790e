"""What the API says of changes that people made, with examples."""

from typing import Any

from pydantic import Field

from services.gateway.models.base import Answer


class AuditRow(Answer):
    """A change: who made it, what it was before and after, and from where it came."""

    audit_id: int = Field(examples=[412])
    happened_at_ms: int = Field(examples=[1_796_000_000_000])
    who: str = Field(examples=["anna"])
    action: str = Field(examples=["set_role"])
    target: str | None = Field(examples=["bert"])
    before: Any = Field(examples=[{"role": "viewer"}])
    after: Any = Field(examples=[{"role": "trader"}])
    address: str | None = Field(examples=["127.0.0.1"])
    request_id: str | None = Field(examples=["5f0c2d"])
    session_id: str | None = Field(examples=["s-91c0"])
    token_id: str | None = Field(examples=[None])


class AuditPage(Answer):
    """Changes, newest first; `next_cursor` fetches the following page and is null on the last."""

    rows: tuple[AuditRow, ...]
    next_cursor: str | None = Field(examples=["WzE3OTYwMDAwMDAwMDAwMDAsNDEyXQ"])
