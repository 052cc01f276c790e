"""Sessions: what they commit, what they never do, and one clear line when the database cannot be used."""

import asyncio
import secrets
import traceback
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from infra.local.ports import free_port
from libs.kit.errors import ConfigurationError, UnreachableError
from libs.kit.settings import DatabaseSettings
from libs.store.engine import (
    DatabaseBusy,
    QuestionTooSlow,
    check_reachable,
    create_engine,
    database_url,
    place,
    read_session,
    write_session,
)
from libs.store.migrate import upgrade
from tests.support.servers import Database

COUNT = "SELECT count(*) FROM market_data_gaps"
GAP = "INSERT INTO market_data_gaps VALUES ('BTCUSDT', 1, 1, now(), now(), 'test')"


async def _count(engine: AsyncEngine) -> int:
    async with read_session(engine) as session:
        return int((await session.connection.execute(text(COUNT))).scalar_one())


async def test_a_write_session_commits_raw_and_sqlalchemy_together_or_not_at_all(engine: AsyncEngine) -> None:
    with pytest.raises(ZeroDivisionError):
        await _write_then_fail(engine)
    assert await _count(engine) == 0
    async with write_session(engine) as session:
        await session.raw.execute(GAP)
    assert await _count(engine) == 1


async def _write_then_fail(engine: AsyncEngine) -> None:
    async with write_session(engine) as session:
        await session.raw.execute(GAP)
        await session.connection.execute(text("SELECT 1"))
        raise ZeroDivisionError


async def test_a_read_session_cannot_write(engine: AsyncEngine) -> None:
    with pytest.raises(DBAPIError, match="read-only"):
        await _write_in_read_session(engine)


async def test_a_question_that_takes_too_long_is_named(engine: AsyncEngine) -> None:
    with pytest.raises(QuestionTooSlow, match="no answer within"):
        await _ask_slowly(engine)


