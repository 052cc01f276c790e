"""The audit of a flatten that was done without anybody who keeps one: a file a run, which whoever has a broker forwards later.

A line is on the disk before the next step is taken. A file that could not be written loses the audit and never the flatten.
"""

import fcntl
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from libs.contracts.identity import digest
from libs.contracts.trading import AlertRaised
from libs.exchanges.flatten_orders import FlattenStep

WAITING, FORWARDED = ".audit", ".forwarded"
SOURCE = "flatten"
_MOST_STEPS_TOLD = 20


class AuditHead(msgspec.Struct, frozen=True, kw_only=True):
    """Who flattened what, and why. `symbols` None: everything. Times in ms (UTC)."""

    account: str
    issued_by: str
    reason: str
    began_ms: int
    symbols: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class FlattenAudit:
    """A file as it was read; a last line that was cut off is left out."""

    path: Path
    head: AuditHead
    steps: Sequence[FlattenStep]


@dataclass(slots=True)
class AuditFile:
    """Writes the steps of one run; call it with each. `trouble`: why it could not be written, None while it could."""

    folder: Path
    head: AuditHead
    path: Path = field(init=False)
    trouble: str | None = field(default=None, init=False)
    _file: IO[bytes] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.path = self.folder / f"{SOURCE}-{self.head.account}-{self.head.began_ms}-{os.getpid()}{WAITING}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            self._file = os.fdopen(os.open(self.path, how, 0o600), "wb")
            # As long as it lasts: until then the run has not come to its end.
            with suppress(OSError):
                fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.trouble = f"{self.path}: {error.strerror}"
        self._write(self.head)

    def __call__(self, step: FlattenStep) -> None:
        self._write(step)

    def close(self) -> None:
        """No step follows."""
        if self._file is not None:
            self._file.close()

    def _write(self, line: AuditHead | FlattenStep) -> None:
        if self._file is None:
            return
        try:
            self._file.write(msgspec.json.encode(line) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self.trouble = f"{self.path}: {error.strerror}"


def waiting_audits(folder: Path) -> list[FlattenAudit]:
    """Those that nobody has forwarded, the oldest first; a file that is none is left out."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == WAITING)
    except OSError:
        return []
    found = [audit for path in paths if (audit := read_audit(path)) is not None]
    return sorted(found, key=lambda audit: audit.head.began_ms)


def read_audit(path: Path) -> FlattenAudit | None:
    """The file's content; None for one that cannot be read or has no head."""
    try:
        head, *lines = path.read_bytes().split(b"\n")
        steps = []
        for line in lines:
            try:
                steps.append(msgspec.json.decode(line, type=FlattenStep))
            except (msgspec.MsgspecError, ValueError):
                continue
        return FlattenAudit(path, msgspec.json.decode(head, type=AuditHead), steps)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


async def forward_audits(folder: Path, publish: Callable[[AlertRaised], Awaitable[None]]) -> int:
    """Publish what waits and mark it as forwarded; how many. `publish` returns once it is kept, and may raise: then the rest
    waits on, as does a file that is still being written. A file may be published twice, with the same id."""
    audits = [audit for audit in waiting_audits(folder) if not _is_written(audit.path)]
    for audit in audits:
        await publish(alert_of(audit))
        audit.path.rename(audit.path.with_suffix(FORWARDED))
    return len(audits)


def _is_written(path: Path) -> bool:
    """Whether its run still goes on: a process that has died writes nothing."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def alert_of(audit: FlattenAudit) -> AlertRaised:
    """What people are told of it."""
    head = audit.head
    what = "everything" if head.symbols is None else ", ".join(head.symbols)
    told = [_words(step) for step in audit.steps if step.kind != "closing"]
    left_out = len(told) - _MOST_STEPS_TOLD
    shown = told if left_out <= 0 else [*told[: _MOST_STEPS_TOLD - 1], f"({left_out + 1} more)", told[-1]]
    ended = any(step.kind in ("flat", "left") for step in audit.steps)
    parts = [head.reason, *shown, "" if ended else "it did not come to its end"]
    return AlertRaised(
        event_id=digest("flatten_audit", head.account, head.began_ms, audit.path.stem),
        event_time_ms=head.began_ms,
        severity="critical",
        source="risk_guard",
        title=f"{head.issued_by} closed {what} of account {head.account} without the guard",
        detail="; ".join(part for part in parts if part),
        runbook=None,
    )


def _words(step: FlattenStep) -> str:
    parts = (
        step.symbol,
        step.kind.replace("_", " "),
        "" if step.quantity is None else f"{step.quantity:f}",
        step.words,
    )
    return " ".join(part for part in parts if part)
