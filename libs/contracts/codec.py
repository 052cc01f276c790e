"""Bytes on topics: msgspec encodes values, headers name schema and content type, and what cannot be read is a `BadMessage`."""

import importlib
from collections.abc import Iterable, Mapping
from functools import cache
from hashlib import blake2b
from typing import NamedTuple, TypeVar

import msgspec

from libs.contracts.event import Event, schemas
from libs.contracts.plausible import check
from libs.kit.errors import BadMessage

HEADER_SCHEMA = "schema"
HEADER_CONTENT_TYPE = "content-type"
HEADER_TRACEPARENT = "traceparent"
HEADER_OBSERVED_AT = "observed-at"
# Value and headers of a record; the brokers' limit of 1 MiB leaves room for the headers that a copy adds.
MAX_RECORD_BYTES = 1_000_000

Headers = list[tuple[str, bytes]]
E = TypeVar("E", bound=Event)

_json_encoder = msgspec.json.Encoder(decimal_format="string", order="deterministic")
_msgpack_encoder = msgspec.msgpack.Encoder(order="deterministic")


class Encoded(NamedTuple):
    """A record's value and headers as Kafka carries them."""

    value: bytes
    headers: Headers


def traceparent_of(origin_id: str, event_id: str) -> str:
    """W3C trace context of an event that follows from the fact `origin_id`; deterministic, so that a replay has the same.

    Trace id: 128 bits of BLAKE2b over the origin's id; parent id: 64 bits over the event's own; flags 00 (not sampled).
    """
    trace = blake2b(origin_id.encode(), digest_size=16).hexdigest()
    return f"00-{trace}-{blake2b(event_id.encode(), digest_size=8).hexdigest()}-00"


def encode_value(event: Event) -> bytes:
    """The event's bytes in its own content type: keys of mappings are sorted, so equal facts are equal bytes."""
    if event.CONTENT_TYPE == "application/msgpack":
        return _msgpack_encoder.encode(event)
    return _json_encoder.encode(event)


def encode(event: Event, *, traceparent: str | None = None, observed_at_ms: int | None = None) -> Encoded:
    """Value and headers of an event; `observed_at_ms` is our own wall clock when we saw or made it.

    Without a `traceparent` the event begins a trace of its own.
    """
    headers: Headers = [
        (HEADER_SCHEMA, event.SCHEMA.encode()),
        (HEADER_CONTENT_TYPE, event.CONTENT_TYPE.encode()),
        (HEADER_TRACEPARENT, (traceparent or traceparent_of(event.event_id, event.event_id)).encode()),
    ]
    if observed_at_ms is not None:
        headers.append((HEADER_OBSERVED_AT, str(observed_at_ms).encode()))
    return Encoded(encode_value(event), headers)


@cache
def _kinds() -> dict[bytes, type[Event]]:
    importlib.import_module("libs.contracts.topics")
    return {name.encode(): kind for name, kind in schemas().items()}


@cache
def _decoder(kind: type[Event]) -> "msgspec.json.Decoder[Event] | msgspec.msgpack.Decoder[Event]":
    if kind.CONTENT_TYPE == "application/msgpack":
        return msgspec.msgpack.Decoder(kind)
    return msgspec.json.Decoder(kind)


def header_map(headers: Iterable[tuple[str, bytes]] | Mapping[str, bytes] | None) -> dict[str, bytes]:
    """Kafka headers as a mapping; the last of a repeated header counts, and one without a value is an empty one."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return {name: value or b"" for name, value in pairs}


def schema_of(headers: Mapping[str, bytes]) -> type[Event]:
    """The event type that the headers name.

    Raises `BadMessage` "missing_schema", "unknown_schema" (this version does not know it) or "wrong_content_type".
    """
    name = headers.get(HEADER_SCHEMA)
    if name is None:
        raise BadMessage("missing_schema", "the record has no schema header")
    kind = _kinds().get(name)
    if kind is None:
        raise BadMessage("unknown_schema", name.decode(errors="replace"))
    content_type = headers.get(HEADER_CONTENT_TYPE, b"").decode(errors="replace")
    if content_type != kind.CONTENT_TYPE:
        raise BadMessage("wrong_content_type", f"{content_type or 'none'} instead of {kind.CONTENT_TYPE}")
    return kind


def decode(value: bytes | None, headers: Mapping[str, bytes], allowed: tuple[type[Event], ...] = ()) -> Event:
    """Decode one record by its headers.

    Raises `BadMessage`: see `schema_of`; "unexpected_schema" when `allowed` is given and does not contain the type;
    "too_large" when a copy with a few headers more would not fit a topic; and what `decode_as` raises.
    """
    size = len(value or b"") + sum(len(name) + len(content) for name, content in headers.items())
    if size > MAX_RECORD_BYTES:
        raise BadMessage("too_large", f"{size} bytes with headers, at most {MAX_RECORD_BYTES}")
    kind = schema_of(headers)
    if allowed and kind not in allowed:
        raise BadMessage("unexpected_schema", kind.SCHEMA)
    return decode_as(kind, value)


def decode_as(kind: type[E], value: bytes | None) -> E:
    """Decode bytes as one known type.

    Raises `BadMessage`: "undecodable" when the bytes do not fit the type (unknown fields are ignored: additive changes keep
    the version), "implausible" when they fit and nobody could use the values (see `libs.contracts.plausible`).
    """
    try:
        event: E = _decoder(kind).decode(value or b"")  # type: ignore[assignment]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # damaged text is a UnicodeDecodeError
        raise BadMessage("undecodable", f"{kind.SCHEMA}: {error}") from None
    check(event)
    return event
