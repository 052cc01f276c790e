"""What a signed request says, and whether its key and its time allow it: over the raw bytes, as they came."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from services.exchange_simulator.private.keys import ApiKey, KeyRing
from services.exchange_simulator.rest.errors import VenueError, illegal_characters, missing

API_KEY = "X-MBX-APIKEY"
DEFAULT_WINDOW_MS = 5000
_AHEAD_MS = 1000
_SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request's parameters, the bytes that its signature is over, and the signature ("" without one)."""

    values: Mapping[str, str]
    payload: bytes
    signature: str


async def read_request(request: web.Request) -> Sent:
    """Query and form body together; where both have a name, the query wins. Raises -1101 for a name that one has twice."""
    query = request.raw_path.partition("?")[2]
    body = (await request.read()).decode("utf-8", "replace")
    if "json" in request.content_type:
        # Clients that send nothing sometimes send it as JSON.
        body = ""
    signed_query, first = _without_signature(query)
    signed_body, second = _without_signature(body)
    values = {**_parsed(signed_body), **_parsed(signed_query)}
    # The query wins here too; a signature of its own in each would be two truths.
    signature = first if first is not None else second
    if signature == "":
        raise VenueError(-1105, "Parameter 'signature' was empty.")
    # Plain concatenation, without a separator.
    return Sent(values, (signed_query + signed_body).encode(), signature or "")


def _without_signature(text: str) -> tuple[str, str | None]:
    kept: list[str] = []
    found: str | None = None
    for part in text.split("&") if text else ():
        name, _, value = part.partition("=")
        if name == _SIGNATURE and found is None:
            # No plus for a space: base64 has plus signs of its own.
            found = unquote(value)
        else:
            kept.append(part)
    return "&".join(kept), found


def _parsed(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name in values:
            raise VenueError(-1101, f"Too many values sent for parameter '{name}'.")
        values[name] = value
    return values


def find_key(request: web.Request, ring: KeyRing) -> tuple[str, ApiKey]:
    """The account's name and the key of the header. Raises -2014 or -2015 (401)."""
    text = request.headers.get(API_KEY, "")
    if not text:
        raise VenueError(-2014, "API-key format invalid.", 401)
    found = ring.find(text)
    if found is None:
        raise VenueError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return found


def check_signature(sent: Sent, key: ApiKey) -> None:
    """Raises -1102 or -1022."""
    if not sent.signature:
        raise missing(_SIGNATURE)
    if not key.signed(sent.payload, sent.signature):
        raise VenueError(-1022, "Signature for this request is not valid.")


def check_time(values: Mapping[str, str], server_ms: int, late_code: int = -1021) -> None:
    """`late_code`: what a request that has become too old is told. Raises that, -1102, -1105, -1100 or -1021."""
    timestamp = _milliseconds(values, "timestamp")
    if timestamp is None:
        raise missing("timestamp")
    window = _milliseconds(values, "recvWindow")
    if timestamp >= server_ms + _AHEAD_MS:
        raise VenueError(-1021, f"Timestamp for this request was {_AHEAD_MS}ms ahead of the server's time.")
    if server_ms - timestamp > (DEFAULT_WINDOW_MS if window is None else window):
        raise VenueError(late_code, "Timestamp for this request is outside of the recvWindow.")


def _milliseconds(values: Mapping[str, str], name: str) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    if value == "":
        if name == "timestamp":
            raise VenueError(-1105, f"Parameter '{name}' was empty.")
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 16:
        raise illegal_characters(name, "^[0-9]{1,20}$")
    return int(value)
