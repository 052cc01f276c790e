"""What can go wrong at a venue, as types: callers decide by class, never by text."""


class VenueError(Exception):
    """The venue refused: `status` is the HTTP status (0: there was no answer), `code` its own error code (0 when it sent none),
    `said` its own words. Repeating is useless."""

    def __init__(self, message: str, *, status: int = 0, code: int = 0, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.said = said


class VenueUnavailable(VenueError):
    """No usable answer after the attempts that make sense: transport errors, timeouts, 5xx. Later may be better."""


class RateLimited(VenueError):
    """429 or 418: nothing may be asked before `until_ms` on the venue's clock; `banned` for 418."""

    def __init__(self, message: str, *, until_ms: int, banned: bool, code: int = -1003) -> None:
        super().__init__(message, status=418 if banned else 429, code=code)
        self.until_ms = until_ms
        self.banned = banned


class AccessRefused(VenueError):
    """401, 403 or 451: a firewall, a key or a country stands between us and the venue; a person has to look."""


class MalformedAnswer(VenueError):
    """The venue answered 200 with a body that does not fit its documented shape."""
