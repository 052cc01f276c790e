"""`POST /api/auth/local`: a demonstration on this machine needs no account, so it signs in a viewer who may change nothing."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.kit.hosts import host_of, is_loopback
from libs.store.audit import Change, write_audit
from libs.store.engine import write_session
from libs.store.people import NewUser, add_user, user_of
from services.gateway.access import Forbidden, access_of
from services.gateway.auditing import stranger
from services.gateway.models.people import SignedIn, SignInFor
from services.gateway.problems import SIGNING_IN_RESPONSES
from services.gateway.same_site import from_elsewhere
from services.gateway.signing_in import LOCAL_LENGTH, opened_session, signed_in

LOCAL_VIEWER = NewUser("local-viewer", "local-viewer", None, "viewer", "the gateway")
PASSED_ON = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""What proxies add: whoever is behind one is not on this machine, or nobody knows."""
router = APIRouter(prefix="/api/auth", tags=["account"], responses=SIGNING_IN_RESPONSES)


@router.post("/local", operation_id="postLocalSession", response_model=SignedIn)
async def sign_in_locally(request: Request, asked: SignInFor) -> Response:
    """Sign in the viewer of a demonstration. Only where the gateway was started so, on this machine with a simulated market."""
    access = access_of(request)
    if not access.limits.gateway_local_viewer or from_elsewhere(request, access.rules) or not _is_here(request):
        raise Forbidden("there is no local viewer here: log in")
    async with write_session(access.engine) as session:
        await add_user(session, LOCAL_VIEWER)
        user = await user_of(session, LOCAL_VIEWER.user_id)
        if user is None or user.banned_at is not None or user.role != LOCAL_VIEWER.role:
            raise Forbidden("there is no local viewer here: log in")
        opened = await opened_session(session, request, user.user_id, LOCAL_LENGTH)
        change = Change("session.open", user.name, None, {"session": opened.session_id})
        await write_audit(session, stranger(request, user.name, user.user_id), change)
    return signed_in(request, opened, asked.given_to)


def _is_here(request: Request) -> bool:
    """Whether nothing says that somebody else's request was passed on to this machine."""
    host = host_of(request.headers.get("host", ""))
    return is_loopback(host) and not any(name in request.headers for name in PASSED_ON)
