"""The three errors of a message handler, and the errors a person reads: one module, so that one place can handle each.

A handler raises `BadMessage` (the record can never be processed: dead-letter it and go on), `TryAgain` (the world is not
ready: back off and repeat the same record), or anything else (a defect: end the process, start-up is recovery).
"""

from dataclasses import dataclass


class BadMessage(Exception):
    """A record that no retry can heal. `reason` is a stable code, `detail` says what was wrong and where."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class TryAgain(Exception):
    """The same work may succeed later; `after_seconds` is the shortest wait that makes sense."""

    def __init__(self, detail: str, after_seconds: float = 0.5) -> None:
        super().__init__(detail)
        self.detail = detail
        self.after_seconds = after_seconds


class OffsetConflict(Exception):
    """Somebody else has moved this consumer position: roll back; drop the partition if it was revoked, otherwise exit."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One clear line for a person: what is wrong, where, and what to do."""

    what: str
    where: str
    todo: str

    def __str__(self) -> str:
        return f"{self.what} ({self.where}): {self.todo}" if self.where else f"{self.what}: {self.todo}"


class UserError(Exception):
    """An error that a person can mend. Shells print `advice` without a traceback and exit with `exit_code`."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", todo: str) -> None:
        self.advice = Advice(what, where, todo)
        super().__init__(str(self.advice))

    def __reduce__(self) -> tuple[object, ...]:
        """So that it comes whole out of another process."""
        return self.__class__.__new__, (self.__class__, *self.args), self.__dict__


class ConfigurationError(UserError):
    """A setting, file or argument is wrong; nothing was started."""

    exit_code = 2


class UnreachableError(UserError):
    """A server that we need does not answer (broker, database, venue)."""

    exit_code = 4
