"""Binance's error bodies as exceptions."""

from collections.abc import Mapping

import msgspec
from aiohttp import web


class VenueError(Exception):
    """A refused request: HTTP status, Binance code and text."""

    def __init__(self, code: int, message: str, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.headers = dict(headers or {})


def invalid_symbol() -> VenueError:
    """-1121."""
    return VenueError(-1121, "Invalid symbol.")


def missing(name: str) -> VenueError:
    """-1102: a mandatory parameter is absent, empty or malformed."""
    return VenueError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def invalid_value(name: str) -> VenueError:
    """-1130: a parameter has a value that cannot be."""
    return VenueError(-1130, f"Data sent for parameter '{name}' is not valid.")


def illegal_characters(name: str, pattern: str) -> VenueError:
    """-1100: a parameter holds characters that it must not hold."""
    return VenueError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")


def reply(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json", charset="utf-8"
    )


def error_reply(error: VenueError) -> web.Response:
    """The answer that carries an error."""
    return reply({"code": error.code, "msg": error.message}, error.status, error.headers)
