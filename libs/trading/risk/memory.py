"""What the guard remembers as bytes: equal values have equal bytes, and what cannot be read is never taken for a fresh start."""

from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)
_encoder = msgspec.json.Encoder(decimal_format="string", order="deterministic")


def to_bytes(value: msgspec.Struct) -> bytes:
    """JSON with numbers of money as text."""
    return _encoder.encode(value)


def from_bytes(kind: type[T], data: bytes) -> T:
    """The value again. Raises `ValueError` for bytes that are none of its kind: the guard must not start as if nothing was."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"these bytes hold no {kind.__name__}: {error}") from None
