"""The route that tells every change that a person made."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from libs.store.listing import AUDIT
from services.gateway.access import needs
from services.gateway.asking import Shared, Text
from services.gateway.models.audit import AuditPage, AuditRow
from services.gateway.paging import LISTED, Asked, PageQuery, Table, send_list
from services.gateway.problems import RESPONSES

router = APIRouter(prefix="/api", responses=RESPONSES, tags=["audit"], dependencies=[needs("administer")])
_AUDIT = Table(AUDIT, AuditRow, AuditPage)


@router.get("/audit", operation_id="getAudit", response_model=AuditPage, responses=LISTED)
async def audit(
    request: Request,
    shared: Shared,
    page: Annotated[PageQuery, Depends()],
    who: Annotated[Text | None, Query(max_length=80, examples=["anna"])] = None,
    action: Annotated[Text | None, Query(max_length=80, examples=["set_role"])] = None,
) -> Response:
    """Who changed what, before and after, and from where; newest first; page by `cursor`. For administrators."""
    return await send_list(request, shared, _AUDIT, Asked(page, {"who": who, "action": action}))
