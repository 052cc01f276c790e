"""The engine from settings, the two kinds of session, and one clear line when the database does not answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from libs.kit.errors import ConfigurationError, UnreachableError
from libs.kit.logging import get_logger
from libs.kit.secrets import masked
from libs.kit.settings import DatabaseSettings

Engine: TypeAlias = AsyncEngine
RawConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
CONNECT_TIMEOUT_SECONDS = 5.0
POOL_TIMEOUT_SECONDS = 30.0
_CHECK_TIMEOUT_SECONDS = 10.0
WRITE_TIMEOUT_MS = 120_000
READ_TIMEOUT_MS = 15_000
# Nobody of ours keeps rows locked for longer, unless the process was paused or its machine is gone.
LOCK_TIMEOUT_MS, _PAUSED_SECONDS, _LONGEST_COPY_SECONDS = 5000, 10, WRITE_TIMEOUT_MS // 1000
_LIMITS = text(
    f"SELECT set_config('statement_timeout', '{WRITE_TIMEOUT_MS}', true), set_config('lock_timeout', '{LOCK_TIMEOUT_MS}', true)"
)
# It holds more than the right to read. A COPY is "active" while its client is silent, and nobody says since when: it is judged by
# its whole length, for which no statement of ours has the time.
_END_PAUSED = text(
    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    " AND usename = current_user AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND wait_event = 'ClientRead'"
    " AND clock_timestamp() - CASE WHEN state = 'active' THEN query_start ELSE state_change END"
    "   > make_interval(secs => CASE WHEN state = 'active' THEN CAST(:longest AS float8) ELSE CAST(:silent AS float8) END)"
    " AND pid IN (SELECT pid FROM pg_locks WHERE granted AND mode <> 'AccessShareLock'"
    " AND locktype IN ('relation', 'transactionid', 'advisory'))"
)
_ASK_FOR_SERVER = "start it, or correct {variable}_URL"
_VARIABLE = "perpstream_variable"
_ADVICE: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    (
        (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError),
        "the database refuses our name or password",
        "correct {variable}_PASSWORD_FILE",
    ),
    (
        (asyncpg.InvalidCatalogNameError,),
        "the database does not exist on that server",
        "create it, or correct {variable}_URL",
    ),
    ((asyncpg.UndefinedTableError,), "the database has no tables of ours", "run: perpstream db migrate"),
    (
        (asyncpg.TooManyConnectionsError,),
        "the database has no free connection",
        "raise max_connections, or stop something",
    ),
    (
        (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.InterfaceError),
        "the database closed the connection",
        _ASK_FOR_SERVER,
    ),
    (
        (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError),
        "the database does not answer",
        _ASK_FOR_SERVER,
    ),
)


class DatabaseBusy(UnreachableError):
    """The database may well answer, but our connections are all in use, or rows that we need are locked: ask again later."""


@dataclass(frozen=True, slots=True)
class ReadSession:
    """A read-only transaction: questions take this type, and nothing that they do can be committed."""

    connection: AsyncConnection


@dataclass(frozen=True, slots=True)
class WriteSession:
    """A transaction that commits when its `async with` block ends without an error, and only there.

    `raw` is the same transaction's asyncpg connection, for bulk statements.
    """

    connection: AsyncConnection
    raw: RawConnection


def database_url(settings: DatabaseSettings, where: str = "PERPSTREAM_DATABASE_URL") -> URL:
    """The URL with the password from its file; `ConfigurationError`, which names `where`, for one that is not PostgreSQL's."""
    try:
        url = make_url(settings.database_url)
    except (ArgumentError, ValueError):  # no URL at all, or a port that is no number
        raise ConfigurationError(
            "the database URL cannot be read", where=where, todo="write postgresql://USER@HOST:PORT/NAME"
        ) from None
    if url.get_backend_name() != "postgresql":
        raise ConfigurationError(
            f"the database is {url.get_backend_name()}, not PostgreSQL",
            where=where,
            todo="write postgresql://USER@HOST:PORT/NAME",
        )
    url = url.set(drivername="postgresql+asyncpg")
    password = settings.password(f"{_stem(where)}_PASSWORD_FILE")
    return url if password is None else url.set(password=password.get_secret_value())


def create_engine(
    settings: DatabaseSettings,
    *,
    application: str = "perpstream",
    connections: int = 5,
    where: str = "PERPSTREAM_DATABASE_URL",
) -> AsyncEngine:
    """An engine with at most `connections` connections; opens none yet. Callers dispose it. Errors name `where` it was set."""
    return create_async_engine(
        database_url(settings, where),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        # The text of an error stands in logs, and what is written here is also hashes of passwords and sealed secrets.
        hide_parameters=True,
        execution_options={_VARIABLE: _stem(where)},
        connect_args={
            "timeout": CONNECT_TIMEOUT_SECONDS,
            "server_settings": {"application_name": application, "timezone": "UTC", "jit": "off"},
        },
    )


def _stem(variable: str) -> str:
    return variable.removesuffix("_URL")


