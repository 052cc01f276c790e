"""Audit rows of what cannot wait for a database that takes none: kept in a file, and written as soon as it does again."""

import asyncio
import datetime as dt
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from libs.kit.errors import ConfigurationError, UserError
from libs.kit.logging import get_logger
from libs.store.audit import Actor, Change, write_audit_once
from libs.store.engine import Engine, write_session

_PATIENCE_SECONDS = 3.0
_RETRY_SECONDS = 2.0
_MOST_OWED = 1_000
_FILE, _UNREADABLE = "audit-owed.jsonl", "audit-owed.unreadable"


@dataclass(frozen=True, slots=True)
class Owed:
    """A row of what happened `at`."""

    actor: Actor
    change: Change
    at: dt.datetime


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Owed)


@dataclass(slots=True)
class Trail:
    """`owed`: rows that are not written yet; beyond a thousand nobody is told anything more that needs one. `file`: where they
    outlive us; without one in memory only."""

    owed: deque[Owed] = field(default_factory=deque)
    file: Path | None = None

    @classmethod
    def kept_in(cls, folder: Path) -> "Trail":
        """With what the last process in this folder still owed. Raises `ConfigurationError` for a file that cannot be read."""
        file = folder / _FILE
        try:
            lines = file.read_bytes().splitlines() if file.exists() else []
        except OSError as error:
            what = f"audit rows that wait for the database cannot be read: {error.strerror}"
            raise ConfigurationError(what, where=str(file), todo="make the file ours to read") from None
        trail = cls(deque(_rows(lines)), file)
        if len(trail.owed) < len(lines):
            file.replace(folder / _UNREADABLE)
            get_logger("gateway").error("audit rows cannot be read", kept_as=str(folder / _UNREADABLE))
            trail._keep()
        return trail

    async def write(self, engine: Engine, actor: Actor, change: Change, *, must: bool) -> None:
        """Write a row. Raises what the database raises when it `must` stand there first."""
        row = Owed(actor, change, dt.datetime.now(dt.UTC))
        try:
            async with asyncio.timeout(None if must else _PATIENCE_SECONDS):
                await _write(engine, row)
        except Exception as error:  # away, hanging, full or read-only: what reduces risk is not refused for it
            if must or len(self.owed) >= _MOST_OWED:
                raise
            get_logger("gateway").warning(
                "an audit row waits for the database", action=change.action, why=_in_short(error)
            )
            self.owed.append(row)
            self._keep()

    async def pay(self, engine: Engine) -> None:
        """Write for ever what is owed, in its order unless a row is refused."""
        while True:
            before = len(self.owed)
            try:
                await self._pay_all(engine)
            finally:
                if len(self.owed) != before:
                    self._keep()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _pay_all(self, engine: Engine) -> None:
        for _ in range(len(self.owed)):
            try:
                await _write(engine, self.owed[0])
            except Exception as error:  # whatever it is, the gateway goes on, and no row is lost
                get_logger("gateway").debug("audit rows still wait", count=len(self.owed), why=_in_short(error))
                if isinstance(error, UserError):
                    return
                self.owed.rotate(-1)  # a row that is refused for what it says must not hold up the others
            else:
                self.owed.popleft()

    def _keep(self) -> None:
        """Make the file say what is owed, whole or not at all. A few rows at most: it is not worth a thread."""
        if self.file is None:
            return
        try:
            _write_file(self.file, b"".join(_encoder.encode(row) + b"\n" for row in self.owed))
        except OSError as error:  # a disk that is full, perhaps the database's own: a flatten is not refused for it
            get_logger("gateway").error("audit rows wait in memory only", count=len(self.owed), why=error.strerror)


def _write_file(file: Path, content: bytes) -> None:
    if not content:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _rows(lines: Iterable[bytes]) -> Iterable[Owed]:
    for line in lines:
        try:
            yield _decoder.decode(line)
        except msgspec.MsgspecError:
            continue


def _in_short(error: Exception) -> str:
    """Its first line: those that follow may quote the row."""
    return str(error).partition("\n")[0] or type(error).__name__


async def _write(engine: Engine, row: Owed) -> None:
    async with write_session(engine) as session:
        await write_audit_once(session, row.actor, row.change, row.at)
