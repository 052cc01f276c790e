"""Fixtures around real servers. Ask for one as an argument; nothing starts before somebody asks.

    async def test_something(kafka_bootstrap: str, database_url: str) -> None: ...

- `kafka_bootstrap` (session): "127.0.0.1:port" of the session's broker. Topics of other tests are on it: use names of your own.
- `empty_kafka` (function): the same broker with every topic deleted first, for tests that need the product's own topics.
- `database_url` (function): `postgresql+asyncpg://user:password@127.0.0.1:port/test_…`, a fresh empty database.
- `module_database_url` (module): the same, one for all tests of a module.
- `own_kafka` (function): a `Broker` of this test alone with `.bootstrap .kill() .start() .stop() .hang() .go_on() .pid`.
- `own_postgres` (function): a `Database` of this test alone with `.url .password_file .kill() .start() .stop() .pid`.

Under pytest-xdist each worker has servers of its own (300 MB, 3 s): a worker that dies takes only its own with it.
"""

from collections.abc import Iterator

import pytest

from tests.support.servers import Broker, Database


@pytest.fixture(scope="session", autouse=True)
def own_requests_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests ask their venues, and the keys that stacks make, are in folders of the session's, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERPSTREAM_KEYS_DIR", str(tmp_path_factory.mktemp("keys")))
        patch.setenv("PERPSTREAM_REQUESTS_DIR", str(tmp_path_factory.mktemp("requests")))
        yield


@pytest.fixture(scope="session")
def session_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's broker, to be shared and never killed."""
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def session_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The session's database server, to be shared and never killed."""
    database = Database(tmp_path_factory.mktemp("postgres"))
    database.start()
    yield database
    database.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(session_broker: Broker) -> str:
    return session_broker.bootstrap


@pytest.fixture
def empty_kafka(session_broker: Broker) -> str:
    session_broker.delete_all_topics()
    return session_broker.bootstrap


@pytest.fixture
def database_url(session_database: Database) -> Iterator[str]:
    url = session_database.create_database()
    yield url
    session_database.drop_database(url)


@pytest.fixture(scope="module")
def module_database_url(session_database: Database) -> Iterator[str]:
    url = session_database.create_database()
    yield url
    session_database.drop_database(url)


@pytest.fixture
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("own_kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(tmp_path_factory.mktemp("own_postgres"))
    database.start()
    yield database
    database.stop()