def place(engine: AsyncEngine) -> str:
    """The engine's URL for people, without any secret."""
    return masked(engine.url.render_as_string(hide_password=True))


def _advised(todo: str, engine: AsyncEngine) -> str:
    """What to do, with the variables that this engine was made from: a mirror has its own."""
    return todo.format(variable=engine.sync_engine.get_execution_options().get(_VARIABLE, "PERPSTREAM_DATABASE"))


def busy(engine: AsyncEngine) -> DatabaseBusy:
    """What to raise when no connection became free in time."""
    return DatabaseBusy("the database is busy with other questions", where=place(engine), todo="ask again later")


def _driver_error(error: Exception) -> BaseException | None:
    """asyncpg's own error behind SQLAlchemy's; any other error is itself the reason (a timeout is caused by a cancellation)."""
    if not isinstance(error, DBAPIError):
        return error
    return getattr(error.orig, "__cause__", None) or error.orig


def explain(error: Exception, engine: AsyncEngine) -> UnreachableError | None:
    """The one line for an error that means "the database cannot be used now"; None for any other error."""
    if isinstance(error, PoolTimeout):
        return busy(engine)
    driver_error = _driver_error(error)
    if isinstance(driver_error, ValueError):
        return None  # asyncpg's own complaint about an argument is an InterfaceError too
    for kinds, what, todo in _ADVICE:
        if isinstance(driver_error, kinds):
            return UnreachableError(what, where=place(engine), todo=_advised(todo, engine))
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return UnreachableError(
            "the database closed the connection", where=place(engine), todo=_advised(_ASK_FOR_SERVER, engine)
        )
    return None


@asynccontextmanager
async def explained(engine: AsyncEngine) -> AsyncIterator[None]:
    """Turn connection errors inside the block into `UnreachableError`; everything else passes unchanged."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        advice = explain(error, engine)
        if advice is None:
            raise
        raise advice from error


class QuestionTooSlow(Exception):
    """A question took longer than a read session may: ask for less."""


@asynccontextmanager
async def read_session(engine: AsyncEngine, timeout_ms: int = READ_TIMEOUT_MS) -> AsyncIterator[ReadSession]:
    """A read-only snapshot that is always rolled back; each statement has `timeout_ms`. Raises `UnreachableError`,
    `QuestionTooSlow`."""
    async with explained(engine), engine.connect() as connection:
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        await connection.execute(text(f"SET LOCAL statement_timeout = {timeout_ms}"))
        try:
            yield ReadSession(connection)
        except DBAPIError as error:
            if isinstance(getattr(error.orig, "__cause__", None), asyncpg.QueryCanceledError):
                raise QuestionTooSlow(f"no answer within {timeout_ms // 1000} s") from error
            raise
        finally:
            if not connection.invalidated:
                await connection.rollback()


@asynccontextmanager
async def write_session(engine: AsyncEngine) -> AsyncIterator[WriteSession]:
    """One transaction: committed at the end of the block, rolled back on any error. Raises `UnreachableError`.

    Rows that another session has locked are waited for `LOCK_TIMEOUT_MS`; then `DatabaseBusy`, and a holder that has been
    silent in the middle of its transaction is ended, so that the next attempt finds the rows free.
    """
    try:
        async with explained(engine), engine.begin() as connection:
            # SQLAlchemy opens the transaction with its first statement; the raw connection must find it open.
            await connection.execute(_LIMITS)
            pooled = await connection.get_raw_connection()
            yield WriteSession(connection, cast("Any", pooled).driver_connection)
    except (asyncpg.LockNotAvailableError, DBAPIError) as error:
        if not isinstance(_driver_error(error), asyncpg.LockNotAvailableError):
            raise
        await _end_paused_sessions(engine)
        what = "another session keeps rows locked that we need"
        raise DatabaseBusy(what, where=place(engine), todo="ask again in some seconds") from error


async def _end_paused_sessions(engine: AsyncEngine) -> None:
    """End what holds locks in an open transaction and has said nothing for `_PAUSED_SECONDS`,
    or is in a COPY for `_LONGEST_COPY_SECONDS`.

    A process that is stopped there, or a machine that is asleep, keeps its locks for ever: the server cannot tell it from
    one that thinks. Its successor would wait as long. What it had not committed, its successor writes again.
    """
    async with explained(engine), engine.begin() as connection:
        limits = {"silent": _PAUSED_SECONDS, "longest": _LONGEST_COPY_SECONDS}
        for pid, _ in (await connection.execute(_END_PAUSED, limits)).all():
            get_logger("store").warning("ended a session that was silent in its transaction", backend_pid=pid)


async def check_reachable(engine: AsyncEngine) -> str:
    """The server's version, for example "18.6". Raises `UnreachableError` with one clear line, also for one that hangs."""
    async with explained(engine), asyncio.timeout(_CHECK_TIMEOUT_SECONDS), engine.connect() as connection:
        version: str = (await connection.execute(text("SHOW server_version"))).scalar_one()
        return version