async def test_a_pool_without_a_free_connection_is_busy(
    engine: AsyncEngine, module_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.store.engine.POOL_TIMEOUT_SECONDS", 0.05)
    small = create_engine(DatabaseSettings(database_url=module_database_url), connections=1)
    async with read_session(small):
        with pytest.raises(DatabaseBusy, match="busy"):
            await check_reachable(small)
    assert await check_reachable(small)
    await small.dispose()


async def _ask_slowly(engine: AsyncEngine) -> None:
    async with read_session(engine) as session:
        await session.connection.execute(text("SET LOCAL statement_timeout = 50"))
        await session.connection.execute(text("SELECT pg_sleep(30)"))


async def _write_in_read_session(engine: AsyncEngine) -> None:
    async with read_session(engine) as session:
        await session.connection.execute(text(GAP))


async def test_a_dead_server_is_one_line_and_its_return_is_enough(own_postgres: Database) -> None:
    engine = create_engine(DatabaseSettings(database_url=own_postgres.url))
    assert await check_reachable(engine)
    own_postgres.kill()
    with pytest.raises(UnreachableError, match="database"):
        await check_reachable(engine)
    own_postgres.start()
    assert await check_reachable(engine)
    await engine.dispose()


async def test_an_error_does_not_tell_what_was_written(engine: AsyncEngine) -> None:
    refused = (
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    async with write_session(engine) as session:
        for statement in refused:
            await session.connection.execute(text(statement))
    written = secrets.token_hex()
    with pytest.raises(DBAPIError, match="the disk is full") as caught:
        await _write_user(engine, written)
    assert written not in "".join(traceback.format_exception(caught.value))


async def _write_user(engine: AsyncEngine, password_hash: str) -> None:
    insert = text(
        "INSERT INTO users (user_id, name, password_hash, role, created_by) VALUES ('1', 'ada', :hash, 'viewer', 'x')"
    )
    async with write_session(engine) as session:
        await session.connection.execute(insert, {"hash": password_hash})


async def test_unreachable_says_where_without_the_password() -> None:
    port = free_port()
    settings = DatabaseSettings(database_url=f"postgresql://someone:secret@127.0.0.1:{port}/nothing")
    with pytest.raises(UnreachableError) as caught:
        await check_reachable(create_engine(settings))
    line = str(caught.value)
    assert f"127.0.0.1:{port}" in line
    assert "secret" not in line
    assert "PERPSTREAM_DATABASE_URL" in line


@pytest.mark.parametrize("name", ["password", "passw%6Frd", "sslpassword", "passfile"])
async def test_a_secret_among_the_parameters_is_not_told_either(name: str) -> None:
    engine = create_engine(
        DatabaseSettings(database_url=f"postgresql://127.0.0.1:{free_port()}/x?{name}=S3cretPw&user=u")
    )
    assert "S3cretPw" not in place(engine)
    assert place(engine).endswith("=***&user=u")
    if name == "password":
        with pytest.raises(UnreachableError) as caught:
            await check_reachable(engine)
        assert "S3cretPw" not in str(caught.value)


async def test_a_second_database_is_advised_by_its_own_variables(own_postgres: Database, tmp_path: Path) -> None:
    settings = DatabaseSettings(database_url=f"postgresql://u@127.0.0.1:{free_port()}/x")
    with pytest.raises(UnreachableError, match="correct PERPSTREAM_MIRROR_DATABASE_URL"):
        await check_reachable(create_engine(settings, where="PERPSTREAM_MIRROR_DATABASE_URL"))
    url = database_url(DatabaseSettings(database_url=own_postgres.url)).set(password="wrong")
    wrong = url.render_as_string(hide_password=False)
    with pytest.raises(UnreachableError, match="correct PERPSTREAM_MIRROR_DATABASE_PASSWORD_FILE"):
        await check_reachable(
            create_engine(DatabaseSettings(database_url=wrong), where="PERPSTREAM_MIRROR_DATABASE_URL")
        )
    absent = DatabaseSettings(database_url=own_postgres.url, database_password_file=tmp_path / "absent")
    with pytest.raises(ConfigurationError, match="PERPSTREAM_MIRROR_DATABASE_PASSWORD_FILE"):
        create_engine(absent, where="PERPSTREAM_MIRROR_DATABASE_URL")


async def test_the_password_comes_from_its_file(own_postgres: Database, tmp_path: Path) -> None:
    bare = str(database_url(DatabaseSettings(database_url=own_postgres.url)).set(password=None))
    right = DatabaseSettings(database_url=bare, database_password_file=own_postgres.password_file)
    engine = create_engine(right)
    assert await check_reachable(engine)
    await engine.dispose()
    wrong_file = tmp_path / "password"
    wrong_file.write_text("wrong\n")
    wrong = DatabaseSettings(database_url=bare, database_password_file=wrong_file)
    with pytest.raises(UnreachableError, match="refuses our name or password"):
        await check_reachable(create_engine(wrong))


async def test_a_missing_database_and_missing_tables_are_named(own_postgres: Database) -> None:
    elsewhere = own_postgres.url.rpartition("/")[0] + "/no_such_database"
    with pytest.raises(UnreachableError, match="does not exist on that server"):
        await check_reachable(create_engine(DatabaseSettings(database_url=elsewhere)))
    engine = create_engine(DatabaseSettings(database_url=own_postgres.url))
    with pytest.raises(UnreachableError, match="perpstream db migrate"):
        await _count(engine)
    await engine.dispose()


@pytest.mark.parametrize("url", ["not a url", "mysql://root@localhost/x", "postgresql://u@127.0.0.1:abc/x"])
def test_a_wrong_url_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ConfigurationError, match="PERPSTREAM_DATABASE_URL"):
        database_url(DatabaseSettings(database_url=url))


async def test_a_server_that_accepts_and_stays_silent_is_one_line() -> None:
    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    engine = create_engine(DatabaseSettings(database_url=f"postgresql://nobody@127.0.0.1:{port}/nothing"))
    try:
        with pytest.raises(UnreachableError, match="does not answer"):
            await upgrade(engine)
    finally:
        server.close()
        await engine.dispose()
