"""The budgets that pay for a request: what pages of other sites ask is counted apart, and what reduces risk has a reserve."""

from starlette.requests import HTTPConnection

from services.gateway.limits import Limit
from services.gateway.same_site import from_elsewhere
from services.gateway.settings import GatewaySettings

REDUCES_RISK = frozenset(
    {"/api/risk/pause", "/api/risk/flatten", "/api/risk/lock", "/api/live/close", "/api/live/cancel"}
)


def wait_for(limit: Limit, caller: str, connection: HTTPConnection, rules: GatewaySettings) -> float:
    """0 when this request of the caller may be carried out now, which is counted; else after how many seconds.

    A page that a person has open somewhere else sends from their address, and from another port of this machine with their
    cookie: it must not use up what they need to flatten.
    """
    invited = connection.headers.get("origin") in rules.gateway_cors_origins
    if from_elsewhere(connection, rules) and not invited:
        return limit.wait(f"{caller} from elsewhere")
    wait = limit.wait(caller)
    if wait and connection.scope.get("method") == "POST" and connection.scope["path"] in REDUCES_RISK:
        return min(wait, limit.wait(f"{caller} to reduce risk"))
    return wait
