"""The executor's books in PostgreSQL: a lease by the database's clock, and pages that stand as a whole or not at all.

The row of the lease is locked for the length of each page: whoever takes the lease over finds every page of the one before.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
from pydantic import ValidationError
from sqlalchemy import Result, Table, text

from libs.kit.errors import UnreachableError, UserError
from libs.store.engine import (
    LOCK_TIMEOUT_MS,
    Engine,
    ReadSession,
    WriteSession,
    explained,
    place,
    read_session,
    write_session,
)
from libs.store.instants import milliseconds
from libs.store.live_page import WRITE_PAGE, rows_of, written_columns
from libs.store.live_rows import Row, command_row, plain
from libs.store.live_tables import live_commands, live_config
from libs.store.statements import read_until_ms, write_statement
from libs.trading.execution.books import (
    GUARD_BROKE,
    GUARD_WORKS,
    ConfigTaken,
    Kept,
    Lease,
    LeaseLost,
    NonceTaken,
    Obeyed,
    Page,
)
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import FINAL_STATES, Trade

LEASE_SECONDS = 10.0
# Of a server that hangs. Longer than rows are waited for, after which a paused session that keeps them is ended.
_PATIENCE_SECONDS = LOCK_TIMEOUT_MS / 1000 + 3
ENDED_DAYS = 7
"""How long the id of a trade that is over is told at a start: longer than any signal can be read again."""
_TAKE = """
INSERT INTO live_lease (account, owner, epoch, expires_at)
VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (account) DO UPDATE SET owner = excluded.owner, epoch = live_lease.epoch + 1,
  expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE live_lease.expires_at <= clock_timestamp() RETURNING epoch
