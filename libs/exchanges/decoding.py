"""Bodies of answers to structs, and the one list of what damaged bytes make a decoder raise. Pure."""

from typing import TypeVar

import msgspec

from libs.exchanges.errors import MalformedAnswer

T = TypeVar("T")
# Damaged text is a UnicodeDecodeError (a ValueError), thousands of open brackets are a RecursionError.
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
SAMPLE_BYTES = 120
LONGEST_PROBLEM = 200


def decoded(body: bytes, kind: type[T]) -> T:
    """The JSON body as `kind`; unknown fields are ignored. Raises `MalformedAnswer` for everything that does not fit."""
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise malformed(error, body) from None


def malformed(problem: Exception | str, body: bytes) -> MalformedAnswer:
    """The error that says what is wrong with an answer, and how it begins."""
    return MalformedAnswer(f"{str(problem)[:LONGEST_PROBLEM]}; the answer begins {body[:SAMPLE_BYTES]!r}", status=200)