"""
_RENEW = """
UPDATE live_lease SET expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE account = $1 AND epoch = $2 AND expires_at > clock_timestamp() RETURNING epoch
"""
_RELEASE = "UPDATE live_lease SET expires_at = clock_timestamp() WHERE account = $1 AND epoch = $2"
_PROVEN = text(
    "SELECT 1 FROM live_lease WHERE account = :account AND epoch = :epoch AND expires_at > clock_timestamp()"
)
_OPEN = text(
    "SELECT trade_id, document::text AS document FROM live_trades WHERE account = :account"
    " AND state <> ALL (ARRAY['closed', 'refused', 'not_entered']) ORDER BY recorded_at, trade_id"
)
_ENDED = text(
    "SELECT trade_id FROM live_trades WHERE account = :account AND state = ANY (:states)"
    " AND recorded_at > now() - make_interval(days => :days)"
)
_LATELY = text(
    "SELECT trade_id, document::text AS document FROM live_trades WHERE account = :account AND state = ANY (:states)"
    " AND recorded_at > now() - make_interval(days => :days)"
    " AND (fees_unvalued > 0"
    "  OR updated_at > now() - CASE state WHEN 'refused' THEN interval '10 minutes' ELSE interval '1 day' END)"
    " ORDER BY updated_at DESC LIMIT 500"
)
_CONFIG = text(
    "SELECT version, document::text AS document FROM live_config WHERE account = :account ORDER BY version DESC LIMIT 1"
)
_OFFSETS = text("SELECT topic, partition, next_offset FROM live_offsets WHERE account = :account")
# Some that are over as well: by whose clock they are over is the machine's to say, and this server's may be ahead of it.
_NONCES = text(
    "SELECT nonce, expires_at FROM live_commands WHERE account = :account"
    " AND expires_at > now() - make_interval(days => 1)"
)
_GUARD = text(
    "SELECT kind FROM live_events WHERE account = :account AND trade_id IS NULL AND kind = ANY (:kinds)"
    " ORDER BY event_time DESC, event_id DESC LIMIT 1"
)
_HAS_TRADE = text("SELECT 1 FROM live_trades WHERE account = :account AND trade_id = :trade_id")
# What passes by itself, as a server that is away does: the page did not come to stand.
_PASSING = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
)


class UnreadableBooks(UserError):
    """What the books hold cannot be read by this version: nothing may be traded over it."""


def _insert(table: Table, returning: str) -> str:
    columns = written_columns(table)
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    into = f"INSERT INTO {table.name} ({', '.join(columns)})"
    return f"{into} VALUES ({places}) ON CONFLICT DO NOTHING RETURNING {returning}"


_COMMAND, _CONFIGURE = _insert(live_commands, "nonce"), _insert(live_config, "version")
_SAME_COMMAND = (
    "SELECT 1 FROM live_commands WHERE account = $1 AND nonce = $2 AND command_id = $3 AND issuer = $4 AND command = $5"
    " AND arguments = $6::jsonb AND reason = $7 AND accepted = $8 AND result = $9 AND obeyed_at = $10 AND expires_at = $11"
)
_SAME_CONFIG = "SELECT 1 FROM live_config WHERE account = $1 AND version = $2 AND document = $3::jsonb"


class PostgresBooks:
    """The books of one account. `monotonic` gives seconds, as `Lease.until` has them; a lease lasts `lease_seconds` of the
    database's clock. A server that hangs for some seconds is one that is away."""

    def __init__(
        self,
        engine: Engine,
        account: str,
        *,
        lease_seconds: float = LEASE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._account = account
        self._lease_seconds = lease_seconds
        self._monotonic = monotonic

    async def acquire(self, owner: str) -> Lease | None:
        """See `Books.acquire`."""
        asked = self._monotonic()
        async with _writing(self._engine) as session:
            epoch = await session.raw.fetchval(_TAKE, self._account, plain(owner), self._lease_seconds)
        return None if epoch is None else Lease(self._account, owner, epoch, asked + self._lease_seconds)

    async def renew(self, lease: Lease) -> Lease:
        """See `Books.renew`."""
        asked = self._monotonic()
        async with _writing(self._engine) as session:
            held = await session.raw.fetchval(_RENEW, self._account, lease.epoch, self._lease_seconds)
        if held is None:
            raise _lost(lease)
        return Lease(self._account, lease.owner, lease.epoch, asked + self._lease_seconds)

    async def release(self, lease: Lease) -> None:
        """See `Books.release`."""
        async with _writing(self._engine) as session:
            await session.raw.execute(_RELEASE, self._account, lease.epoch)

    async def load(self, lease: Lease) -> Kept:
        """See `Books.load`. Raises `UnreadableBooks` too."""
        asked = {"account": self._account}
        async with _reading(self._engine) as session:
            ask = session.connection.execute
            if (await ask(_PROVEN, asked | {"epoch": lease.epoch})).first() is None:
                raise _lost(lease)
            over = asked | {"states": sorted(FINAL_STATES), "days": ENDED_DAYS}
            ended = await ask(_ENDED, over)
            offsets = await ask(_OFFSETS, asked)
            nonces = await ask(_NONCES, asked)
            return Kept(
                trades=self._trades(await ask(_OPEN, asked)),
                ended=frozenset(ended.scalars()),
                config=await self._config(session),
                offsets={(row.topic, row.partition): row.next_offset for row in offsets.all()},
                nonces={row.nonce: milliseconds(row.expires_at) for row in nonces.all()},
                statement_until_ms=await read_until_ms(session, self._account) or 0,
                lately=self._trades(await ask(_LATELY, over)),
                guard_broke=(await ask(_GUARD, asked | {"kinds": [GUARD_BROKE, GUARD_WORKS]})).scalar() == GUARD_BROKE,
            )

    async def write(self, lease: Lease, page: Page) -> None:
        """See `Books.write`."""
        async with _writing(self._engine) as session:
            if not await session.raw.fetchval(WRITE_PAGE, self._account, lease.epoch, rows_of(self._account, page)):
                raise _lost(lease)
            await self._write_commands(session, page)
            if page.statement is not None:
                await write_statement(session, self._account, page.statement)

    async def has_trade(self, trade_id: str) -> bool:
        """See `Books.has_trade`."""
        asked = {"account": self._account, "trade_id": trade_id}
        async with _reading(self._engine) as session:
            return (await session.connection.execute(_HAS_TRADE, asked)).first() is not None

    async def _write_commands(self, session: WriteSession, page: Page) -> None:
        for obeyed in page.obeyed:
            values = _values(command_row(self._account, obeyed), live_commands)
            if await session.raw.fetchval(_COMMAND, *values) is not None:
                continue
            if not await session.raw.fetchval(_SAME_COMMAND, *values):
                raise NonceTaken(obeyed.nonce)
        if page.config is not None:
            await self._write_config(session, page.config, page.obeyed)

    async def _write_config(self, session: WriteSession, config: LiveConfig, obeyed: Sequence[Obeyed]) -> None:
        by = next((each for each in reversed(obeyed) if each.accepted and each.command == "change_config"), None)
        document = config.model_dump_json()
        row: Row = {
            "account": self._account,
            "version": config.version,
            "document": document,
            "changed_by": "executor" if by is None else plain(by.issuer),
            "reason": "" if by is None else plain(by.reason),
            "command_id": None if by is None else plain(by.command_id),
        }
        if await session.raw.fetchval(_CONFIGURE, *_values(row, live_config)) is not None:
            return
        if not await session.raw.fetchval(_SAME_CONFIG, self._account, config.version, document):
            raise ConfigTaken(config.version)

    def _trades(self, found: Result[Any]) -> list[Trade]:
        return [_readable(row.document, row.trade_id, self._engine) for row in found.all()]

    async def _config(self, session: ReadSession) -> LiveConfig | None:
        row = (await session.connection.execute(_CONFIG, {"account": self._account})).one_or_none()
        if row is None:
            return None
        try:
            return LiveConfig.model_validate_json(row.document)
        except ValidationError as error:
            raise _unreadable(f"version {row.version} of the configuration", str(error), self._engine) from None


def _values(row: Row, table: Table) -> list[object]:
    return [row[name] for name in written_columns(table)]


@asynccontextmanager
async def _writing(engine: Engine) -> AsyncIterator[WriteSession]:
    """A transaction; what passes by itself is as a server that is away."""
    try:
        async with explained(engine), asyncio.timeout(_PATIENCE_SECONDS), write_session(engine) as session:
            yield session
    except _PASSING as error:
        what = f"the database did not carry it out ({error})"
        raise UnreachableError(what, where=place(engine), todo="it is tried again") from error


@asynccontextmanager
async def _reading(engine: Engine) -> AsyncIterator[ReadSession]:
    async with explained(engine), asyncio.timeout(_PATIENCE_SECONDS), read_session(engine) as session:
        yield session


def _readable(document: str, trade_id: str, engine: Engine) -> Trade:
    try:
        return msgspec.json.decode(document, type=Trade)
    except msgspec.MsgspecError as error:
        raise _unreadable(f"the trade {trade_id}", str(error), engine) from None


def _unreadable(what: str, why: str, engine: Engine) -> UnreadableBooks:
    return UnreadableBooks(
        f"{what} in the executor's books cannot be read: {why}",
        where=place(engine),
        todo="start the version that wrote it, or newer",
    )


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"the lease {lease.epoch} of {lease.account} is over: {lease.owner} may not trade any more")
